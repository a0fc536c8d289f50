import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SilentServer } from '../../support/network.ts';
import { canLogin, countLogins, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { createLogin, failureOf, outermostVersions, rolesNamed, sqlOf, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const newPassword = () => randomBytes(18).toString('base64url');

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test("an unrelated role of the twin's name keeps its password, and the remedy links it if it is the twin", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    const password = newPassword();
    await createLogin(scope, app.twin, password);

    const failure = await app.refused('TWIN_NOT_LINKED');

    expect(await canLogin(server, { user: app.twin, password })).toBe('accepted');
    await app.administer(sqlOf(failure.remedy));
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test.runIf(version < 16)("a user can't link somebody else's role to itself to have its password set", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    const password = newPassword();
    await createLogin(scope, app.twin, password);
    await app.query(`GRANT ${app.sql.base} TO ${app.sql.twin}`); // as the application user itself

    const failure = await app.refused('TWIN_NOT_LINKED');

    expect(await canLogin(server, { user: app.twin, password })).toBe('accepted');
    await app.administer(sqlOf(failure.remedy));
    await app.rotate();
  });

  test("a superuser of the twin's name is never the twin, member or not", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    const password = newPassword();
    await createLogin(scope, app.twin, password, `SUPERUSER IN ROLE ${app.sql.base}`);

    await app.refused('TWIN_IS_SUPERUSER');

    expect(await canLogin(server, { user: app.twin, password })).toBe('accepted');
  });

  test('a user whose own name ends in _clone has a twin of its own, and an unrelated namesake is left alone', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const password = newPassword();
    const namesake = scope.name('svc');
    await createLogin(scope, namesake, password);
    const before = await rolesNamed(server, [namesake]);
    const app = await twins(account, scope, { name: `${namesake}_clone` });

    for (const session of [`${namesake}_clone_clone`, `${namesake}_clone`, `${namesake}_clone_clone`]) {
      await app.rotate();
      expect(await app.identity()).toEqual({ session, current: `${namesake}_clone` });
    }

    expect(await rolesNamed(server, [namesake])).toEqual(before);
    expect(await canLogin(server, { user: namesake, password })).toBe('accepted');
  });

  test('a superuser is refused as the application user before a version is stored', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { attributes: 'SUPERUSER' });

    expect(await app.refused('APPLICATION_USER_IS_SUPERUSER')).toMatchObject({ step: 'createSecret' });

    expect(app.secret.calls.map(({ operation }) => operation)).not.toContain('PutSecretValue');
  });

  test("a base role that became a superuser while its twin's login was current is refused", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.administer(`ALTER ROLE ${app.sql.base} SUPERUSER`);

    const failure = await app.refused('APPLICATION_USER_IS_SUPERUSER');

    expect(failure).toMatchObject({ step: 'setSecret' });
    await app.administer(sqlOf(failure.remedy));
  });

  test("a superuser secret for the application's own user or its twin is refused", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const administrator = await app.superuserSecret.text();

    await app.superuserSecret.put({ username: app.base.name, password: app.base.password, iam: false });
    await app.refused('SUPERUSER_IS_APPLICATION_USER');
    await app.superuserSecret.put({ username: app.twin, password: newPassword() });
    await app.refused('SUPERUSER_IS_APPLICATION_USER');

    await app.superuserSecret.putText(administrator);
    await app.rotate();
  });

  test("a pending version that somebody else wrote, for another user or server, has nobody's password set", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    await using elsewhere = await SilentServer.start();
    const app = await twins(account, scope);
    const victim = scope.name('victim');
    const password = newPassword();
    await createLogin(scope, victim, password);
    const planted = { password: newPassword() };
    const { host, port } = elsewhere;

    for (const changes of [
      { username: victim },
      { username: app.base.name },
      { username: app.admin.name },
      { username: `${app.twin}_clone` },
      { username: app.twin, host: 'localhost' },
      { username: app.twin, host, port },
    ]) {
      const token = await app.secret.begin();
      await app.secret.put({ ...planted, ...changes }, ['AWSPENDING'], token);
      const before = await rolesNamed(server, [app.base.name, app.twin, victim, app.admin.name]);
      expect(await app.secret.step('setSecret', token)).toMatchObject({ error_code: 'PENDING_MISMATCH' });
      expect(await rolesNamed(server, [app.base.name, app.twin, victim, app.admin.name])).toEqual(before);
      await app.giveUp();
    }

    expect(elsewhere.connections).toBe(0);
    expect(await canLogin(server, { user: victim, password })).toBe('accepted');
  });

  test("a pending version for the unrelated namesake of a user has the namesake's password left alone", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const namesake = scope.name('svc');
    const password = newPassword();
    await createLogin(scope, namesake, password);
    const app = await twins(account, scope, { name: `${namesake}_clone` });
    const token = await app.secret.begin();
    await app.secret.put({ username: namesake, password: newPassword() }, ['AWSPENDING'], token);

    expect(await app.secret.step('setSecret', token)).toMatchObject({ error_code: 'TWIN_NOT_LINKED' });

    expect(await canLogin(server, { user: namesake, password })).toBe('accepted');
  });

  test("who doesn't know the current password can't have the superuser do anything", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    await app.secret.put({ password: newPassword() });
    const logins = await countLogins(server);

    expect(failureOf(await app.secret.rotate())).toMatchObject({
      step: 'createSecret',
      error_code: 'PASSWORD_NOT_ACCEPTED',
      credential: 'current',
    });
    await app.giveUp();
    const token = await app.secret.begin();
    await app.secret.put({ username: app.twin, password: newPassword() }, ['AWSPENDING'], token);
    expect(await app.secret.step('setSecret', token)).toMatchObject({ error_code: 'PASSWORD_NOT_ACCEPTED' });

    expect(await logins(app.admin.name)).toEqual({ accepted: 0, failed: 0 });
    expect(await rolesNamed(server, [app.twin])).toEqual([]);
  });

  test.each([
    ['a connection string as the database', { dbname: 'hostaddr=127.0.0.1 dbname=postgres' }, 'DATABASE_NOT_FOUND'],
    ['a list of hosts', { host: '127.0.0.1,127.0.0.1' }, 'SECRET_MALFORMED'],
    ['a host with a parameter', { host: '127.0.0.1 hostaddr=127.0.0.1' }, 'SECRET_MALFORMED'],
    ['a socket as the host', { host: '/tmp' }, 'SECRET_MALFORMED'],
    ['a URL as the host', { host: 'postgres://127.0.0.1' }, 'SECRET_MALFORMED'],
  ])('%s sends nothing anywhere, whichever secret has it', async (_, members, code) => {
    await using elsewhere = await SilentServer.start();
    await using scope = roleScope(await sharedServer(version));
    const here = `port=${elsewhere.port}`;
    const tricked = Object.fromEntries(
      Object.entries(members).map(([key, value]) => [key, key === 'dbname' ? `${value} ${here}` : value]),
    );
    const app = await twins(account, scope, { members: tricked });
    expect(failureOf(await app.secret.rotate())).toMatchObject({ error_code: code });

    const other = await twins(account, scope, {
      name: scope.name('other'),
      adminName: 'other_admin',
      superuserMembers: tricked,
    });
    await other.refused(code);

    expect(elsewhere.connections).toBe(0);
  });
});
