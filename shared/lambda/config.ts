import type { ServiceOptions } from '../aws/secret-store.ts';
import type { DatabaseSettings } from '../database/settings.ts';
import type { CaFile } from '../database/tls.ts';
import { RotationError } from '../errors.ts';
import type { StrategyName } from '../rotation/strategy.ts';
import { OWN_KEYS } from '../secret/database-secret.ts';
import {
  AWS_EXCLUDED,
  DEFAULT_POLICY,
  LOWERCASE,
  NUMBERS,
  type PasswordPolicy,
  PUNCTUATION,
  UPPERCASE,
} from '../secret/password-policy.ts';

/** A rotation function's settings, read from its environment once. The README lists the variables. */
export interface Config extends DatabaseSettings, ServiceOptions {
  readonly passwordPolicy: PasswordPolicy;
  /** The secret's keys whose copies of the login are rewritten with it. */
  readonly connectionStringKeys: readonly string[];
  /** Whether setSecret moves AWSCURRENT itself (single user). */
  readonly promoteEarly: boolean;
  /** Files of trusted CA certificates besides Node's own. */
  readonly caFiles: readonly CaFile[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Amazon's RDS roots, which Lambda's Node does not trust unless told (AWS Lambda developer guide). */
const LAMBDA_CA_FILE = '/var/runtime/ca-cert.pem';

/**
 * Of one API call. While a whole fleet is throttled, these are waited out within an invocation of 30 s (some 16 s of
 * pauses on average), where fewer would have the service begin the rotation again (BENCHMARKS.md, fleet).
 */
const MAX_ATTEMPTS = 7;

/**
 * @param environment process.env unless given.
 * @param strategy of the function whose settings they are; 'single-user' unless given, which has them all.
 * @throws RotationError INVALID_ENVIRONMENT, naming the variable.
 */
export function readConfig(environment: Environment = process.env, strategy: StrategyName = 'single-user'): Config {
  const caFile = environment.DB_CA_FILE;
  return Object.freeze({
    secretsManagerEndpoint: readUrl(environment, 'SECRETS_MANAGER_ENDPOINT'),
    maxAttempts: readInteger(environment, 'AWS_MAX_ATTEMPTS', MAX_ATTEMPTS, 1, 100),
    passwordPolicy: readPasswordPolicy(environment),
    connectionStringKeys: readConnectionStringKeys(environment),
    passwordHashing: readChoice(environment, 'PASSWORD_HASHING', ['client', 'server']),
    tlsFallback: readChoice(environment, 'TLS_FALLBACK', ['deny', 'allow']) === 'allow',
    allowPooler: readBoolean(environment, 'ALLOW_POOLER', false),
    alternatingSetRole: readBoolean(environment, 'ALTERNATING_SET_ROLE', true),
    promoteEarly: readPromotion(environment.PROMOTE, strategy),
    caFiles: [
      { path: LAMBDA_CA_FILE, optional: true },
      ...(caFile === undefined ? [] : [{ path: caFile, optional: false }]),
    ],
  });
}

/** Alternating users have no window to be shortened: who asks for that there has set it on the wrong function. */
function readPromotion(value: string | undefined, strategy: StrategyName): boolean {
  if (value === undefined) return false;
  if (value !== 'early') throw invalid('PROMOTE', 'early was needed, or none, found something else');
  if (strategy === 'single-user') return true;
  throw invalid('PROMOTE', `it is for the single-user function only, and this one's strategy is ${strategy}`);
}

/** AWS's rules as soon as any of AWS's variables is set, ours where none is. */
function readPasswordPolicy(environment: Environment): PasswordPolicy {
  const names = [
    'EXCLUDE_CHARACTERS',
    'PASSWORD_LENGTH',
    'EXCLUDE_NUMBERS',
    'EXCLUDE_PUNCTUATION',
    'EXCLUDE_UPPERCASE',
    'EXCLUDE_LOWERCASE',
    'REQUIRE_EACH_INCLUDED_TYPE',
  ];
  if (names.every((name) => environment[name] === undefined)) return DEFAULT_POLICY;

  const excluded = environment.EXCLUDE_CHARACTERS ?? AWS_EXCLUDED;
  const types: readonly [variable: string, characters: string][] = [
    ['EXCLUDE_UPPERCASE', UPPERCASE],
    ['EXCLUDE_LOWERCASE', LOWERCASE],
    ['EXCLUDE_NUMBERS', NUMBERS],
    ['EXCLUDE_PUNCTUATION', PUNCTUATION],
  ];
  const alphabets = types
    .filter(([variable]) => !readBoolean(environment, variable, false))
    .map(([, characters]) =>
      Array.from(characters)
        .filter((character) => !excluded.includes(character))
        .join(''),
    )
    .filter((characters) => characters !== '');
  if (alphabets.join('').length < 10) {
    throw invalid(
      'EXCLUDE_CHARACTERS',
      'at least 10 different characters were needed to make passwords of, fewer are left',
    );
  }
  return {
    length: readInteger(environment, 'PASSWORD_LENGTH', 32, 8, 4096),
    alphabets,
    requireEach: readBoolean(environment, 'REQUIRE_EACH_INCLUDED_TYPE', true),
  };
}

/** Comma-separated, white space around a key ignored. */
function readConnectionStringKeys(environment: Environment): readonly string[] {
  const value = environment.CONNECTION_STRING_KEYS ?? '';
  if (value.trim() === '') return [];
  const keys = [...new Set(value.split(',').map((key) => key.trim()))];
  if (keys.includes(''))
    throw invalid('CONNECTION_STRING_KEYS', 'keys separated by commas were needed, found an empty one');
  const own = keys.find((key) => OWN_KEYS.includes(key));
  if (own === undefined) return keys;
  throw invalid('CONNECTION_STRING_KEYS', `keys that hold copies of the login were needed, found "${own}"`);
}

function readBoolean(environment: Environment, name: string, byDefault: boolean): boolean {
  const value = environment[name];
  if (value === undefined) return byDefault;
  const word = value.toLowerCase();
  // The words for yes are those of AWS's functions, which take every other word for no.
  if (['true', '1', 'y', 'yes'].includes(word)) return true;
  if (['false', '0', 'n', 'no'].includes(word)) return false;
  throw invalid(name, 'true or false was needed, found something else');
}

function readInteger(environment: Environment, name: string, byDefault: number, min: number, max: number): number {
  const value = environment[name];
  if (value === undefined) return byDefault;
  const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) throw invalid(name, `a whole number from ${min} to ${max} was needed`);
  return number;
}

/** The first choice is the default. */
function readChoice<Choice extends string>(
  environment: Environment,
  name: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const value = environment[name];
  if (value === undefined) return choices[0];
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw invalid(name, `${choices.join(' or ')} was needed, found something else`);
  return choice;
}

function readUrl(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  if (value === undefined) return undefined;
  const protocol = URL.canParse(value) ? new URL(value).protocol : '';
  if (protocol !== 'https:' && protocol !== 'http:')
    throw invalid(name, 'an https:// URL was needed, found something else');
  return value;
}

function invalid(key: string, found: string): RotationError {
  return new RotationError('INVALID_ENVIRONMENT', `The function's environment can't be used: ${key}: ${found}.`, {
    remedy: `Correct the environment variable ${key} of the rotation function; nothing was changed anywhere.`,
    key,
  });
}
