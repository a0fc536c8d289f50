/** Reads the members of a request as the service's model constrains them. Nothing behind this sees an unknown type. */
import { invalidParameter, invalidRequest, ServiceError, validation } from './errors.ts';

export interface TextLimits {
  min?: number;
  max?: number;
  pattern?: RegExp;
}

const MAX_VALUE_BYTES = 65_536;
const NAME_CHARACTERS = /^[A-Za-z0-9/_+=.@!-]+$/;
// An ARN has colons besides; a secret's id may be either.
const SECRET_ID_CHARACTERS = /^[A-Za-z0-9/_+=.@!:-]+$/;
const INVALID_NAME =
  'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!';

export class Input {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(members: unknown, path = '') {
    if (!isRecord(members)) throw new ServiceError('SerializationException', 'Start of structure or map expected.');
    this.#members = members;
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null;
  }

  text(name: string, limits: TextLimits = {}): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== 'string') throw wrongType(value, 'String');
    this.#checkText(name, value, limits);
    return value;
  }

  requiredText(name: string, limits: TextLimits = {}): string {
    return this.text(name, limits) ?? this.#missing(name);
  }

  flag(name: string): boolean | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== 'boolean') throw wrongType(value, 'Boolean');
    return value;
  }

  integer(name: string, range: { min?: number; max?: number } = {}): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, 'Integer');
    if (value < (range.min ?? value)) this.#refuse(name, value, `have value greater than or equal to ${range.min}`);
    if (value > (range.max ?? value)) this.#refuse(name, value, `have value less than or equal to ${range.max}`);
    return value;
  }

  list(name: string, range: { min?: number; max?: number } = {}): unknown[] | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (!Array.isArray(value)) throw wrongType(value, 'List');
    if (value.length < (range.min ?? 0)) this.#refuse(name, '[]', `have length greater than or equal to ${range.min}`);
    if (value.length > (range.max ?? value.length)) {
      this.#refuse(name, '[…]', `have length less than or equal to ${range.max}`);
    }
    return value;
  }

  texts(name: string, limits: TextLimits & { items?: { min?: number; max?: number } } = {}): string[] | undefined {
    return this.list(name, limits.items)?.map((value, index) => {
      if (typeof value !== 'string') throw wrongType(value, 'String');
      this.#checkText(`${name}.${index + 1}.member`, value, limits);
      return value;
    });
  }

  structures(name: string, range: { min?: number; max?: number } = {}): Input[] | undefined {
    return this.list(name, range)?.map((value, index) => new Input(value, `${this.#at(name)}.${index + 1}.member.`));
  }

  structure(name: string): Input | undefined {
    return this.has(name) ? new Input(this.#members[name], `${this.#at(name)}.`) : undefined;
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    return (
      choices.find((choice) => choice === value) ??
      this.#refuse(name, value, `satisfy enum value set: [${choices.join(', ')}]`)
    );
  }

  #checkText(name: string, value: string, { min = 0, max = Number.POSITIVE_INFINITY, pattern }: TextLimits): void {
    if (value.length < min) this.#refuse(name, value, `have length greater than or equal to ${min}`);
    if (value.length > max) this.#refuse(name, value, `have length less than or equal to ${max}`);
    if (pattern && !pattern.test(value))
      this.#refuse(name, value, `satisfy regular expression pattern: ${pattern.source}`);
  }

  #missing(name: string): never {
    throw validation(
      `1 validation error detected: Value null at '${this.#at(name)}' failed to satisfy constraint: Member must not be null`,
    );
  }

  #refuse(name: string, value: string | number, needed: string): never {
    const shown = SENSITIVE.has(name) ? '' : ` '${String(value).slice(0, 256)}'`;
    throw validation(
      `1 validation error detected: Value${shown} at '${this.#at(name)}' failed to satisfy constraint: Member must ${needed}`,
    );
  }

  #at(name: string): string {
    return this.#path + name.charAt(0).toLowerCase() + name.slice(1);
  }
}

const SENSITIVE: ReadonlySet<string> = new Set(['SecretString', 'SecretBinary', 'RotationToken']);

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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongType(value: unknown, needed: string): ServiceError {
  const found = value === null ? 'NULL_VALUE' : `${Array.isArray(value) ? 'LIST' : typeof value}`.toUpperCase();
  return new ServiceError('SerializationException', `${found} can not be converted to ${needed}.`);
}
