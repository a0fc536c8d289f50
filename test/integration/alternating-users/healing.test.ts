import { randomUUID } from 'node:crypto';
import { escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { outermostVersions, sqlOf, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const asTwin = (app: { base: { name: string }; twin: string }) => ({ session: app.twin, current: app.base.name });

/** A login's refusal that might pass by itself is waited for until the step's time is over. */
const SOON = { timeoutMs: 5_000 };

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each([
    ['NOLOGIN', 'ALTER ROLE TWIN NOLOGIN'],
    ['NOINHERIT', 'ALTER ROLE TWIN NOINHERIT'],
    ['CONNECTION LIMIT 0', 'ALTER ROLE TWIN CONNECTION LIMIT 0'],
    ['a VALID UNTIL that is past', `ALTER ROLE TWIN VALID UNTIL '2001-01-01'`],
    ['another role set', `ALTER ROLE TWIN SET role = 'none'`],
    ['its settings reset', 'ALTER ROLE TWIN RESET ALL'],
    ['REPLICATION of its own', 'ALTER ROLE TWIN REPLICATION'],
    ...(version < 16
      ? []
      : [['membership without INHERIT and SET', 'GRANT BASE TO TWIN WITH INHERIT FALSE, SET FALSE']]),
  ])('a twin with %s is mended when its turn comes', async (_, damage = '') => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.rotate();
    await app.administer(damage.replace('TWIN', app.sql.twin).replace('BASE', app.sql.base));

    await app.rotate();

    expect(await app.identity()).toEqual(asTwin(app));
    expect(await app.query(`SELECT item FROM ${app.base.table}`)).toEqual([{ item: 'first' }]);
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
  });

  test('a dropped twin is made anew', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.rotate();
    await app.administer(`DROP ROLE ${app.sql.twin}`);

    await app.rotate();

    expect(await app.identity()).toEqual(asTwin(app));
  });

  test("membership revoked before the twin's turn is refused with the GRANT that links it", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.rotate();
    await app.administer(`REVOKE ${app.sql.base} FROM ${app.sql.twin}`);

    const failure = await app.refused('TWIN_NOT_LINKED');

    await app.administer(sqlOf(failure.remedy));
    await app.rotate();
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test('membership revoked while the twin is current is refused with the GRANT that links it', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.administer(`REVOKE ${app.sql.base} FROM ${app.sql.twin}`);

    const failure = await app.refused('TWIN_NOT_LINKED');

    expect(failure).toMatchObject({
      step: 'createSecret',
      remedy: expect.stringContaining(`GRANT ${app.sql.base} TO ${app.sql.twin};`),
    });
    await app.administer(sqlOf(failure.remedy));
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
  });

  test.each([
    ['NOLOGIN', 'ROLE_CANNOT_LOGIN', 'NOLOGIN'],
    ['a VALID UNTIL that is past', 'ROLE_EXPIRED', `VALID UNTIL '2001-01-01'`],
    ['CONNECTION LIMIT 0', 'ROLE_CONNECTION_LIMIT', 'CONNECTION LIMIT 0'],
  ])('a base role with %s is refused before its turn locks the application out', async (_, code, damage) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.administer(`ALTER ROLE ${app.sql.base} ${damage}`);

    const failure = await app.refused(code);

    expect(failure).toMatchObject({ step: 'setSecret', username: app.base.name, host: scope.server.host });
    // The superuser was logged in, but it is not the superuser that the error is about.
    expect(failure.credential).toBeUndefined();
    expect(await app.identity()).toEqual(asTwin(app));
    await app.administer(sqlOf(failure.remedy));
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
  });

  test.each([
    ['NOLOGIN', 'LOGIN_FORBIDDEN', 'NOLOGIN', 'LOGIN'],
    ['a VALID UNTIL that is past', 'PASSWORD_NOT_ACCEPTED', `VALID UNTIL '2001-01-01'`, 'VALID UNTIL'],
    ['CONNECTION LIMIT 0', 'ROLE_CONNECTION_LIMIT', 'CONNECTION LIMIT 0', 'CONNECTION LIMIT'],
  ])('a current login with %s ends in createSecret, in words', async (_, code, damage, word) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.administer(`ALTER ROLE ${app.sql.base} ${damage}`);

    const failure = await app.refused(code, SOON);

    expect(failure).toMatchObject({ step: 'createSecret', credential: 'current', username: app.base.name });
    expect(failure.remedy).toContain(word);
  });

  test('a base role that expires between setSecret and testSecret is never promoted by an instance that has not tested it', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    const token = await app.secret.begin();
    await app.secret.stepsUntil('setSecret', token);
    await app.administer(`ALTER ROLE ${app.sql.base} VALID UNTIL ${escapeLiteral('2001-01-01')}`);

    for (const step of ['testSecret', 'finishSecret'] as const) {
      const other = { environment: { INSTANCE: randomUUID() } };
      expect(await app.secret.step(step, token, other)).toMatchObject({ error_code: 'PASSWORD_NOT_ACCEPTED' });
    }

    expect(await app.identity()).toEqual(asTwin(app));
  });
});
