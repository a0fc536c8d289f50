import { randomUUID } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { canLogin, countLogins, followLog, roleScope, sharedServer, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { failureOf, outermostVersions, rolesNamed, sqlOf, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const asTwin = (app: Twins) => ({ session: app.twin, current: app.base.name });
/** To who comes without TLS, a server does not say whether TLS would help. */
const REJECTED = 'TLS_REQUIRED';
const other = () => ({ environment: { INSTANCE: randomUUID() } });

/** As another instance that is at work on the role has it. */
async function lockOf(app: Twins): Promise<{ isAwaited(): Promise<void>; release(): Promise<void> }> {
  const client = await app.server.connect();
  const key = `hashtextextended('postgres-secret-rotation:' || ${escapeLiteral(app.base.name)}, 0)`;
  await client.query(`SELECT pg_advisory_lock(${key})`);
  return {
    isAwaited: async () =>
      void (await waitFor('somebody to wait for the lock', async () => {
        const waiting = await app.server.query(
          `SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event = 'advisory'`,
          [app.admin.name],
        );
        return waiting.length > 0 || undefined;
      })),
    release: () => client.end(),
  };
}

/** Rules before those that the server has; none: only those. */
async function admit(server: PostgresServer, rules: readonly string[]): Promise<() => Promise<void>> {
  const [file] = await server.query<{ path: string; text: string }>(
    `SELECT current_setting('hba_file') AS path, pg_read_file(current_setting('hba_file')) AS text`,
  );
  if (file === undefined) throw new Error('A server should name its pg_hba.conf, and named none.');
  const write = async (text: string) => {
    const lines = text.split('\n').map((line) => `(${escapeLiteral(line)})`);
    await server.query(`COPY (VALUES ${lines.join(', ')}) TO ${escapeLiteral(file.path)}`);
    await server.query('SELECT pg_reload_conf()');
    const wanted = text.split('\n').filter((line) => /^[a-z]/.test(line)).length;
    await waitFor('the rules to be read', async () => {
      const [row] = await server.query<{ rules: number }>('SELECT count(*)::int AS rules FROM pg_hba_file_rules');
      return row?.rules === wanted || undefined;
    });
    await server.reconfigure({});
  };
  await write([...rules, file.text].join('\n'));
  return () => write(file.text);
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test("a twin's login that pg_hba.conf refuses ends setSecret, AWSCURRENT stands, and the same attempt goes on once it is let in", async () => {
    await using server = await startTestServer({ version });
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    const before = await app.login();
    const takeBack = await admit(server, [`host all "${app.twin}" all reject`]);

    const failure = failureOf(await app.secret.rotate());

    expect(failure).toMatchObject({ step: 'setSecret', error_code: REJECTED, credential: 'pending' });
    expect(failure.username).toBe(app.twin);
    expect(await canLogin(server, before)).toBe('accepted');
    expect(await app.login()).toEqual(before);
    const { AWSPENDING = '' } = await app.secret.labels();
    expect(await app.secret.step('finishSecret', AWSPENDING)).toMatchObject({ error_code: REJECTED });
    await takeBack();
    expect((await app.secret.rotate({ token: AWSPENDING })).outcome).toBe('succeeded');
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test('setSecret waits for whoever is at work on the role', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    for (let turn = 1; turn <= 2; turn++) {
      const token = await app.secret.begin();
      await app.secret.step('createSecret', token);
      const lock = await lockOf(app);
      const before = await app.roles();
      const step = app.secret.step('setSecret', token);
      try {
        await lock.isAwaited();
        expect(await app.roles()).toEqual(before);
      } finally {
        await lock.release();
      }
      expect(await step).toMatchObject({ outcome: 'done' });
      await app.secret.step('testSecret', token);
      expect(await app.secret.step('finishSecret', token)).toMatchObject({ outcome: 'done' });
      expect(await canLogin(app.server, await app.login())).toBe('accepted');
    }
  });

  test('an administrator whose session is ended while it waits for the role: the step says so, and tries again', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.rotate();
    await app.rotate();
    const token = await app.secret.begin();
    await app.secret.step('createSecret', token);
    const client = await app.server.connect();
    await client.query(`BEGIN; ALTER ROLE ${app.sql.twin} CONNECTION LIMIT 99`);
    const step = app.secret.step('setSecret', token);
    try {
      await waitFor('the session that waits to be ended', async () => {
        const ended = await app.server.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'`,
          [app.admin.name],
        );
        return ended.length > 0 || undefined;
      });
      await client.query('ROLLBACK');
    } finally {
      await client.end();
    }

    // Not that the connection was lost, which is what came of it.
    expect(await step).toMatchObject({ outcome: 'done', waited_for: 'DATABASE_UNAVAILABLE' });
    expect(await canLogin(app.server, await app.login({ versionId: token }))).toBe('accepted');
  });

  test.each([
    ['in the same database', 'postgres'],
    ['in another', 'other'],
  ])("a late setSecret of a rotation that was given up changes nothing beside a newer one's, %s", async (_, where) => {
    await using scope = roleScope(await sharedServer(version));
    const dbname = where === 'other' ? await scope.createDatabase('other') : where;
    const app = await twins(account, scope);
    for (const session of [app.twin, app.base.name]) {
      const late = await app.secret.begin();
      await app.secret.step('createSecret', late);
      await app.superuserSecret.put({ dbname: 'postgres' });
      const lock = await lockOf(app);
      const lateStep = app.secret.step('setSecret', late, other());
      await lock.isAwaited();
      await app.giveUp();
      await app.superuserSecret.put({ dbname });
      const token = await app.secret.begin();
      await app.secret.step('createSecret', token);
      const step = app.secret.step('setSecret', token);
      // In another database the lock is nobody's, and the newer one is through before the late one goes on.
      if (where === 'other') await step;
      await lock.release();

      // A version without a label is none that DescribeSecret knows.
      expect(await lateStep).toMatchObject({ error_code: 'VERSION_UNKNOWN' });
      expect(await step).toMatchObject({ outcome: 'done' });
      expect(await canLogin(app.server, await app.login({ versionId: token }))).toBe('accepted');
      expect(await canLogin(app.server, await app.login({ versionId: late }))).toBe('refused');
      expect(await canLogin(app.server, await app.login())).toBe('accepted');
      await app.secret.step('testSecret', token);
      await app.secret.step('finishSecret', token);
      expect(await app.identity()).toEqual({ session, current: app.base.name });
    }
  });

  test('a first turn beside another one that has just made the twin, in another database: it looks again', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const token = await app.secret.begin();
    await app.secret.step('createSecret', token);
    const step = await app.server.withClient(async (client) => {
      await client.query(`BEGIN; CREATE ROLE ${app.sql.twin} LOGIN IN ROLE ${app.sql.base};
        ALTER ROLE ${app.sql.twin} SET role = ${escapeLiteral(app.base.name)}`);
      const running = app.secret.step('setSecret', token);
      await waitFor('it to wait for the name', async () => {
        const waiting = await app.server.query(
          `SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event = 'transactionid'`,
          [app.admin.name],
        );
        return waiting.length > 0 || undefined;
      });
      await client.query('COMMIT');
      return running;
    });

    expect(await step).toMatchObject({ outcome: 'done' });
    for (const each of ['testSecret', 'finishSecret'] as const)
      expect(await app.secret.step(each, token)).toMatchObject({ outcome: 'done' });
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test('a late setSecret whose rotation is finished meanwhile changes nothing', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const token = await app.secret.begin();
    await app.secret.step('createSecret', token);
    await app.superuserSecret.put({ dbname: 'postgres' });
    const lock = await lockOf(app);
    const late = app.secret.step('setSecret', token, other());
    await lock.isAwaited();
    await app.superuserSecret.put({ dbname: await scope.createDatabase('other') });
    for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const) await app.secret.step(step, token);
    const after = await app.roles();
    await lock.release();

    expect(await late).toMatchObject({ outcome: 'already-current' });
    expect(await app.roles()).toEqual(after);
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test("a twin whose connections are all the application's is rotated by its password alone", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { attributes: 'CONNECTION LIMIT 1' });
    await app.rotate();
    await app.rotate();
    const client = await app.server.connect(await app.login({ label: 'AWSPREVIOUS' }));
    try {
      await app.rotate();
    } finally {
      await client.end();
    }
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test('the same as AWS has it (ALTERNATING_SET_ROLE=false)', async () => {
    await using scope = roleScope(await sharedServer(version));
    const database = await scope.createDatabase();
    const app = await twins(account, scope, {
      database,
      attributes: 'CONNECTION LIMIT 1',
      environment: { ALTERNATING_SET_ROLE: 'false' },
    });
    await app.rotate();
    await app.rotate();
    const client = await app.server.connect(await app.login({ label: 'AWSPREVIOUS' }));
    try {
      await app.rotate();
      expect((await app.login()).user).toBe(app.twin);
    } finally {
      await client.end();
    }
    expect(await canLogin(app.server, await app.login())).toBe('accepted');
  });

  test.each([
    ['a database that is not there', { dbname: 'none of this name' }, 'DATABASE_NOT_FOUND'],
    ['TLS where the server has none', { ssl: true }, 'TLS_NOT_SUPPORTED'],
    ['a host that is none', { host: 'none.invalid' }, 'DATABASE_HOST_NOT_FOUND'],
    ['an ARN that is none', { masterarn: 'not an ARN' }, 'SECRET_MALFORMED'],
    ['no ARN', { masterarn: null }, 'SUPERUSER_SECRET_MISSING'],
    ['a wrong password', { password: 'not the password' }, 'PASSWORD_NOT_ACCEPTED'],
  ])('AWSCURRENT with %s ends createSecret without a value, and corrected it is what the same attempt uses', async (_, members, code) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const good = JSON.parse(await app.secret.text());
    await app.secret.put(members);

    const result = await app.secret.rotate();

    expect(failureOf(result)).toMatchObject({ step: 'createSecret', error_code: code });
    await expect(app.secret.text({ versionId: result.token })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await app.secret.putText(JSON.stringify(good));
    expect((await app.secret.rotate({ token: result.token })).outcome).toBe('succeeded');
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test.each([
    [
      'a secret that is not there',
      () => `arn:aws:secretsmanager:us-east-1:123456789012:secret:none-a1B2c3`,
      'SUPERUSER_SECRET_UNUSABLE',
    ],
    ['a login of the application', ({ secret }: Twins) => secret.arn, 'SUPERUSER_IS_APPLICATION_USER'],
  ])('AWSCURRENT with the ARN of %s changes nothing in setSecret, and corrected it is used once AWSPENDING is off', async (_, arn, code) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const good = JSON.parse(await app.secret.text());
    await app.secret.put({ masterarn: arn(app) });
    const before = await app.roles();

    const result = await app.secret.rotate();

    expect(failureOf(result)).toMatchObject({
      step: 'setSecret',
      error_code: code,
      remedy: expect.stringContaining('--version-stage AWSPENDING --remove-from-version-id'),
    });
    await app.secret.putText(JSON.stringify(good));
    const again = await app.secret.rotate({ token: result.token });
    expect(failureOf(again)).toMatchObject({ error_code: 'PENDING_MISMATCH' });
    expect(await app.roles()).toEqual(before);
    await app.giveUp();
    await app.rotate();
    expect(await app.identity()).toEqual(asTwin(app));
  });

  test.each([
    ['a wrong password', { password: 'not the password' }, 'PASSWORD_NOT_ACCEPTED'],
    ['a database that is not there', { dbname: 'none of this name' }, 'DATABASE_NOT_FOUND'],
    ['TLS where the server has none', { ssl: true }, 'TLS_NOT_SUPPORTED'],
  ])('a superuser secret with %s changes nothing, and corrected it is what the same attempt uses', async (_, members, code) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const good = JSON.parse(await app.superuserSecret.text());
    await app.superuserSecret.put(members);
    const before = await app.roles();

    const result = await app.secret.rotate();

    expect(failureOf(result)).toMatchObject({
      step: 'setSecret',
      error_code: code,
      credential: 'superuser',
      remedy: expect.stringContaining('the superuser secret'),
    });
    expect(await app.roles()).toEqual(before);
    await app.superuserSecret.putText(JSON.stringify(good));
    expect((await app.secret.rotate({ token: result.token })).outcome).toBe('succeeded');
    expect(await app.identity()).toEqual(asTwin(app));
  });

  describe('PASSWORD_HASHING=server where the administrator has no way past the log', () => {
    test.each([
      ['no temporary tables', (d: string) => `REVOKE TEMP ON DATABASE ${d} FROM PUBLIC`, 'GRANT TEMP'],
      ['no plpgsql', () => 'REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC', 'GRANT USAGE ON LANGUAGE'],
      [
        'an event trigger',
        () => `
          CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
          CREATE EVENT TRIGGER "watch ""all""" ON ddl_command_end EXECUTE FUNCTION public.watch()`,
        'ALTER EVENT TRIGGER',
      ],
    ])('%s: refused before anything changes, and what the remedy says leads on', async (_, damage, word) => {
      const server = await sharedServer(version);
      await using scope = roleScope(server);
      const database = await scope.createDatabase();
      const app = await twins(account, scope, {
        admin: 'creator',
        environment: { PASSWORD_HASHING: 'server' },
        superuserMembers: { dbname: database },
      });
      const there = { database };
      await server.query(damage(escapeIdentifier(database)), undefined, there);
      const logged = await followLog(server);
      const logins = await countLogins(server);

      const result = await app.secret.rotate();

      const failure = failureOf(result);
      expect(failure).toMatchObject({ step: 'setSecret', error_code: 'PASSWORD_WOULD_BE_LOGGED' });
      expect(await rolesNamed(server, [app.twin])).toEqual([]);
      expect(failure.remedy).toContain(word);
      const [statement = ''] = /(GRANT|ALTER EVENT TRIGGER)[^;]*;/.exec(`${failure.remedy}`) ?? [];
      await server.query(statement, undefined, there);
      expect((await app.secret.rotate({ token: result.token })).outcome).toBe('succeeded');
      expect(await app.identity()).toEqual(asTwin(app));
      expect((await logged()).includes(await app.secret.password())).toBe(false);
      expect((await logins(app.twin)).failed).toBe(0);
    });
  });

  test('what an administrator lacks is refused before the change, and granted is what the same attempt goes on with', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin: 'admin-option' });
    await app.administer(`ALTER ROLE ${app.sql.admin} NOCREATEROLE`);
    const before = await app.roles();

    const result = await app.secret.rotate();

    const failure = failureOf(result);
    expect(failure).toMatchObject({ step: 'setSecret', error_code: 'PERMISSION_DENIED' });
    expect(await app.roles()).toEqual(before);
    await app.administer(sqlOf(failure.remedy));
    expect((await app.secret.rotate({ token: result.token })).outcome).toBe('succeeded');
  });
});
