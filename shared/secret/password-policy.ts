import { randomInt } from 'node:crypto';
import { RotationError } from '../errors.ts';
import type { Engine } from './database-secret.ts';
import { Password } from './password.ts';

/** What generated passwords look like. */
export interface PasswordPolicy {
  /** Characters. */
  readonly length: number;
  /** The alphabets to draw from; none is empty. */
  readonly alphabets: readonly string[];
  /** Whether each alphabet must be there at least once. */
  readonly requireEach: boolean;
}

export const UPPERCASE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
export const LOWERCASE = 'abcdefghijklmnopqrstuvwxyz';
export const NUMBERS = '0123456789';
/** The 32 punctuation characters of GetRandomPassword (API reference). */
export const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
/** What AWS's rotation functions for PostgreSQL exclude where EXCLUDE_CHARACTERS is not set. */
export const AWS_EXCLUDED = ':/@"\'\\';

/** Ours, where none of AWS's variables is set: nothing in it needs escaping in a URL, a shell or a .pgpass file. */
export const DEFAULT_POLICY: PasswordPolicy = {
  length: 32,
  alphabets: [UPPERCASE, LOWERCASE, NUMBERS, '-._~'],
  requireEach: true,
};

/** The longest password that Redshift takes, in characters (CREATE USER). */
const REDSHIFT_LENGTH = 64;
/** What it takes none of. */
const REDSHIFT_EXCLUDED = '/@"\'\\';

/**
 * The same policy within what the engine takes. Redshift wants 8 to 64 characters, upper case, lower case and a digit among
 * them, and none of ' " \\ / @ (its developer guide, CREATE USER).
 *
 * @throws RotationError INVALID_ENVIRONMENT where nothing meets both.
 */
export function policyFor(engine: Engine, policy: PasswordPolicy): PasswordPolicy {
  if (engine !== 'redshift') return policy;
  const alphabets = policy.alphabets
    .map((alphabet) => Array.from(alphabet, (each) => (REDSHIFT_EXCLUDED.includes(each) ? '' : each)).join(''))
    .filter((alphabet) => alphabet !== '');
  if (policy.length > REDSHIFT_LENGTH)
    throw beyond('PASSWORD_LENGTH', `at most ${REDSHIFT_LENGTH} characters were needed, found ${policy.length}`);
  if ([UPPERCASE, LOWERCASE, NUMBERS].some((type) => !alphabets.some((each) => includesAny(each, type))))
    throw beyond('EXCLUDE_CHARACTERS', 'upper case, lower case and digits were needed, found one of them excluded');
  return { length: policy.length, alphabets, requireEach: true };
}

function beyond(key: string, found: string): RotationError {
  return new RotationError(
    'INVALID_ENVIRONMENT',
    `The function's environment can't be used for Redshift: ${key}: ${found}.`,
    {
      remedy: `Correct the environment variables for passwords (${key} …) of the rotation function, or give this secret a function of its own; nothing was changed anywhere.`,
      key,
    },
  );
}

/** Draws a password, every one that the policy allows being as likely as any other. */
export function generatePassword(policy: PasswordPolicy): Password {
  const alphabet = policy.alphabets.join('');
  // Drawing again until all are there keeps the choice uniform; putting one of each in place would not.
  for (;;) {
    const text = Array.from({ length: policy.length }, () => alphabet[randomInt(alphabet.length)]).join('');
    if (!policy.requireEach || policy.alphabets.every((each) => includesAny(text, each))) return new Password(text);
  }
}

function includesAny(text: string, alphabet: string): boolean {
  return Array.from(text).some((character) => alphabet.includes(character));
}
