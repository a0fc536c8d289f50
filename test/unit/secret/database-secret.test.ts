import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RotationError } from '../../../shared/errors.ts';
import { isSameServer, parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { Password } from '../../../shared/secret/password.ts';

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
    const { password, withCredentials, rest: members, ...rest } = parse(FULL);
    expect(password.reveal()).toBe(FULL.password);
    expect(withCredentials).toBeTypeOf('function');
    const { username: _, password: __, ...others } = FULL;
    expect(members()).toEqual(others);
    expect(rest).toEqual({
      engine: 'postgres',
      host: 'db.example.com',
      port: 5433,
      username: 'app',
      dbname: 'shop',
      ssl: true,
      sslHostname: undefined,
      superuserSecretArn: FULL.masterarn,
      misspelt: [],
    });
  });

  it.each<[string, object, object]>([
    [
      'of an attachment by CloudFormation',
      { dbInstanceIdentifier: 'shop', port: 5432, dbname: 'shop' },
      { port: 5432, dbname: 'shop' },
    ],
    ["of RDS's console, for a cluster", { dbClusterIdentifier: 'shop', port: 5432 }, { dbname: 'postgres' }],
    ['of a template that leaves out by null', { dbname: null, masterarn: null, ssl: null }, { dbname: 'postgres' }],
  ])('may have the keys %s', (_, members, expected) => {
    expect(parse({ ...MINIMAL, ...members })).toMatchObject({ ...expected, misspelt: [] });
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
    ['a masterarn of white space', { masterarn: ' \n' }, { superuserSecretArn: undefined }],
    ['white space around masterarn', { masterarn: ` ${FULL.masterarn}\n` }, { superuserSecretArn: FULL.masterarn }],
    ['a masterarn of null', { masterarn: null }, { superuserSecretArn: undefined }],
    ['a port of null', { port: null }, { port: 5432 }],
    ['a dbname of null', { dbname: null }, { dbname: 'postgres' }],
    ['an ssl of null', { ssl: null }, { ssl: undefined }],
    ['an sslhostname of null', { sslhostname: null }, { sslHostname: undefined }],
    ["a name in the server's certificate", { sslhostname: 'db.abc.example' }, { sslHostname: 'db.abc.example' }],
    ["an address in the server's certificate", { sslhostname: 'fd00::7' }, { sslHostname: 'fd00::7' }],
    ['a port in digits', { port: '6543' }, { port: 6543 }],
    ['the lowest port', { port: 1 }, { port: 1 }],
    ['the highest port', { port: '65535' }, { port: 65_535 }],
    ['ssl in words', { ssl: 'true' }, { ssl: true }],
    ['ssl in words of any case', { ssl: 'False' }, { ssl: false }],
    ['ssl off', { ssl: false }, { ssl: false }],
    ['an IPv4 address', { host: '10.0.0.7' }, { host: '10.0.0.7' }],
    ['an IPv6 address', { host: 'fd00::7' }, { host: 'fd00::7' }],
    ['the shortest IPv6 address', { host: '::1' }, { host: '::1' }],
    ['an IPv6 address whose end looks like a port', { host: '::1:5432' }, { host: '::1:5432' }],
    ['an IPv4 address in IPv6', { host: '::ffff:10.0.0.7' }, { host: '::ffff:10.0.0.7' }],
    ['an IPv6 address with a scope of any name', { host: 'fe80::1%br_0.7' }, { host: 'fe80::1%br_0.7' }],
    ['a name in another script', { host: 'bücher.example' }, { host: 'bücher.example' }],
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

  it('has a host that is one name or address, whatever is written into it', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aF05.:-_%[]/,@= '), minLength: 1 });
    fc.assert(
      fc.property(text, fc.ipV6(), fc.nat(70_000), (text, address, port) => {
        expect(parse({ ...MINIMAL, host: address }).host).toBe(address);
        for (const host of [text, `${text}:${port}`, `a.${text}`, `${text}%${text}`]) {
          if (isAccepted({ ...MINIMAL, host })) expect(host).toMatch(/^(?:[aF05][\w.-]*|[\daF:.]+(?:%[\w.-]+)?)$/);
          if (isAccepted({ ...MINIMAL, host: `${host}.example:${port}` })) expect.unreachable('That was a port.');
        }
      }),
    );
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

function isAccepted(value: object): boolean {
  try {
    parse(value);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'SECRET_MALFORMED', facts: { key: 'host' } });
    return false;
  }
}

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
    ['host', ':'],
    ['host', ':5432'],
    ['host', '1:2'],
    ['host', 'fe80::1%'],
    ['host', 'fe80::1%eth0%eth1'],
    ['host', `${MARK}::5432`],
    ['host', `fe80::1%${MARK}/`],
    ['host', `${MARK} ${MARK}`],
    ['host', `${MARK}:5432,${MARK}:5433`],
    ['host', `${MARK}:5432/shop`],
    ['sslhostname', ''],
    ['sslhostname', 7],
    ['sslhostname', `*.${MARK}`],
    ['sslhostname', `${MARK},${MARK}`],
    ['sslhostname', `/${MARK}`],
    ['sslhostname', ` ${MARK}`],
    ['sslhostname', `${MARK}:5432`],
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
    ['dbname', ''],
    ['dbname', 5],
    ['dbname', `${MARK}\0`],
    ['ssl', 'requires'],
    ['ssl', MARK],
    ['ssl', ''],
    ['ssl', 1],
    ['ssl', 'yes'],
    ['ssl', {}],
    ['masterarn', 7],
    ['masterarn', `${MARK}\0`],
  ])('naming %s where it is %o', (key, value) => {
    const { [key]: _, ...others } = { ...FULL } as Record<string, unknown>;
    expectMalformed(JSON.stringify(value === absent ? others : { ...others, [key]: value }), key);
  });

  it.each([
    'db.example.com:5432',
    'db.example.com.:5432',
    'db:5432',
    'localhost:5432',
    '10.0.0.5:5432',
    '[::1]:5432',
    '[::1]',
    '[fd00::7]:5432',
    'fd00:1:2:3:4:5:6:7:5432',
    'fe80::1%eth0:5432',
    'db.example.com:',
  ])('where the host has a port in it, which belongs elsewhere: %s', (host) => {
    const text = JSON.stringify({ ...MINIMAL, host });
    expectMalformed(text, 'host');
    expect(refusal(text).message).toMatch(/port.* belongs in "port"/);
    expect(refusal(text).message).not.toContain(host);
  });

  it.each([
    ' db.example.com',
    'db.example.com\n',
    '\tdb.example.com',
    '\u00a0db',
  ])('where white space is around the host, in words: %j', (host) => {
    const text = JSON.stringify({ ...MINIMAL, host });
    expectMalformed(text, 'host');
    expect(refusal(text).message).toContain('found white space before or after it');
  });

  it.each([
    'Engine',
    'HOST',
    'userName',
    'Password',
  ])('where a key is written otherwise, pointing it out: %s', (wrong) => {
    const key = wrong.toLowerCase();
    const members = Object.entries(MINIMAL).map(([name, value]) => [name === key ? wrong : name, value]);
    const text = JSON.stringify(Object.fromEntries(members));
    expectMalformed(text, key);
    expect(refusal(text).message).toContain(`found "${wrong}" (keys are case-sensitive)`);
    const asNull = JSON.stringify({ ...Object.fromEntries(members), [key]: null });
    expect(refusal(asNull).message).toContain(`found "${wrong}" (keys are case-sensitive)`);
  });

  it('and says what is wrong with a key itself where another is only written like it', () => {
    expect(refusal(JSON.stringify({ ...MINIMAL, host: 7, Host: 'h' })).message).toContain('found a number');
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

describe('an optional key in another case', () => {
  it.each<[string, object, readonly string[]]>([
    ['has no effect, and is told', { SSL: false, dbName: 'shop', Port: 1 }, ['Port', 'dbName', 'SSL']],
    ['is told where the right one is null', { ssl: null, Ssl: 'false' }, ['Ssl']],
    ['is told, ours too', { sslHostName: 'h', masterArn: 'arn' }, ['masterArn', 'sslHostName']],
    ['is passed over where the right one is there', { ssl: true, SSL: false }, []],
    ['is not one that only resembles it', { ssl_mode: 'off', dbInstanceIdentifier: 'db', ports: [1] }, []],
  ])('%s', (_, members, misspelt) => {
    expect(parse({ ...MINIMAL, ...members }).misspelt).toEqual(misspelt);
  });

  it('leaves the defaults as they are', () => {
    expect(parse({ ...MINIMAL, SSL: false, dbName: 'shop', Port: 1, MasterArn: 'arn' })).toMatchObject({
      ssl: undefined,
      dbname: 'postgres',
      port: 5432,
      superuserSecretArn: undefined,
    });
  });
});

describe('two secrets are for one server', () => {
  it.each<[boolean, object, object]>([
    [true, { host: 'db.example.com' }, { host: 'DB.Example.com' }],
    [true, { host: 'db.example.com' }, { host: 'db.example.com.' }],
    [true, { port: 5432 }, {}],
    [true, { sslhostname: 'a' }, { sslhostname: 'b' }],
    [false, { host: 'db.example.com' }, { host: 'db.example.co' }],
    [false, { host: 'db.example.com' }, { host: 'db.example.com.evil.example' }],
    [false, { port: 5433 }, {}],
  ])('%s: %o, %o', (same, a, b) => {
    expect(isSameServer(parse({ ...MINIMAL, ...a }), parse({ ...MINIMAL, ...b }))).toBe(same);
  });
});

function expectMalformed(text: string | undefined, key: string): void {
  const error = refusal(text);
  expect(error).toMatchObject({ code: 'SECRET_MALFORMED', facts: { key } });
  expect(error.message).toContain(key);
  expect(error.cause).toBeUndefined();
  expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(MARK);
}
