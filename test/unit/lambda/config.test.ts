import { describe, expect, it } from 'vitest';
import { type Environment, readConfig } from '../../../shared/lambda/config.ts';
import { DEFAULT_POLICY, LOWERCASE, NUMBERS, PUNCTUATION, UPPERCASE } from '../../../shared/secret/password-policy.ts';

const policyOf = (environment: Environment) => readConfig(environment).passwordPolicy;
const alphabetOf = (environment: Environment) => policyOf(environment).alphabets.join('');

describe('an empty environment', () => {
  it('is enough', () => {
    expect(readConfig({})).toEqual({
      secretsManagerEndpoint: undefined,
      maxAttempts: 7,
      alternatingSetRole: true,
      allowPooler: false,
      passwordPolicy: DEFAULT_POLICY,
      connectionStringKeys: [],
      passwordHashing: 'client',
      tlsFallback: false,
      promoteEarly: false,
      caFiles: [{ path: '/var/runtime/ca-cert.pem', optional: true }],
    });
  });

  it('gives a configuration that nobody can change', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
});

describe('the environment', () => {
  it('names the endpoint of Secrets Manager', () => {
    for (const url of ['https://vpce-1.secretsmanager.eu-central-1.vpce.amazonaws.com', 'http://127.0.0.1:8080/'])
      expect(readConfig({ SECRETS_MANAGER_ENDPOINT: url }).secretsManagerEndpoint).toBe(url);
  });

  it("reads the SDK's own AWS_MAX_ATTEMPTS, which the SDK would take for none where it is no number", () => {
    expect(readConfig({ AWS_MAX_ATTEMPTS: '2' }).maxAttempts).toBe(2);
    expect(() => readConfig({ AWS_MAX_ATTEMPTS: 'many' })).toThrow('AWS_MAX_ATTEMPTS');
  });

  it('lists the keys whose copies of the login are rewritten', () => {
    const keysOf = (text: string) => readConfig({ CONNECTION_STRING_KEYS: text }).connectionStringKeys;
    expect(keysOf('DATABASE_URL, jdbcUrl,DATABASE_URL')).toEqual(['DATABASE_URL', 'jdbcUrl']);
    expect(keysOf('')).toEqual([]);
    for (const wrong of ['DATABASE_URL,', ',', 'password', 'DATABASE_URL,host'])
      expect(() => keysOf(wrong), wrong).toThrow('CONNECTION_STRING_KEYS');
  });

  it('chooses who hashes passwords', () => {
    expect(readConfig({ PASSWORD_HASHING: 'client' }).passwordHashing).toBe('client');
    expect(readConfig({ PASSWORD_HASHING: 'server' }).passwordHashing).toBe('server');
  });

  it('allows plain text where the server has no TLS only in so many words', () => {
    expect(readConfig({ TLS_FALLBACK: 'allow' }).tlsFallback).toBe(true);
    expect(readConfig({ TLS_FALLBACK: 'deny' }).tlsFallback).toBe(false);
  });

  it("keeps what AWS's clones do where ALTERNATING_SET_ROLE is off", () => {
    expect(readConfig({ ALTERNATING_SET_ROLE: 'false' }).alternatingSetRole).toBe(false);
    expect(readConfig({ ALTERNATING_SET_ROLE: 'true' }).alternatingSetRole).toBe(true);
    expect(readConfig({ ALLOW_POOLER: 'true' }).allowPooler).toBe(true);
    expect(() => readConfig({ ALTERNATING_SET_ROLE: 'off' })).toThrow('ALTERNATING_SET_ROLE');
  });

  it('moves AWSCURRENT early only in so many words, and only where a window would be shortened', () => {
    expect(readConfig({ PROMOTE: 'early' }).promoteEarly).toBe(true);
    expect(readConfig({ PROMOTE: 'early' }, 'single-user').promoteEarly).toBe(true);
    for (const wrong of ['', 'late', 'Early', 'true', ' early'])
      for (const strategy of ['single-user', 'alternating-users'] as const)
        expect(() => readConfig({ PROMOTE: wrong }, strategy), wrong).toThrow('PROMOTE: early was needed, or none');
    expect(() => readConfig({ PROMOTE: 'early' }, 'alternating-users')).toThrow(
      'PROMOTE: it is for the single-user function only',
    );
    expect(readConfig({}, 'alternating-users').promoteEarly).toBe(false);
  });

  it('names a file of CA certificates that has to be there', () => {
    expect(readConfig({ DB_CA_FILE: '/opt/ca.pem' }).caFiles).toContainEqual({ path: '/opt/ca.pem', optional: false });
  });
});

describe("as soon as one of AWS's password variables is set, AWS's rules apply", () => {
  const AWS_DEFAULT = UPPERCASE + LOWERCASE + NUMBERS + PUNCTUATION.replaceAll(/[:/@"'\\]/g, '');

  it.each([
    ['PASSWORD_LENGTH', '32'],
    ['EXCLUDE_CHARACTERS', ':/@"\'\\'],
    ['EXCLUDE_NUMBERS', 'false'],
    ['EXCLUDE_PUNCTUATION', 'false'],
    ['EXCLUDE_UPPERCASE', 'false'],
    ['EXCLUDE_LOWERCASE', 'false'],
    ['REQUIRE_EACH_INCLUDED_TYPE', 'true'],
  ])("with AWS's default of %s", (name, value) => {
    expect(alphabetOf({ [name]: value })).toBe(AWS_DEFAULT);
    expect(policyOf({ [name]: value })).toMatchObject({ length: 32, requireEach: true });
  });

  it('with all 32 punctuation characters where none is excluded', () => {
    expect(alphabetOf({ EXCLUDE_CHARACTERS: '' })).toBe(UPPERCASE + LOWERCASE + NUMBERS + PUNCTUATION);
    expect(new Set(PUNCTUATION).size).toBe(32);
  });

  it.each([
    ['EXCLUDE_UPPERCASE', UPPERCASE],
    ['EXCLUDE_LOWERCASE', LOWERCASE],
    ['EXCLUDE_NUMBERS', NUMBERS],
    ['EXCLUDE_PUNCTUATION', PUNCTUATION.replaceAll(/[:/@"'\\]/g, '')],
  ])('without what %s excludes', (name, excluded) => {
    for (const yes of ['true', 'TRUE', 'True', '1', 'y', 'yes', 'Yes'])
      expect(alphabetOf({ [name]: yes })).toBe(AWS_DEFAULT.replace(excluded, ''));
    for (const no of ['false', 'False', '0', 'n', 'no']) expect(alphabetOf({ [name]: no })).toBe(AWS_DEFAULT);
  });

  it('without each of EXCLUDE_CHARACTERS, of any kind', () => {
    expect(alphabetOf({ EXCLUDE_CHARACTERS: 'aZ0~' })).toBe(
      (UPPERCASE + LOWERCASE + NUMBERS + PUNCTUATION).replaceAll(/[aZ0~]/g, ''),
    );
  });

  it('and a kind that EXCLUDE_CHARACTERS leaves nothing of is not required', () => {
    const policy = policyOf({ EXCLUDE_CHARACTERS: NUMBERS });
    expect(policy.alphabets).toEqual([UPPERCASE, LOWERCASE, PUNCTUATION]);
    expect(policy.alphabets).not.toContain('');
  });

  it('with any length from 8 to 4096', () => {
    expect(policyOf({ PASSWORD_LENGTH: '8' }).length).toBe(8);
    expect(policyOf({ PASSWORD_LENGTH: '4096' }).length).toBe(4096);
  });

  it('without the need for every kind where that is turned off', () => {
    expect(policyOf({ REQUIRE_EACH_INCLUDED_TYPE: 'false' }).requireEach).toBe(false);
  });
});

describe("a value that can't be read is an error that names its variable", () => {
  const ALL_KINDS = { EXCLUDE_UPPERCASE: 'true', EXCLUDE_LOWERCASE: 'true', EXCLUDE_PUNCTUATION: 'true' };

  it.each<[string, Environment]>([
    ['SECRETS_MANAGER_ENDPOINT', { SECRETS_MANAGER_ENDPOINT: '' }],
    ['SECRETS_MANAGER_ENDPOINT', { SECRETS_MANAGER_ENDPOINT: 'secretsmanager.eu-central-1.amazonaws.com' }],
    ['SECRETS_MANAGER_ENDPOINT', { SECRETS_MANAGER_ENDPOINT: 'ftp://example.com' }],
    ['PASSWORD_HASHING', { PASSWORD_HASHING: 'Client' }],
    ['PASSWORD_HASHING', { PASSWORD_HASHING: '' }],
    ['PASSWORD_HASHING', { PASSWORD_HASHING: 'md5' }],
    ['TLS_FALLBACK', { TLS_FALLBACK: 'true' }],
    ['TLS_FALLBACK', { TLS_FALLBACK: '' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: 'long' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: '' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: '7' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: '4097' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: '32.5' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: '-32' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: ' 32' }],
    ['PASSWORD_LENGTH', { PASSWORD_LENGTH: '1e2' }],
    ['EXCLUDE_NUMBERS', { EXCLUDE_NUMBERS: 'on' }],
    ['EXCLUDE_PUNCTUATION', { EXCLUDE_PUNCTUATION: '' }],
    ['EXCLUDE_UPPERCASE', { EXCLUDE_UPPERCASE: 'tru' }],
    ['EXCLUDE_LOWERCASE', { EXCLUDE_LOWERCASE: ' true' }],
    ['REQUIRE_EACH_INCLUDED_TYPE', { REQUIRE_EACH_INCLUDED_TYPE: 'none' }],
    ['EXCLUDE_CHARACTERS', { ...ALL_KINDS, EXCLUDE_CHARACTERS: '0' }],
    ['EXCLUDE_CHARACTERS', { ...ALL_KINDS, EXCLUDE_NUMBERS: 'true' }],
  ])('%s in %o', (key, environment) => {
    expect(() => readConfig(environment)).toThrow(
      expect.objectContaining({ code: 'INVALID_ENVIRONMENT', facts: expect.objectContaining({ key }) }),
    );
  });

  it('and never quotes the value', () => {
    for (const name of ['SECRETS_MANAGER_ENDPOINT', 'PASSWORD_HASHING', 'PASSWORD_LENGTH', 'EXCLUDE_NUMBERS'])
      expect(() => readConfig({ [name]: 'quoted-nowhere' })).toThrow(expect.not.stringContaining('quoted-nowhere'));
  });
});
