import { randomInt } from 'node:crypto';
import type { Input } from '../http/input.ts';
import { invalidParameter } from './errors.ts';
import type { Operation } from './operation.ts';

const LOWERCASE = 'abcdefghijklmnopqrstuvwxyz';
const UPPERCASE = LOWERCASE.toUpperCase();
const NUMBERS = '0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const DEFAULT_LENGTH = 32;
const MAX_LENGTH = 4096;

export const getRandomPassword: Operation = (input) => {
  const length = input.integer('PasswordLength', { min: 1, max: MAX_LENGTH }) ?? DEFAULT_LENGTH;
  const { types, space } = characterTypes(input);
  const required = (input.flag('RequireEachIncludedType') ?? true) ? types : [];
  const alphabet = types.join('') + space;
  if (required.includes('')) throw invalidParameter('All characters of the desired type have been excluded');
  if (alphabet === '') throw invalidParameter('All characters have been excluded from selection');
  if (required.length > length) {
    throw invalidParameter('Password length is too short based on the required types.');
  }
  return { RandomPassword: password(length, alphabet, required) };
};

/** The characters that each type which is not excluded has left; a space may be there, and never has to. */
function characterTypes(input: Input): { types: string[]; space: string } {
  const excluded = new Set(input.text('ExcludeCharacters', { max: 4096 }) ?? '');
  const included: [string, boolean | undefined][] = [
    [LOWERCASE, input.flag('ExcludeLowercase')],
    [UPPERCASE, input.flag('ExcludeUppercase')],
    [NUMBERS, input.flag('ExcludeNumbers')],
    [PUNCTUATION, input.flag('ExcludePunctuation')],
  ];
  const types = included
    .filter(([, isExcluded]) => !isExcluded)
    .map(([characters]) => [...characters].filter((character) => !excluded.has(character)).join(''));
  const space = input.flag('IncludeSpace') && !excluded.has(' ') ? ' ' : '';
  return { types, space };
}

function password(length: number, alphabet: string, required: readonly string[]): string {
  const characters = required.map(pick);
  while (characters.length < length) characters.push(pick(alphabet));
  for (let last = characters.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    const moved = characters[last] ?? '';
    characters[last] = characters[other] ?? '';
    characters[other] = moved;
  }
  return characters.join('');
}

const pick = (characters: string) => characters.charAt(randomInt(characters.length));
