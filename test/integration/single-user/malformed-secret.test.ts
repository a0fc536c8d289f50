import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { accepted } from '../../support/login-proof.ts';
import { SilentServer } from '../../support/network.ts';
import { countLogins, sharedServer } from '../../support/postgres.ts';
import { membersFor, TestAccount } from '../../support/test-account.ts';

const SINGLE_USER = { strategy: 'single-user' } as const;
const MARK = 'quoted-in-no-output';

let account: TestAccount;
let database: SilentServer;
beforeAll(async () => {
  account = await TestAccount.open();
  database = await SilentServer.start();
});
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const good = () => membersFor(database, { name: 'app', password: `${MARK}-password`, database: 'shop' });

describe('a malformed secret fails the first step with the key that is wrong, and nothing is changed', () => {
  test.each<[string, string, string | Uint8Array]>([
    ['SecretBinary', 'SecretString', Buffer.from(MARK)],
    ['text that is not JSON', 'SecretString', MARK],
    ['a JSON number', 'SecretString', '42'],
    ['a JSON array', 'SecretString', `["${MARK}"]`],
    ['an empty object', 'engine', '{}'],
  ])('%s', async (_, key, value) => {
    await expectRefused(value, key);
  });

  test.each<[string, unknown]>([
    ['engine', undefined],
    ['engine', `mysql-${MARK}`],
    ['host', undefined],
    ['host', ['a', MARK]],
    ['host', `/var/run/${MARK}`],
    ['username', undefined],
    ['username', 7],
    ['username', 'x'.repeat(64)],
    ['password', undefined],
    ['password', null],
    ['port', 'abc'],
    ['port', 70_000],
    ['host', `${MARK}:5432`],
    ['host', '10.0.0.5:5432'],
    ['sslhostname', `*.${MARK}`],
    ['ssl', 'requires'],
    ['ssl', MARK],
  ])('%s = %o', async (key, value) => {
    await expectRefused(JSON.stringify({ ...good(), [key]: value }), key);
  });
});

async function expectRefused(value: string | Uint8Array, key: string): Promise<void> {
  const secret = await account.store(SINGLE_USER, value);
  const before = await secret.labels();

  const { outcome, steps, token } = await secret.rotate();

  expect(outcome).toBe('failed');
  expect(steps).toMatchObject([{ step: 'createSecret', error_code: 'SECRET_MALFORMED', key, credential: 'current' }]);
  // The second read is of the pending version: had it a value, the remedy would begin with giving the rotation up.
  const calls = secret.calls.map(({ operation, status }) => [operation, status]);
  expect(calls.sort()).toEqual([
    ['DescribeSecret', 200],
    ['GetSecretValue', 200],
    ['GetSecretValue', 400],
  ]);
  expect(await secret.labels()).toEqual({ ...before, AWSPENDING: token });
  expect(database.connections).toBe(0);
  expect(account.output.contains(MARK)).toBe(false);
}

test('a pending version that was spoilt by hand is refused before any login', async () => {
  const server = await sharedServer();
  await using here = await arrange(account, server, SINGLE_USER);
  const { role, secret } = here;
  const token = await secret.begin();
  await secret.put({ port: 'abc' }, ['AWSPENDING'], token);
  const logins = await countLogins(server);

  for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const)
    expect(await secret.step(step, token)).toMatchObject({
      error_code: 'SECRET_MALFORMED',
      key: 'port',
      credential: 'pending',
    });

  expect(await logins(role.name)).toEqual({ accepted: 0, failed: 0 });
  expect(await accepted(server, role, [role.password])).toEqual([true]);
});

test('a database name that looks like a connection string sends the password nowhere else', async () => {
  const server = await sharedServer();
  const dbname = `host=${database.host} port=${database.port} dbname=postgres`;
  await using here = await arrange(account, server, SINGLE_USER, { members: { dbname } });

  const { steps } = await here.secret.rotate();

  expect(steps).toMatchObject([{ step: 'createSecret', error_code: 'DATABASE_NOT_FOUND' }]);
  expect(database.connections).toBe(0);
});
