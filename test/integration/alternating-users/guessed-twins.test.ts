import { randomBytes, randomUUID } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CrashPoint } from '../../support/crash-point.ts';
import { canLogin, postgresVersions, roleScope, sharedServer } from '../../support/postgres.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TwinOptions } from '../../support/twin-options.ts';
import { createLogin, rolesNamed, sqlOf, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const newPassword = () => randomBytes(18).toString('base64url');
const AS_AWS = { environment: { ALTERNATING_SET_ROLE: 'false' } };

interface Scene extends Twins {
  /** Of whoever has the login of the second name. */
  readonly stranger: { readonly user: string; readonly password: string };
}

/** A user, and somebody else's login that happens to have the name of its twin. */
async function strangersLogin(scope: RoleScope, options: TwinOptions = {}): Promise<Scene> {
  const app = await twins(account, scope, options);
  const stranger = { user: app.twin, password: newPassword() };
  await createLogin(scope, app.twin, stranger.password);
  return Object.assign(app, { stranger });
}

/** A user with CREATEROLE and a login, for whom the rights are spelt that a version asks for. */
async function creator(scope: RoleScope, named: string) {
  const user = scope.name(named);
  const password = newPassword();
  await createLogin(scope, user, password, 'CREATEROLE');
  return { user, password };
}

/** Nothing is changed, no other login is made up, and the stranger goes on logging in. */
async function expectRefused(app: Scene): Promise<string> {
  const failure = await app.refused('TWIN_NOT_LINKED');
  expect(await canLogin(app.server, app.stranger)).toBe('accepted');
  expect(await rolesNamed(app.server, [`${app.twin}_clone`])).toEqual([]);
  return failure.remedy ?? '';
}

/** What the remedy tells an administrator who knows better leads to success. */
async function expectVouched(app: Scene, remedy: string): Promise<void> {
  await app.administer(sqlOf(remedy));
  await app.rotate();
  expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  await app.rotate();
  expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
}

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  const before15 = test.runIf(version < 15);
  const from16 = test.runIf(version >= 16);

  test("a user with CREATEROLE does not make somebody's login the twin of a role of his own", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const boss = await creator(scope, 'boss');
    const app = await strangersLogin(scope, { admin: 'superuser' });
    await app.administer(`
      GRANT ${app.sql.base} TO ${escapeIdentifier(boss.user)} WITH ADMIN OPTION`);
    await server.query(`GRANT ${app.sql.base} TO ${app.sql.twin}`, undefined, boss);

    await expectVouched(app, await expectRefused(app));
  });

  before15("a base role's own grant does not, not even with the twin's setting beside it", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await strangersLogin(scope);
    await app.query(`GRANT ${app.sql.base} TO ${app.sql.twin}`);
    await expectRefused(app);
    await app.server.query(
      `ALTER ROLE ${app.sql.twin} SET role = ${escapeLiteral(app.base.name)}`,
      undefined,
      app.stranger,
    );

    await expectVouched(app, await expectRefused(app));
  });

  before15("a base role's accomplice does not", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await strangersLogin(scope);
    const accomplice = { user: scope.name('accomplice'), password: newPassword() };
    await createLogin(scope, accomplice.user, accomplice.password);
    await app.query(`GRANT ${app.sql.base} TO ${escapeIdentifier(accomplice.user)} WITH ADMIN OPTION`);
    await server.query(`GRANT ${app.sql.base} TO ${app.sql.twin}`, undefined, accomplice);

    await expectVouched(app, await expectRefused(app));
  });

  test.each([
    '',
    'IN DATABASE postgres',
  ])('a login that sets itself to act as the user does not (%s)', async (where) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await strangersLogin(scope);
    const own = `ALTER ROLE ${app.sql.twin} ${where} SET role = ${escapeLiteral(app.base.name)}`;
    await server.query(own, undefined, app.stranger);

    await expectVouched(app, await expectRefused(app));
  });

  from16.each(['INHERIT TRUE, SET FALSE', 'INHERIT FALSE, SET FALSE', 'INHERIT FALSE, SET FALSE, ADMIN TRUE'])(
    'nor where an administrator has made it a member that may not act as the user (%s)',
    async (options) => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      const app = await strangersLogin(scope);
      await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin} WITH ${options}`);
      await server.query(
        `ALTER ROLE ${app.sql.twin} SET role = ${escapeLiteral(app.base.name)}`,
        undefined,
        app.stranger,
      );
      await server.withClient(async (session) => {
        const remedy = await expectRefused(app);
        await expect(session.query(`SET ROLE ${app.sql.base}`)).rejects.toThrow(/permission denied/);
        await expectVouched(app, remedy);
      }, app.stranger);
    },
  );

  test("a login's setting for another database does not", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await strangersLogin(scope);
    const elsewhere = escapeIdentifier(await scope.createDatabase());
    await app.administer(`
      GRANT ${app.sql.base} TO ${app.sql.twin};
      ALTER ROLE ${app.sql.twin} IN DATABASE ${elsewhere} SET role = ${escapeLiteral(app.base.name)}`);

    await expectVouched(app, await expectRefused(app));
  });

  from16(
    'a role that a user with CREATEROLE has made beforehand is told with him, who could act as the user',
    async () => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      const app = await twins(account, scope);
      const mallory = await creator(scope, 'mallory');
      await server.query(`CREATE ROLE ${app.sql.twin} LOGIN`, undefined, mallory);
      await server.query(`ALTER ROLE ${app.sql.twin} SET role = ${escapeLiteral(app.base.name)}`, undefined, mallory);

      const remedy = (await app.refused('TWIN_NOT_LINKED')).remedy ?? '';

      expect(remedy).toMatch(
        `If it is the twin, and its members "${mallory.user}" may act as "${app.base.name}", as an administrator: GRANT`,
      );
      expect(remedy).toContain('Otherwise rename one of the two.');
      await app.administer(`ALTER ROLE ${app.sql.twin} RENAME TO ${escapeIdentifier(scope.name('renamed'))}`);
      scope.adopt(scope.name('renamed'));
      await app.rotate();
      expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
      await expect(server.query(`GRANT ${app.sql.twin} TO CURRENT_USER`, undefined, mallory)).rejects.toThrow(
        /permission denied/,
      );
    },
  );

  test('a current login of such a name is refused, and is not given a twin of its own', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await strangersLogin(scope);
    await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`);
    // The only version: no other name logs in with a password of this secret.
    const { username: _, password: __, ...rest } = JSON.parse(await app.secret.text());
    const { user: username, password } = app.stranger;
    const alone = await account.secretFor(
      server,
      { name: username, password, database: 'postgres' },
      { strategy: 'alternating-users', environment: {} },
      { masterarn: rest.masterarn },
    );
    const before = await rolesNamed(server, [app.base.name, app.twin]);

    const { steps } = await alone.rotate();

    expect(steps.at(-1)).toMatchObject({ step: 'createSecret', error_code: 'TWIN_NOT_LINKED' });
    expect(await rolesNamed(server, [app.base.name, app.twin, `${app.twin}_clone`])).toEqual(before);
    const { AWSPENDING = '' } = await alone.labels();
    await alone.unlabel('AWSPENDING', AWSPENDING);
    await app.administer(sqlOf(`${steps.at(-1)?.remedy}`));
    expect((await alone.rotate()).outcome).toBe('succeeded');
    expect(JSON.parse(await alone.text())).toMatchObject({ username: app.base.name });
  });

  describe('a login that a version of the secret makes is the twin', () => {
    test.each(['previous', 'unlabelled'])('%s', async (kind) => {
      await using scope = roleScope(await sharedServer(version));
      const app = await strangersLogin(scope);
      await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`);
      const { user: username, password } = app.stranger;
      await app.secret.put({ username, password });
      await app.secret.put({ username: app.base.name, password: app.base.password });
      if (kind === 'unlabelled')
        await app.secret.put({ username: app.base.name, password: app.base.password, more: 1 });

      await app.rotate();
      expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    });

    test('with NOLOGIN, which is mended', async () => {
      await using scope = roleScope(await sharedServer(version));
      const app = await strangersLogin(scope);
      await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}; ALTER ROLE ${app.sql.twin} NOLOGIN`);
      const { user: username, password } = app.stranger;
      await app.secret.put({ username, password });
      await app.secret.put({ username: app.base.name, password: app.base.password });

      await app.rotate();
      expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    });

    test('but not with a wrong password, nor one of another server', async () => {
      await using scope = roleScope(await sharedServer(version));
      const app = await strangersLogin(scope);
      await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`);
      const { user: username, password } = app.stranger;
      await app.secret.put({ username, password: newPassword() });
      await app.secret.put({ username: app.base.name, password: app.base.password });
      await expectRefused(app);
      await app.secret.put({ username, password, host: 'localhost' });
      const { host } = app.server;
      await app.secret.put({ username: app.base.name, password: app.base.password, host });

      await expectVouched(app, await expectRefused(app));
    });
  });

  describe('as AWS has it (ALTERNATING_SET_ROLE=false), where no setting links the two', () => {
    test('turn after turn, whatever instance', async () => {
      await using scope = roleScope(await sharedServer(version));
      const app = await twins(account, scope, AS_AWS);

      for (const user of [app.twin, app.base.name, app.twin, app.base.name, app.twin]) {
        const token = await app.secret.begin();
        for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const) {
          const instance = { environment: { ...AS_AWS.environment, INSTANCE: randomUUID() } };
          expect(await app.secret.step(step, token, instance)).not.toMatchObject({ outcome: 'failed' });
        }
        expect(await app.identity()).toEqual({ session: user, current: user });
      }
    });

    test("an administrator's word makes the twin, and the setting that it was given by is taken back", async () => {
      await using scope = roleScope(await sharedServer(version));
      const app = await strangersLogin(scope, AS_AWS);
      await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`);
      await app.administer(sqlOf(await expectRefused(app)));

      for (const user of [app.twin, app.base.name, app.twin]) {
        await app.rotate();
        expect(await app.identity()).toEqual({ session: user, current: user });
      }
    });

    test.each([
      ['when the password is set', 'receive:COPY 1'],
      ['before the password is set', 'answer:PASSWORD NULL'],
    ])('setSecret, killed %s, goes on when it is tried again, and after it was given up', async (_, at) => {
      await using scope = roleScope(await sharedServer(version));
      const { base, twin } = await twins(account, scope, {
        ...AS_AWS,
        name: scope.name('svc'),
        adminName: 'svc_admin',
      });
      expect([base.name, twin]).toEqual([scope.name('svc'), scope.name('svc_clone')]);
      for (const turns of [0, 1, 2]) {
        const app = await twins(account, scope, {
          ...{ ...AS_AWS, name: scope.name(`app${turns}`), adminName: `admin${turns}` },
        });
        for (let turn = 0; turn < turns; turn++) await app.rotate();
        const crash = new CrashPoint(at);
        const token = await app.secret.begin();
        await app.secret.step('createSecret', token);
        const killed = { environment: { ...AS_AWS.environment, ...crash.environment } };
        expect(await app.secret.step('setSecret', token, killed)).toMatchObject({ outcome: 'crashed' });
        expect(await canLogin(app.server, await app.login())).toBe('accepted');

        if (turns === 2) await app.giveUp();
        else {
          expect(await app.secret.step('setSecret', token)).toMatchObject({ outcome: 'done' });
          await app.secret.step('testSecret', token);
          await app.secret.step('finishSecret', token);
          expect(await canLogin(app.server, await app.login())).toBe('accepted');
        }
        await app.rotate();
        await app.rotate();
        expect(await canLogin(app.server, await app.login())).toBe('accepted');
      }
    });
  });
});
