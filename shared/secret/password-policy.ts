import { randomInt } from 'node:crypto';
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
/** What AWS's rotation functions exclude where EXCLUDE_CHARACTERS is not set. */
export const AWS_EXCLUDED = '/@"\'\\';

/** Ours, where none of AWS's variables is set: nothing in it needs escaping in a URL, a shell or a .pgpass file. */
export const DEFAULT_POLICY: PasswordPolicy = {
  length: 32,
  alphabets: [UPPERCASE, LOWERCASE, NUMBERS, '-._~'],
  requireEach: true,
};

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
