import { inspect } from 'node:util';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type RotatingPoolOptions, rotatingPool } from '../../../client/index.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { labLogin } from '../../support/login-clients.ts';
import { closedPort, SilentServer } from '../../support/network.ts';
import { sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterEach(() => account.lab.faults.clear());
afterAll(() => account[Symbol.asyncDispose]());

/** A role with its secret, and a pool that is ended with them. */
async function pooled(options: RotatingPoolOptions & { readonly timeoutMillis?: number } = {}) {
  const { timeoutMillis, ...poolOptions } = options;
  const here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
  const login = labLogin(account.lab, here.secret.arn, timeoutMillis === undefined ? {} : { timeoutMillis });
  const pool = rotatingPool(login, poolOptions);
  return {
    here,
    login,
    pool,
    [Symbol.asyncDispose]: async () => {
      if (!pool.ended) await pool.end().catch(() => {});
      await here[Symbol.asyncDispose]();
    },
  };
}

/** Makes every password that the secret's versions hold a wrong one. */
async function changeByHand({ server, role }: Arrangement): Promise<void> {
  await server.query(`ALTER ROLE "${role.name}" PASSWORD 'set-by-hand-and-told-to-nobody'`);
}

const calls = (secretArn: string) =>
  account.lab.requests
    .all()
    .filter(({ secretId, userAgent }) => secretId === secretArn && !userAgent?.includes('exec-env/AWS_Lambda'))
    .filter(({ operation }) => operation === 'GetSecretValue')
    .map(({ versionStage }) => versionStage);

test('queries, transactions and callbacks are what they are with pg, before and after a rotation', async () => {
  await using own = await pooled({ max: 2 });
  const { pool, here } = own;
  for (const sum of [3, 5]) {
    expect((await pool.query('SELECT $1::int + 2 AS sum', [sum - 2])).rows).toEqual([{ sum }]);
    const byCallback = await new Promise((resolve, reject) => {
      pool.query('SELECT $1::int AS n', [sum], (error, result) => (error ? reject(error) : resolve(result.rows)));
    });
    expect(byCallback).toEqual([{ n: sum }]);

    const session = await new Promise<pg.PoolClient>((resolve, reject) => {
      pool.connect((error, client, done) => {
        expect(done).toBe(client?.release);
        if (client === undefined) reject(error);
        else resolve(client);
      });
    });
    await session.query('BEGIN');
    await session.query('CREATE TEMPORARY TABLE rolled_back (id int)');
    await session.query('ROLLBACK');
    await expect(session.query('SELECT FROM rolled_back')).rejects.toMatchObject({ code: '42P01' });
    session.release();
    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  }
  await expect(pool.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
  expect(pool).toMatchObject({ totalCount: expect.any(Number), waitingCount: 0, ending: false });
});

test('the database of an option takes the place of that of the secret, and what the secret says is no option', async () => {
  await using own = await pooled({ database: 'template1' });
  const { pool, login } = own;
  expect((await pool.query('SELECT current_database() AS name')).rows).toEqual([{ name: 'template1' }]);
  for (const option of [{ user: 'x' }, { password: 'x' }, { connectionString: 'postgres://x' }, { ssl: false }]) {
    expect(() => rotatingPool(login, option as RotatingPoolOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  }
});

test('no other version opens a session in a database that AWSCURRENT alone names, nor in one that an option names', async () => {
  await using own = await pooled({ connectionTimeoutMillis: 500 });
  const { pool, login, here } = own;
  await here.secret.put({ password: 'anything', dbname: await here.scope.createDatabase() });
  await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  const withDatabase = rotatingPool(login, { database: 'postgres', connectionTimeoutMillis: 500 });
  await expect(withDatabase.query('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  await withDatabase.end();
});

test('sessions in use and idle are kept, and free ones need no Secrets Manager', async () => {
  await using own = await pooled({ max: 2 });
  const { pool, here } = own;
  const pid = async () => (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  const before = await pid();
  await here.secret.rotate();
  account.lab.faults.fail({ secret: here.secret.arn, times: 100 });
  expect(await pid()).toBe(before);
});

test('a storm of refused logins makes one look', async () => {
  await using own = await pooled({ max: 40, connectionTimeoutMillis: 20_000 });
  const { pool, here, login } = own;
  await pool.query('SELECT 1');
  const token = await here.secret.begin();
  await here.secret.stepsUntil('setSecret', token);
  const before = calls(here.secret.arn).length;
  const refused: string[] = [];
  login.on('refused', ({ versionId }) => refused.push(versionId));

  const sessions = await Promise.all(Array.from({ length: 40 }, () => pool.connect()));
  // One was idle; the others had to log in.
  expect(sessions).toHaveLength(40);
  expect(refused.length).toBeGreaterThan(10);
  expect(calls(here.secret.arn).slice(before)).toEqual(['AWSCURRENT', 'AWSPENDING']);
  for (const session of sessions) session.release();
  await here.secret.step('testSecret', token);
  await here.secret.step('finishSecret', token);
}, 60_000);

test('no password is in an error, in what inspect() shows, or in JSON', async () => {
  await using own = await pooled();
  const { pool, here, login } = own;
  await pool.query('SELECT 1');
  const session = await pool.connect();
  const shown = [pool, session, login, await login.current()].map((each) => inspect(each, { depth: 12 }));
  session.release();
  const asJson = JSON.stringify(await login.current());
  const spread = inspect({ ...(await login.current()) });
  await changeByHand(here);
  const error = await rotatingPool(login, { connectionTimeoutMillis: 500 })
    .connect()
    .catch((reason: unknown) => reason);
  account.leaks.verify({ shown: shown.join('\n'), asJson, spread, error: inspect(error, { depth: 12 }) });
  const { password, username } = await login.current();
  expect(password).toBe(await here.secret.password());
  expect(username).toBe(here.role.name);
});

test('a refused connection, a silent host and an unknown host are told as pg tells them, and nothing is looked up', async () => {
  await using silent = await SilentServer.start();
  const problems = [
    { members: { port: await closedPort() }, error: { code: 'ECONNREFUSED' } },
    { members: { host: 'nowhere.invalid' }, error: { code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) } },
    { members: { host: '127.0.0.1', port: silent.port }, error: { message: expect.stringContaining('timeout') } },
    { members: { ssl: true }, error: { message: 'The server does not support SSL connections' } },
    { members: { dbname: 'no_such_database' }, error: { code: '3D000' } },
  ];
  for (const { members, error } of problems) {
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' }, { members });
    const pool = rotatingPool(labLogin(account.lab, here.secret.arn), { connectionTimeoutMillis: 1_000 });
    await expect(pool.query('SELECT 1')).rejects.toMatchObject(error);
    expect(calls(here.secret.arn)).toEqual(['AWSCURRENT']);
    await pool.end();
  }
});

test('every wait ends by connectionTimeoutMillis: for Secrets Manager, for a free session, for another login', async () => {
  await using own = await pooled({ max: 1, connectionTimeoutMillis: 700 });
  const { pool, here } = own;
  const from = performance.now();
  const slow = account.lab.faults.delay({ ms: 5_000, secret: here.secret.arn, times: 10 });
  await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'LOGIN_TIMEOUT' });
  slow.remove();
  await waitFor('the first reading', async () => (await pool.query('SELECT 1').catch(() => undefined))?.rowCount);
  const session = await pool.connect();
  const waited = performance.now();
  await expect(pool.connect()).rejects.toThrow('timeout exceeded when trying to connect');
  expect(performance.now() - waited).toBeLessThan(5_000);
  session.release(true);

  await changeByHand(here);
  const refusedFrom = performance.now();
  await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  expect(performance.now() - refusedFrom).toBeLessThan(5_000);
  expect(performance.now() - from).toBeLessThan(40_000);
});

test('while Secrets Manager does not answer, a refused login is tried again as soon as it does', async () => {
  await using own = await pooled({ connectionTimeoutMillis: 20_000 });
  const { pool, here } = own;
  await pool.query('SELECT 1');
  const session = await pool.connect();
  expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  account.lab.faults.throttle({
    secret: here.secret.arn,
    times: 2,
    when: ({ userAgent }) => !userAgent?.includes('exec-env/AWS_Lambda'),
  });
  expect((await pool.query('SELECT 1')).rowCount).toBe(1);
  session.release();
});

test('what was asked for before end() is served, as with pg', async () => {
  await using own = await pooled();
  const { pool } = own;
  const asked = pool.query('SELECT 1 AS one');
  const ended = pool.end();
  await expect(pool.connect()).rejects.toThrow('Cannot use a pool after calling end on the pool');
  await expect(pool.end()).rejects.toThrow('Called end on pool more than once');
  expect((await asked).rows).toEqual([{ one: 1 }]);
  await ended;
  expect(pool.ended).toBe(true);
});

test('a session that is older than maxLifetimeSeconds is followed by one with the new login', async () => {
  await using own = await pooled({ max: 1, maxLifetimeSeconds: 1 });
  const { pool, here } = own;
  const pid = async () => (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  const before = await pid();
  expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  await waitFor('another session', async () => (await pid()) !== before || undefined);
});
