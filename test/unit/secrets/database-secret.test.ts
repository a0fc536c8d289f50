import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RotationError } from '../../../shared/rotation/errors.ts';
import { parseDatabaseSecret } from '../../../shared/secrets/database-secret.ts';
import { Password } from '../../../shared/secrets/password.ts';

const MARK = 'quoted-nowhere';
const FULL = {
  engine: 'postgres',
  host: 'db.example.com',
  port: 5433,
  username: 'app',
  password: `p-${MARK}`,
  dbname: 'shop',
  ssl: true,
  masterarn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:admin-AbCdEf',
};
const MINIMAL = { engine: 'postgres', host: 'db.example.com', username: 'app', password: 'p' };

const parse = (value: unknown) => parseDatabaseSecret(JSON.stringify(value));

function refusal(text: string | undefined): RotationError {
  try {
    parseDatabaseSecret(text);
  } catch (error) {
    if (error instanceof RotationError) return error;
    throw error;
  }
  throw new Error('The secret should have been refused.');
}

describe('a secret', () => {
  it("is read with all of AWS's keys", () => {
    const { password, withCredentials, ...rest } = parse(FULL);
    expect(password.reveal()).toBe(FULL.password);
    expect(withCredentials).toBeTypeOf('function');
    expect(rest).toEqual({
      engine: 'postgres',
      host: 'db.example.com',
      port: 5433,
      username: 'app',
      dbname: 'shop',
      ssl: true,
      superuserSecretArn: FULL.masterarn,
    });
  });

  it("has AWS's defaults for what it leaves out", () => {
    expect(parse(MINIMAL)).toMatchObject({
      port: 5432,
      dbname: 'postgres',
      ssl: undefined,
      superuserSecretArn: undefined,
    });
  });

  it.each<[string, object, object]>([
    ['Aurora', { engine: 'aurora-postgresql' }, { engine: 'aurora-postgresql' }],
    ['an empty masterarn', { masterarn: '' }, { superuserSecretArn: undefined }],
    ['a masterarn of null', { masterarn: null }, { superuserSecretArn: undefined }],
    ['a port in digits', { port: '6543' }, { port: 6543 }],
    ['the lowest port', { port: 1 }, { port: 1 }],
    ['the highest port', { port: '65535' }, { port: 65_535 }],
    ['ssl in words', { ssl: 'true' }, { ssl: true }],
    ['ssl in words of any case', { ssl: 'False' }, { ssl: false }],
    ['ssl off', { ssl: false }, { ssl: false }],
    ['an IPv4 address', { host: '10.0.0.7' }, { host: '10.0.0.7' }],
    ['an IPv6 address', { host: 'fd00::7' }, { host: 'fd00::7' }],
    ['an IPv6 address with a scope', { host: 'fe80::1%eth0' }, { host: 'fe80::1%eth0' }],
    ['a name with underscores and capitals', { host: 'My_DB-1.internal' }, { host: 'My_DB-1.internal' }],
    ['a fully qualified name', { host: 'db.example.com.' }, { host: 'db.example.com.' }],
    ['a user of 63 bytes', { username: `x${'ü'.repeat(31)}` }, { username: `x${'ü'.repeat(31)}` }],
    ['a user with everything that needs quoting', { username: `a"b'c %s 100%%` }, { username: `a"b'c %s 100%%` }],
    [
      'a database that looks like a connection string',
      { dbname: 'hostaddr=127.0.0.2 dbname=x' },
      { dbname: 'hostaddr=127.0.0.2 dbname=x' },
    ],
    ['keys that we do not know', { note: null, tags: [1] }, {}],
  ])('may have %s', (_, members, expected) => {
    expect(parse({ ...MINIMAL, ...members })).toMatchObject(expected);
  });

  it('keeps a password with quotes, backslashes and any script as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (password) => {
        fc.pre(!password.includes('\0'));
        expect(parse({ ...MINIMAL, password }).password.reveal()).toBe(password);
      }),
    );
  });

  it('never shows its password by itself', () => {
    expect(JSON.stringify(parse(FULL))).not.toContain(MARK);
  });

  it('is written with a new user and password and everything else byte for byte as it was', () => {
    const text =
      '{ "engine":"postgres", "id": 12345678901234567890,\n"username":"app","password":"p","host":"h", "f":1.0}';
    expect(parseDatabaseSecret(text).withCredentials('app_clone', new Password('q"\\'))).toBe(
      '{ "engine":"postgres", "id": 12345678901234567890,\n"username":"app_clone","password":"q\\"\\\\","host":"h", "f":1.0}',
    );
  });
});

describe('a malformed secret is one typed error', () => {
  it.each<[string, string, string | undefined]>([
    ['SecretBinary', 'SecretString', undefined],
    ['nothing', 'SecretString', ''],
    ['text that is not JSON', 'SecretString', MARK],
    ['JSON that is cut short', 'SecretString', `{"password":"${MARK}`],
    ['a JSON number', 'SecretString', '42'],
    ['a JSON string', 'SecretString', JSON.stringify(MARK)],
    ['null', 'SecretString', 'null'],
    ['an array', 'SecretString', `["${MARK}"]`],
    ['two objects', 'SecretString', '{}{}'],
    ['a byte order mark', 'SecretString', `\ufeff${JSON.stringify(FULL)}`],
  ])('for %s, naming %s', (_, key, text) => {
    expectMalformed(text, key);
  });

  const absent = Symbol('absent');
  it.each<[string, unknown]>([
    ['engine', absent],
    ['engine', null],
    ['engine', `mysql-${MARK}`],
    ['engine', 'Postgres'],
    ['engine', 'toString'],
    ['engine', 7],
    ['host', absent],
    ['host', null],
    ['host', ''],
    ['host', 5],
    ['host', ['a', 'b']],
    ['host', `a,${MARK}`],
    ['host', `/var/run/${MARK}`],
    ['host', `host=${MARK}`],
    ['host', `${MARK}:5432`],
    ['host', `postgres://${MARK}`],
    ['host', `-${MARK}`],
    ['host', ` ${MARK}`],
    ['host', `${MARK}\n`],
    ['host', `${MARK}\0`],
    ['host', '@abstract'],
    ['host', '[::1]'],
    ['port', null],
    ['port', 'abc'],
    ['port', MARK],
    ['port', ''],
    ['port', ' 5432'],
    ['port', '5432\n'],
    ['port', '+5432'],
    ['port', '5432.0'],
    ['port', '0x1538'],
    ['port', 0],
    ['port', '0'],
    ['port', -1],
    ['port', 65_536],
    ['port', '99999'],
    ['port', 5432.5],
    ['port', true],
    ['port', [5432]],
    ['port', {}],
    ['username', absent],
    ['username', null],
    ['username', ''],
    ['username', 7],
    ['username', { name: MARK }],
    ['username', `${MARK}\0`],
    ['username', 'ü'.repeat(32)],
    ['username', 'a\ud800'],
    ['password', absent],
    ['password', null],
    ['password', ''],
    ['password', 12_345_678],
    ['password', [MARK]],
    ['password', `${MARK}\0`],
    ['password', `${MARK}\udc00`],
    ['dbname', null],
    ['dbname', ''],
    ['dbname', 5],
    ['dbname', `${MARK}\0`],
    ['ssl', null],
    ['ssl', 'requires'],
    ['ssl', MARK],
    ['ssl', ''],
    ['ssl', 1],
    ['ssl', 'yes'],
    ['ssl', {}],
    ['masterarn', 7],
  ])('naming %s where it is %o', (key, value) => {
    const { [key]: _, ...others } = { ...FULL } as Record<string, unknown>;
    expectMalformed(JSON.stringify(value === absent ? others : { ...others, [key]: value }), key);
  });

  it.each(['Engine', 'HOST', 'userName'])('where a key is written otherwise: %s', (wrong) => {
    const key = wrong.toLowerCase();
    const members = Object.entries(MINIMAL).map(([name, value]) => [name === key ? wrong : name, value]);
    expectMalformed(JSON.stringify(Object.fromEntries(members)), key);
  });

  it('where __proto__ seems to bring a key along', () => {
    expectMalformed(`{"__proto__":{"password":"${MARK}"},"engine":"postgres","host":"h","username":"u"}`, 'password');
  });

  it('for anything at all that is not a secret, and never another error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((value) => JSON.stringify({ ...FULL, engine: value, host: value })),
        ),
        (text) => {
          expect(refusal(text).code).toBe('SECRET_MALFORMED');
        },
      ),
    );
  });
});

function expectMalformed(text: string | undefined, key: string): void {
  const error = refusal(text);
  expect(error).toMatchObject({ code: 'SECRET_MALFORMED', facts: { key } });
  expect(error.message).toContain(key);
  expect(error.cause).toBeUndefined();
  expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(MARK);
}
