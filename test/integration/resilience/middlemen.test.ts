import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AppRole } from '../../../scripts/lab/database/app-role.ts';
import { hostsEnvironment } from '../../support/hosts.ts';
import { accepted } from '../../support/login-proof.ts';
import { Middleman, type MiddlemanOptions } from '../../support/middleman.ts';
import { TcpProxy } from '../../support/network.ts';
import { PgBouncer, type PgBouncerOptions, pgBouncerIsHere } from '../../support/pgbouncer.ts';
import { pooledSession, queryThrough } from '../../support/pooled.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { expectNoPendingValue, expectRefusedAtOnce, expectRotated, rolesStay } from '../../support/rotation-proof.ts';
import { refuses, ScriptedServer } from '../../support/scripted-server.ts';
import { membersFor, TestAccount } from '../../support/test-account.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { outermostVersions, twins } from '../../support/twins.ts';

/**
 * Somebody stands between the function and the server: who keeps passwords of his own locks an application out that
 * rotates through him, who logs in as somebody else has the wrong password changed, and whose sessions are shared keeps
 * what is left in them. None of it can be seen from the answers, but for the process id.
 */

const SINGLE_USER = { strategy: 'single-user' } as const;
const ALLOWED = { ...SINGLE_USER, environment: { ALLOW_POOLER: 'true' } } as const;
const SESSION_USER = 'SELECT session_user::text AS user';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const expectRefused = async (secret: TestSecret) =>
  expect((await expectRefusedAtOnce(secret, 'DATABASE_BEHIND_PROXY')).remedy).toMatch(/"host"/);

describe.skipIf(!pgBouncerIsHere())('PgBouncer', () => {
  const file = (app: AppRole) => ({ [app.name]: app.password });
  const ONE_SESSION = { poolMode: 'transaction', poolSize: 1 } as const;
  const asOwner = (app: AppRole, { name: username, password }: AppRole): PgBouncerOptions => ({
    passwords: { from: 'forced', file: file(app), as: { username, password } },
  });

  describe.each(outermostVersions())('before PostgreSQL %i', (version) => {
    test.each<[string, (app: AppRole, owner: AppRole) => PgBouncerOptions]>([
      ['with passwords of its own', (app) => ({ passwords: { from: 'file', file: file(app) } })],
      [
        'with passwords of its own, asked for by md5',
        (app) => ({ passwords: { from: 'file', file: file(app) }, authType: 'md5' }),
      ],
      [
        'with passwords of its own, asked for in clear',
        (app) => ({ passwords: { from: 'file', file: file(app) }, authType: 'plain' }),
      ],
      ['that asks the server for passwords', () => ({ passwords: { from: 'query' } })],
      [
        'that drops start-up parameters in silence',
        () => ({ passwords: { from: 'query' }, ignoreStartupParameters: ['options', 'statement_timeout'] }),
      ],
      ['that logs in somebody else', asOwner],
    ])('%s is refused before anything changes', async (_, options) => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      const app = await scope.createAppRole();
      const owner = await scope.createAppRole({ name: scope.name('shop_owner') });
      await using pooler = await PgBouncer.start(server, options(app, owner));
      const stays = await rolesStay(server, app.name, owner.name);
      const secret = await account.secretFor(pooler, app, SINGLE_USER);

      await expectRefused(secret);

      await stays();
      expect(await accepted(server, app, [app.password])).toEqual([true]);
      expect(await queryThrough(pooler, app, app.password, SESSION_USER)).toHaveLength(1);
    });

    test('is refused, and nothing is left in a session that others get', async () => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      const app = await scope.createAppRole();
      await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, ...ONE_SESSION });
      const asItWas = await pooledSession(server, pooler, app);

      await expectRefused(await account.secretFor(pooler, app, SINGLE_USER));

      await asItWas(app.password);
    });

    test('is gone from the secret, and the same rotation succeeds', async () => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      const app = await scope.createAppRole();
      await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' } });
      const secret = await account.secretFor(pooler, app, SINGLE_USER);
      const token = await secret.begin();
      expect(await secret.step('createSecret', token)).toMatchObject({ error_code: 'DATABASE_BEHIND_PROXY' });

      await secret.put({ host: server.host, port: server.port });
      const steps = await secret.stepsUntil('finishSecret', token);

      expect(steps.map(({ outcome }) => outcome)).not.toContain('failed');
      expect(await accepted(server, app, [await secret.password(), app.password])).toEqual([true, false]);
    });

    test('is refused with alternating users', async () => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' } });
      const app = await twins(account, scope, { members: { host: pooler.host, port: pooler.port } });
      expect(await app.refused('DATABASE_BEHIND_PROXY')).toMatchObject({ step: 'createSecret' });
    });
  });
});

describe('a proxy that takes the passwords of this very secret', () => {
  test.each<[string, Omit<MiddlemanOptions, 'knows'>]>([
    ['asked for in clear', { asks: 'in clear' }],
    ['asked for by md5', { asks: 'md5' }],
  ])('is refused before anything changes, its passwords %s', async (_, options) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    const known: TestSecret[] = [];
    await using proxy = await Middleman.start(server, { ...options, knows: (user) => currentOf(known, user) });
    const secret = await account.secretFor(proxy, app, SINGLE_USER);
    known.push(secret);
    const stays = await rolesStay(server, app.name);

    await expectRefused(secret);

    await stays();
    expect(await queryThrough(proxy, app, await secret.password(), SESSION_USER)).toEqual([{ user: app.name }]);
  });

  test('is refused with alternating users, whose previous login it would no longer know', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const known: TestSecret[] = [];
    await using proxy = await Middleman.start(server, { asks: 'md5', knows: (user) => currentOf(known, user) });
    const app = await twins(account, scope, { members: { host: proxy.host, port: proxy.port } });
    known.push(app.secret);
    expect(await app.refused('DATABASE_BEHIND_PROXY')).toMatchObject({ step: 'createSecret' });
  });

  /** What RDS Proxy reads: AWSCURRENT of the secrets that it was given. */
  async function currentOf(secrets: readonly TestSecret[], user: string): Promise<string | undefined> {
    for (const secret of secrets) {
      const { username, password } = JSON.parse(await secret.text());
      if (username === user) return password;
    }
    return undefined;
  }
});

test('who tells no process id may be a server: the rotation goes on', async () => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await scope.createAppRole();
  await using silent = await Middleman.start(server, { asks: 'in clear', processId: 'none' });
  const secret = await account.secretFor(silent, app, SINGLE_USER);
  await expectRotated(secret);
  expect(await accepted(server, app, [await secret.password(), app.password])).toEqual([true, false]);
});

describe('an endpoint of RDS', () => {
  /** A secret for a server that the function finds under this name. */
  async function named(host: string, work: (secret: TestSecret, app: AppRole) => Promise<void>): Promise<void> {
    const server = await sharedServer();
    await using scope = roleScope(server);
    // Containers may be elsewhere than at the address that the name is given.
    await using here = await TcpProxy.start(server);
    const app = await scope.createAppRole();
    const choice = { ...SINGLE_USER, environment: hostsEnvironment({ [host]: here.host }) };
    await work(await account.secretFor(here, app, choice, { host }), app);
  }

  test.each([
    'shop.proxy-abc123def456.eu-west-1.rds.amazonaws.com',
    'SHOP.Proxy-ABC123def456.EU-West-1.RDS.amazonaws.com',
    'reader.endpoint.proxy-abc123def456.us-gov-west-1.rds.amazonaws.com',
    'shop.proxy-abc123def456.rds.cn-north-1.amazonaws.com.cn',
  ])('of a proxy is refused by its name: %s', async (host) => {
    await named(host, async (secret, app) => {
      const stays = await rolesStay(await sharedServer(), app.name);
      await expectRefused(secret);
      await stays();
    });
  });

  test.each([
    'shop.cluster-abc123def456.eu-west-1.rds.amazonaws.com',
    'proxy-shop.abc123def456.eu-west-1.rds.amazonaws.com',
    'my-proxy-shop.abc123def456.rds.cn-north-1.amazonaws.com.cn',
    'shop.proxy-abc123def456.internal.example.com',
  ])('of none is not: %s', async (host) => {
    await named(host, async (secret, app) => {
      await expectRotated(secret);
      expect(await accepted(await sharedServer(), app, [app.password])).toEqual([false]);
    });
  });
});

describe('poolers answer 08P01, whatever the trouble', () => {
  const LOGIN = { name: 'app', password: 'never-set-anywhere', database: 'shop' };

  async function answerTo(message: string) {
    await using server = await ScriptedServer.start(refuses({ state: '08P01', message }));
    const secret = await account.store({ ...ALLOWED, timeoutMs: 5_000 }, JSON.stringify(membersFor(server, LOGIN)));
    const failure = (await secret.rotate()).steps.at(-1);
    expect(failure).toMatchObject({ step: 'createSecret', outcome: 'failed' });
    await expectNoPendingValue(secret);
    return failure;
  }

  test.each([
    'password authentication failed', // PgBouncer 1.18, md5 and plain
    'SASL authentication failed', // PgBouncer 1.18, SCRAM
    'auth failed', // older ones
  ])('a wrong password: %s', async (message) => {
    expect(await answerTo(message)).toMatchObject({ error_code: 'NO_WORKING_PASSWORD' });
  });

  test.each([
    'unsupported startup parameter: options',
    'unsupported startup parameter: client_encoding',
    'database "shop" does not exist',
    'no such database: shop',
    'server login failed: wrong password type',
    'no more connections allowed (max_client_conn)',
    'pgbouncer cannot connect to server',
    'query_wait_timeout',
    'SSL required',
  ])('another trouble, which says what it is: %s', async (message) => {
    const failure = await answerTo(message);
    expect(failure?.error_code).not.toMatch(/^(NO_WORKING_PASSWORD|PASSWORD_NOT_ACCEPTED|UNEXPECTED)$/);
    expect(failure).toMatchObject({ reason: '08P01', error_message: expect.stringContaining(message) });
  });
});
