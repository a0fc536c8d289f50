/** The members that several operations have in common. */
import { type Input, validation } from '../http/input.ts';
import { ServiceError } from '../http/service.ts';
import { invalidParameter, invalidRequest } from './errors.ts';

const MAX_VALUE_BYTES = 65_536;
const NAME_CHARACTERS = /^[A-Za-z0-9/_+=.@!-]+$/;
// An ARN has colons besides; a secret's id may be either.
const SECRET_ID_CHARACTERS = /^[A-Za-z0-9/_+=.@!:-]+$/;
const INVALID_NAME =
  'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!';

export function secretId(input: Input): string {
  const id = input.requiredText('SecretId', { min: 1, max: 2048 });
  if (!SECRET_ID_CHARACTERS.test(id)) throw validation(INVALID_NAME);
  return id;
}

export function secretName(input: Input): string {
  const name = input.requiredText('Name', { min: 1, max: 512 });
  if (!NAME_CHARACTERS.test(name)) throw validation(INVALID_NAME);
  return name;
}

/** Every SDK fills the token in; on a raw request it must be there, and this is checked before the secret is looked up. */
export function requiredToken(input: Input, refusal: (message: string) => ServiceError = invalidRequest): string {
  const token = input.text('ClientRequestToken');
  if (token === undefined || token === '') {
    throw refusal('You must provide a ClientRequestToken value. We recommend a UUID-type value.');
  }
  return checkedVersionId(token, 'ClientRequestToken');
}

export function versionId(input: Input, name: string): string | undefined {
  const id = input.text(name);
  return id === undefined ? undefined : checkedVersionId(id, name);
}

function checkedVersionId(id: string, name: string): string {
  if (id.length < 32 || id.length > 64) throw invalidParameter(`${name} must be 32-64 characters long.`);
  if (!NAME_CHARACTERS.test(id)) throw validation(INVALID_NAME);
  return id;
}

export const stageName = (input: Input, name: string) => input.text(name, { min: 1, max: 256 });

/** One of the two kinds, or neither. SecretBinary stays as the base64 that the wire carries. */
export type SecretValue = { SecretString: string } | { SecretBinary: string };

export function secretValue(input: Input): SecretValue | undefined {
  const string = input.text('SecretString');
  const binary = input.text('SecretBinary');
  if (string !== undefined && binary !== undefined) {
    throw invalidParameter(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  }
  if (string !== undefined) {
    checkSize('SecretString', Buffer.byteLength(string));
    return { SecretString: string };
  }
  if (binary === undefined) return undefined;
  const bytes = Buffer.from(binary, 'base64');
  if (bytes.toString('base64') !== binary)
    throw new ServiceError('SerializationException', 'Invalid base64 in SecretBinary.');
  checkSize('SecretBinary', bytes.length);
  return { SecretBinary: binary };
}

export const missingValue = () => invalidRequest('You must provide either SecretString or SecretBinary.');

function checkSize(name: string, bytes: number): void {
  if (bytes < 1) throw missingValue();
  if (bytes > MAX_VALUE_BYTES) {
    throw validation(
      `1 validation error detected: Value at '${name.charAt(0).toLowerCase() + name.slice(1)}' failed to satisfy constraint: Member must have length less than or equal to ${MAX_VALUE_BYTES}`,
    );
  }
}

export const sameValue = (one: SecretValue, other: SecretValue) => JSON.stringify(one) === JSON.stringify(other);
