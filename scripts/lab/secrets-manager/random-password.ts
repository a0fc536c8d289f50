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
  const types = characterTypes(input);
  const required = (input.flag('RequireEachIncludedType') ?? true) ? types : [];
  if (types.join('') === '') throw invalidParameter('No characters are left that the password could be made of.');
  if (required.includes('')) {
    throw invalidParameter('ExcludeCharacters leaves no character of a type that the password must have.');
  }
  if (required.length > length) {
    throw invalidParameter('Password length is too short based on the required types.');
  }
  return { RandomPassword: password(length, types, required) };
};

/** The characters that each type which is not excluded has left. */
function characterTypes(input: Input): string[] {
  const excluded = new Set(input.text('ExcludeCharacters', { max: 4096 }) ?? '');
  const included: [string, boolean | undefined][] = [
    [LOWERCASE, input.flag('ExcludeLowercase')],
    [UPPERCASE, input.flag('ExcludeUppercase')],
    [NUMBERS, input.flag('ExcludeNumbers')],
    [PUNCTUATION, input.flag('ExcludePunctuation')],
    [' ', !input.flag('IncludeSpace')],
  ];
  return included
    .filter(([, isExcluded]) => !isExcluded)
    .map(([characters]) => [...characters].filter((character) => !excluded.has(character)).join(''));
}

function password(length: number, types: readonly string[], required: readonly string[]): string {
  const alphabet = types.join('');
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
