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
  const length = input.integer('PasswordLength') ?? DEFAULT_LENGTH;
  if (length < 1 || length > MAX_LENGTH) {
    throw invalidParameter(`PasswordLength must be between 1 and ${MAX_LENGTH}, found ${length}.`);
  }
  const types = characterTypes(input);
  if (types.length === 0) throw invalidParameter('At least one character type must be left to choose from.');
  const required = (input.flag('RequireEachIncludedType') ?? true) ? types : [];
  if (required.length > length) {
    throw invalidParameter('PasswordLength must be at least the number of character types that are required.');
  }
  return { RandomPassword: password(length, types, required) };
};

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
    .map(([characters]) => [...characters].filter((character) => !excluded.has(character)).join(''))
    .filter((characters) => characters !== '');
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
