import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accepted } from '../../support/login-proof.ts';
import { PgBouncer, pgBouncerIsHere } from '../../support/pgbouncer.ts';
import { pooledSession, queryThrough } from '../../support/pooled.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { expectNoPendingValue, expectRotated, rolesStay } from '../../support/rotation-proof.ts';
import { TestAccount } from '../../support/test-account.ts';
import { twins } from '../../support/twins.ts';

/** Rotating through a pooler that asks the server for passwords, for those who say that theirs does. */

const SINGLE_USER = { strategy: 'single-user' } as const;
const ALLOWED = { ...SINGLE_USER, environment: { ALLOW_POOLER: 'true' } } as const;
const SESSION_USER = 'SELECT session_user::text AS user';
const ONE_SESSION = { poolMode: 'transaction', poolSize: 1 } as const;

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

describe.skipIf(!pgBouncerIsHere())('with ALLOW_POOLER=true', () => {
  test.each([
    ['after each transaction', ONE_SESSION],
    ['when a client has gone', { poolMode: 'session' }],
  ] as const)('rotates where the server is asked for passwords, and sessions change hands %s', async (_, mode) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, ...mode });
    const secret = await account.secretFor(pooler, app, ALLOWED);

    await expectRotated(secret);
    const first = await secret.password();
    await expectRotated(secret);
    const second = await secret.password();

    expect(new Set([app.password, first, second]).size).toBe(3);
    expect(await accepted(server, app, [app.password, first, second])).toEqual([false, false, true]);
    expect(await queryThrough(pooler, app, second, SESSION_USER)).toEqual([{ user: app.name }]);
    await expect(queryThrough(pooler, app, first, SESSION_USER)).rejects.toThrow('authentication failed');
  });

  test.each(['client', 'server'])('leaves nothing behind, with PASSWORD_HASHING=%s', async (PASSWORD_HASHING) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, ...ONE_SESSION });
    const environment = { ...ALLOWED.environment, PASSWORD_HASHING };
    const secret = await account.secretFor(pooler, app, { ...SINGLE_USER, environment });
    const asItWas = await pooledSession(server, pooler, app);

    await expectRotated(secret);

    await asItWas(await secret.password());
  });

  test('takes its refusal of a password for one, and goes on to the next', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, ...ONE_SESSION });
    const secret = await account.secretFor(pooler, app, ALLOWED);
    await secret.put({ password: 'never-set-at-the-server' });

    await expectRotated(secret);

    expect(await accepted(server, app, [await secret.password(), app.password])).toEqual([true, false]);
  });

  test('still refuses to be logged in as somebody else', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    const owner = await scope.createAppRole({ name: scope.name('shop_owner') });
    const as = { username: owner.name, password: owner.password };
    const passwords = { from: 'forced', file: { [app.name]: app.password }, as } as const;
    await using pooler = await PgBouncer.start(server, { passwords });
    const stays = await rolesStay(server, app.name, owner.name);
    const secret = await account.secretFor(pooler, app, ALLOWED);

    const failure = (await secret.rotate()).steps.at(-1);

    expect(failure).toMatchObject({ step: 'createSecret', outcome: 'failed' });
    expect(failure?.error_code).not.toBe('UNEXPECTED');
    expect(failure?.error_message).toMatch(/another user|shop_owner/);
    await expectNoPendingValue(secret);
    await stays();
  });

  test('rotates alternating users', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, poolMode: 'transaction' });
    const members = { host: pooler.host, port: pooler.port };
    const { environment } = ALLOWED;
    const app = await twins(account, scope, { members, superuserMembers: members, environment });

    for (const user of [app.twin, app.base.name, app.twin]) {
      await app.rotate();
      expect(await app.identity()).toEqual({ session: user, current: app.base.name });
    }
  });

  test.each(['allow', ''])('but %o is no answer', async (word) => {
    const login = { name: 'app', password: 'never-set-anywhere', database: 'postgres' };
    const choice = { ...SINGLE_USER, environment: { ALLOW_POOLER: word } };
    const secret = await account.secretFor(await sharedServer(), login, choice);
    expect((await secret.rotate()).steps.at(-1)).toMatchObject({
      error_code: 'INVALID_ENVIRONMENT',
      key: 'ALLOW_POOLER',
    });
  });
});
