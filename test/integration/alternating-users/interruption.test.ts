import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STEPS } from '../../../shared/rotation/event.ts';
import { CrashPoint } from '../../support/crash-point.ts';
import { canLogin, countLogins, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { outermostVersions, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open({ retries: 1 });
});
afterAll(() => account[Symbol.asyncDispose]());

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test("four setSecrets at once all succeed, in the twin's turn and in the base role's", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    // A snapshot from before the lock was got would show each of them the server without the others' changes.
    await app.administer(`ALTER ROLE ${app.sql.admin} SET default_transaction_isolation = 'repeatable read'`);
    const logins = await countLogins(server);

    for (const session of [app.twin, app.base.name, app.twin]) {
      const token = await app.secret.begin();
      await app.secret.step('createSecret', token);
      // Four instances, as each function of another environment has its own.
      const four = [1, 2, 3, 4].map((instance) =>
        app.secret.step('setSecret', token, { environment: { INSTANCE: `${instance}` } }),
      );
      expect((await Promise.all(four)).map(({ outcome }) => outcome)).toEqual(Array(4).fill('done'));
      await app.secret.step('testSecret', token);
      await app.secret.step('finishSecret', token);
      expect(await app.identity()).toEqual({ session, current: app.base.name });
    }
    expect(await logins(app.admin.name)).toEqual({ accepted: 12, failed: 0 });
  });

  test('each step may run twice, and from another instance', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const other = { environment: { INSTANCE: randomUUID() } };

    for (const session of [app.twin, app.base.name]) {
      const token = await app.secret.begin();
      for (const step of STEPS) {
        expect((await app.secret.step(step, token)).outcome).not.toBe('failed');
        expect((await app.secret.step(step, token, other)).outcome).not.toBe('failed');
        expect((await app.secret.step(step, token)).outcome).not.toBe('failed');
      }
      expect(await app.identity()).toEqual({ session, current: app.base.name });
    }
  });

  test.each([
    ['before the twin is made', 'send:CREATE ROLE'],
    // The first COMMIT of setSecret's changing session: those before it are of sessions that only look.
    ['before the commit is known', 'receive:COPY 1'],
    ['when the superuser has logged in', 'send:pg_try_advisory_lock'],
    ['while it holds the role, before the change', 'answer:PASSWORD NULL'],
  ])('killed %s, setSecret converges when it is tried again, and AWSCURRENT worked all the while', async (_, at) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const crash = new CrashPoint(at);
    const app = await twins(account, scope, { environment: crash.environment });
    const before = await app.login();

    const result = await app.secret.rotate();

    expect(result).toMatchObject({ outcome: 'succeeded', attempts: 2 });
    expect(crash.happened).toBe(true);
    expect(result.steps.filter(({ outcome }) => outcome === 'crashed').map(({ step }) => step)).toEqual(['setSecret']);
    expect(await canLogin(server, before)).toBe('accepted');
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test("a rotation that was abandoned after setSecret is in nobody's way", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    await app.rotate();
    const current = await app.login();
    for (let abandoned = 1; abandoned <= 2; abandoned++) {
      const token = await app.secret.begin();
      await app.secret.stepsUntil('setSecret', token);
      await app.giveUp();
      expect(await canLogin(server, current)).toBe('accepted');
    }

    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
    expect(await canLogin(server, current)).toBe('accepted');
  });
});
