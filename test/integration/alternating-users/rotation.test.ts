import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canLogin, followLog, postgresVersions, roleScope, sharedServer } from '../../support/postgres.ts';
import { linesOf } from '../../support/role-log.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { AdminKind } from '../../support/twin-options.ts';
import { outermostVersions, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const CALLS = [
  ...['DescribeSecret', 'GetSecretValue', 'PutSecretValue'],
  ...['DescribeSecret', 'GetSecretValue', 'GetSecretValue', 'GetSecretValue'],
  // testSecret asks nothing: setSecret has logged in.
  ...['DescribeSecret', 'UpdateSecretVersionStage'],
].sort();

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  const admins: AdminKind[] = [
    'superuser',
    'creator',
    'admin-option',
    ...(version < 16 ? ['createrole' as const] : []),
  ];

  test.each(
    admins,
  )('four rotations in a row take turns, nine calls and three logins each (admin: %s)', async (admin) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope, { admin });
    await app.rotate(); // warms the instance up
    const passwords = new Set([app.base.password, await app.secret.password()]);
    let user = app.twin;

    for (let round = 2; round <= 4; round++) {
      const previous = await app.login();
      const { calls, accepted, failed } = await app.countedRotation();
      user = user === app.twin ? app.base.name : app.twin;

      expect(calls.toSorted()).toEqual(CALLS);
      expect(accepted).toEqual([1, 1, 1]); // the base role, the twin, the administrator
      expect(failed).toEqual([0, 0, 0]);
      expect(await app.identity()).toEqual({ session: user, current: app.base.name });
      expect(await canLogin(server, previous)).toBe('accepted');
      passwords.add(await app.secret.password());
    }

    expect(passwords.size).toBe(5);
    const { base } = app;
    expect(await canLogin(server, { user: base.name, password: base.password })).toBe('refused');
  });
});

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test('a cold instance may do with three logins and none fails', async () => {
    await using scope = roleScope(await sharedServer(version));
    const cold = await twins(account, scope, { environment: { COLD: randomBytes(4).toString('hex') } });

    const { accepted, failed } = await cold.countedRotation();

    expect(accepted).toEqual([1, 1, 1]);
    expect(failed).toEqual([0, 0, 0]);
  });

  test('whatever either login makes belongs to the base role, and both can alter it', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.administer(`CREATE SCHEMA ${app.sql.base} AUTHORIZATION ${app.sql.base}`);
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });

    await app.query(`CREATE TABLE ${app.sql.base}.by_twin (id int)`);
    await app.query(`DISCARD ALL`);
    await app.query(`ALTER TABLE ${app.base.table} ADD COLUMN added_by_twin int`);
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
    await app.query(`CREATE TABLE ${app.sql.base}.by_base (id int)`);
    await app.query(`ALTER TABLE ${app.sql.base}.by_twin ADD COLUMN added_by_base int`);
    await app.rotate();
    await app.query(`ALTER TABLE ${app.sql.base}.by_base ADD COLUMN added_by_twin int`);

    const owners = await app.server.query(
      `SELECT tablename, tableowner FROM pg_tables WHERE schemaname = $1 ORDER BY tablename`,
      [app.base.name],
    );
    expect(owners).toEqual([
      { tablename: 'by_base', tableowner: app.base.name },
      { tablename: 'by_twin', tableowner: app.base.name },
    ]);
    await app.query(`DROP TABLE ${app.sql.base}.by_base, ${app.sql.base}.by_twin`);
  });

  test('row-level security by current_user shows both logins the same rows', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const { base } = app.sql;
    await app.administer(`
      CREATE SCHEMA ${base} AUTHORIZATION ${base};
      CREATE TABLE ${base}.documents (owner name DEFAULT current_user, title text);
      INSERT INTO ${base}.documents VALUES ('${app.base.name}', 'mine'), ('somebody', 'theirs');
      ALTER TABLE ${base}.documents OWNER TO ${base}, ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
      CREATE POLICY own ON ${base}.documents USING (owner = current_user)`);

    await app.query(`INSERT INTO ${base}.documents (title) VALUES ('by base')`);
    await app.rotate();
    await app.query(`INSERT INTO ${base}.documents (title) VALUES ('by twin')`);
    const asTwin = await app.query(`SELECT title FROM ${base}.documents ORDER BY title`);
    await app.rotate();
    const asBase = await app.query(`SELECT title FROM ${base}.documents ORDER BY title`);

    expect(asTwin).toEqual([{ title: 'by base' }, { title: 'by twin' }, { title: 'mine' }]);
    expect(asBase).toEqual(asTwin);
  });

  test('who logs in by SCRAM goes on doing so, whatever the server makes of new passwords', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    await app.administer(`ALTER ROLE ${app.sql.admin} SET password_encryption = 'md5'`);
    // pg_hba.conf takes nothing but SCRAM here.
    for (const session of [app.twin, app.base.name]) {
      await app.rotate();
      expect(await app.identity()).toEqual({ session, current: app.base.name });
    }
  });

  test('a turn that finds nothing to mend alters the password only, and the log shows neither it nor its verifier', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope, { attributes: `CONNECTION LIMIT 7 VALID UNTIL '2999-01-01'` });
    await app.administer(`ALTER ROLE ${app.sql.base} SET search_path = '$user', "Odd, one", public`);
    const logged = await followLog(server);
    const rotate = async () => {
      const log = await followLog(server);
      await app.rotate();
      return ((await log()).match(/\b(CREATE ROLE|ALTER ROLE|GRANT|REVOKE) [^;'\n]*/g) ?? []).filter((statement) =>
        statement.includes(app.base.name),
      );
    };
    const [first, baseTurn, twinTurn] = [await rotate(), await rotate(), await rotate()];
    const password = await app.secret.password();
    const previous = await app.secret.password({ label: 'AWSPREVIOUS' });
    const log = linesOf(await logged(), app.admin.name, app.base.name, app.twin);

    expect(first.map((statement) => statement.split(' ', 1)[0])).toEqual([
      'CREATE',
      'GRANT',
      'ALTER',
      'ALTER',
      'ALTER', // … PASSWORD NULL, which takes the role's row with nothing to hide
      'ALTER', // the password
    ]);
    // The second is the text of a block, which puts the stored form behind it.
    expect(baseTurn).toEqual([`ALTER ROLE ${app.sql.base} PASSWORD NULL`, `ALTER ROLE ${app.sql.base}`]);
    expect(twinTurn).toEqual([`ALTER ROLE ${app.sql.twin} PASSWORD NULL`, `ALTER ROLE ${app.sql.twin}`]);
    expect(log).toContain('ALTER ROLE');
    expect([password, previous, 'SCRAM-SHA-256$'].map((secret) => log.includes(secret))).toEqual([false, false, false]);
  });
});
