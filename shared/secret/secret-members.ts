import { kindOf, RotationError } from '../errors.ts';
import { valuesOf } from './json-text.ts';

/** The members of a secret's JSON object, by key. */
export type Members = Readonly<Record<string, unknown>>;

/** @throws RotationError SECRET_MALFORMED where the text is no JSON object. */
export function parseMembers(text: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it is not kept as the cause.
    throw malformed('SecretString', 'a JSON object was needed, found text that is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('SecretString', `a JSON object was needed, found ${kindOf(value)}`);
  }
  return valuesOf(text);
}

/** A member that may be left out; null is how templates and serialisers leave one out. */
export function optional(members: Members, key: string): unknown {
  return own(members, key) ?? undefined;
}

/** @throws RotationError SECRET_MALFORMED, pointing out the key in another case where it is there and the right one is not. */
export function requiredText(members: Members, key: string): string {
  const value = own(members, key);
  const written = writtenOtherwise(members, key);
  if (written !== undefined) throw malformed(key, `a string was needed, found "${written}" (keys are case-sensitive)`);
  if (typeof value !== 'string') throw malformed(key, `a string was needed, found ${kindOf(value)}`);
  if (value === '') throw malformed(key, 'a string was needed, found an empty one');
  if (value.includes('\0')) throw malformed(key, 'a string without NUL was needed, found one with NUL');
  if (!value.isWellFormed()) throw malformed(key, 'Unicode text was needed, found half of a surrogate pair');
  return value;
}

/**
 * The key as somebody has written it in another case, such as "Host".
 *
 * @param key in lower case, as all of AWS's that we read.
 * @returns undefined where the key itself is there, or none that is like it.
 */
export function writtenOtherwise(members: Members, key: string): string | undefined {
  if (optional(members, key) !== undefined) return undefined;
  return Object.keys(members).find((name) => name !== key && name.toLowerCase() === key);
}

/** @param found what was needed and what was found, quoting no value. */
export function malformed(key: string, found: string): RotationError {
  return new RotationError('SECRET_MALFORMED', `The secret's value can't be used: ${key}: ${found}.`, {
    remedy: `Correct "${key}" with \`aws secretsmanager put-secret-value --secret-id {secretArn} --secret-string file://…\`; the README lists the keys of the secret's JSON.`,
    key,
  });
}

/** Own members only, so that a secret's `__proto__` can't add any. */
function own(members: Members, key: string): unknown {
  return Object.hasOwn(members, key) ? members[key] : undefined;
}
