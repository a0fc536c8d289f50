import { escapeIdentifier } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followLog, roleScope, sharedServer } from '../../support/postgres.ts';
import { linesOf } from '../../support/role-log.ts';
import { TestAccount } from '../../support/test-account.ts';
import { outermostVersions, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

interface Stored {
  readonly database: string | null;
  readonly settings: readonly string[];
}

/** A role's settings as the catalogue stores them, but for the one that makes a twin act as its base. */
async function settingsOf(app: Twins, role: string): Promise<Stored[]> {
  return await app.server.query<{ database: string | null; settings: string[] }>(
    `SELECT datname::text AS database, ARRAY(SELECT setting FROM unnest(setconfig) AS setting
                                        WHERE setting <> 'role=' || $2 ORDER BY 1) AS settings
       FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
      WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = $1) ORDER BY 1`,
    [role, app.base.name],
  );
}

async function expectSameSettings(app: Twins): Promise<void> {
  expect((await settingsOf(app, app.twin)).filter(({ settings }) => settings.length > 0)).toEqual(
    await settingsOf(app, app.base.name),
  );
}

const ODD_PATHS = [
  `"$user", public`,
  `'a ''quoted'' one', "with ""double"" ones", "Capitals", "com,ma", ünï`,
  `''`,
  `'a, b'`,
];

const ODD_VALUES: readonly [setting: string, value: string][] = [
  ['temp_tablespaces', `''`],
  ['DateStyle', `'SQL, DMY'`],
  ['TimeZone', `'Europe/Berlin'`],
  ['work_mem', `'7MB'`],
  ['statement_timeout', `'61s'`],
  ['default_transaction_read_only', 'off'],
  ['app.tenant', `'O''Neill \\ "x" = y'`],
  ['app.empty', `''`],
];

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test('settings of odd values are copied as they are, in every database, and found unchanged the next time', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const database = await scope.createDatabase(`it's "one" = two`);
    for (const [index, path] of ODD_PATHS.entries()) {
      const app = await twins(account, scope, { name: scope.name(`odd${index}`), adminName: `admin${index}` });
      const where = ['', ` IN DATABASE ${escapeIdentifier(database)}`];
      const settings = [['search_path', path], ...ODD_VALUES].map(([name, value]) => `SET ${name} TO ${value}`);
      await app.administer(
        where.flatMap((each) => settings.map((set) => `ALTER ROLE ${app.sql.base}${each} ${set}`)).join(';'),
      );
      await app.rotate();
      await expectSameSettings(app);
      await app.rotate();
      const logged = await followLog(server);
      await app.rotate();
      const log = linesOf(await logged(), app.admin.name);
      expect(log).toContain('ALTER ROLE');
      expect(log.match(/ALTER ROLE "[^;'\n]*(SET|RESET)/g)).toBeNull();
    }
  });

  test('the session of either login has the same settings', async () => {
    await using scope = roleScope(await sharedServer(version));
    const database = await scope.createDatabase();
    const app = await twins(account, scope, { database });
    await app.administer(`
      ALTER ROLE ${app.sql.base} SET search_path = '$user', "Odd, one";
      ALTER ROLE ${app.sql.base} SET work_mem = '7MB';
      ALTER ROLE ${app.sql.base} SET app.tenant = 'everywhere';
      ALTER ROLE ${app.sql.base} IN DATABASE ${escapeIdentifier(database)} SET app.tenant = 'here'`);
    const look = () =>
      app.query(`SELECT current_setting('search_path') AS path, current_setting('work_mem') AS memory,
                        current_setting('app.tenant') AS tenant, current_user::text AS acts`);
    const before = await look();

    await app.rotate();

    expect(await look()).toEqual(before);
    expect(before).toEqual([{ path: '"$user", "Odd, one"', memory: '7MB', tenant: 'here', acts: app.base.name }]);
  });

  test('a search_path that was stored as it was written, unquoted, means the same for the twin', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const { base } = app.sql;
    await app.administer(`
      CREATE SCHEMA ${base} AUTHORIZATION ${base};
      SELECT set_config('search_path', '${app.base.name.toUpperCase()},"$user"', false);
      ALTER ROLE ${base} SET search_path FROM CURRENT`);
    const look = () => app.query('SELECT current_schemas(false)::text AS schemas');
    const before = await look();

    await app.rotate();

    expect(await look()).toEqual(before);
    expect(before).toEqual([{ schemas: `{${app.base.name}}` }]);
  });

  test('settings changed or removed on the base role later are reconciled, and so are those of the twin alone', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const { base, twin } = app.sql;
    await app.administer(`
      ALTER ROLE ${base} SET work_mem = '7MB';
      ALTER ROLE ${base} IN DATABASE postgres SET statement_timeout = '61s';
      ALTER ROLE ${base} SET "app.old" = 'x'`);
    await app.rotate();
    await app.rotate();

    await app.administer(`
      ALTER ROLE ${base} SET work_mem = '8MB';
      ALTER ROLE ${base} IN DATABASE postgres RESET ALL;
      ALTER ROLE ${base} RESET "app.old";
      ALTER ROLE ${twin} SET search_path = 'somewhere';
      ALTER ROLE ${twin} IN DATABASE postgres SET role = 'none'`);
    await app.rotate();

    await expectSameSettings(app);
    expect(await settingsOf(app, app.base.name)).toEqual([{ database: null, settings: ['work_mem=8MB'] }]);
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test('settings that say nothing of a session, which can be given but not taken back singly, are in no way', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const { base, twin } = app.sql;
    const readOnly = 'SET transaction_read_only = on';
    await app.query(`ALTER ROLE ${base} ${readOnly}`);
    await app.administer(`
      BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE;
      ALTER ROLE ${base} SET transaction_isolation = 'serializable';
      ALTER ROLE ${base} IN DATABASE postgres SET seed = 0.5;
      COMMIT`);
    const write = () => app.query('CREATE TEMPORARY TABLE written (id int)');
    const isolation = () => app.query(`SELECT current_setting('transaction_isolation') AS isolation`);
    const before = [await write(), await isolation()];
    await app.rotate();
    expect([await write(), await isolation()]).toEqual(before);

    // As an earlier release has left them with the twin.
    await app.administer(`ALTER ROLE ${twin} ${readOnly}; ALTER ROLE ${twin} IN DATABASE postgres SET seed = 0.5`);
    await app.rotate();
    await app.administer(`ALTER ROLE ${base} RESET ALL; ALTER ROLE ${base} IN DATABASE postgres RESET ALL`);
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    expect([await write(), await isolation()]).toEqual(before);
  });

  test('CONNECTION LIMIT, VALID UNTIL and REPLICATION are copied, and reconciled when they change or go', async () => {
    await using scope = roleScope(await sharedServer(version));
    const attributes = `CONNECTION LIMIT 3 VALID UNTIL '2999-12-31 23:59:59.5+02' REPLICATION`;
    const app = await twins(account, scope, { attributes });
    const limits = async () =>
      await app.server.query(
        `SELECT rolconnlimit AS limit, rolvaliduntil AS until, rolreplication AS replication
           FROM pg_roles WHERE rolname IN ($1, $2) ORDER BY rolname`,
        [app.base.name, app.twin],
      );
    await app.rotate();
    const first = await limits();
    await app.rotate();
    await app.administer(
      `ALTER ROLE ${app.sql.base} CONNECTION LIMIT -1 VALID UNTIL 'infinity' NOREPLICATION;
       ALTER ROLE ${app.sql.twin} CONNECTION LIMIT 9`,
    );
    await app.rotate();
    const second = await limits();

    expect(first[0]).toMatchObject({ limit: 3, replication: true });
    expect(first[1]).toEqual(first[0]);
    expect(second).toEqual(Array(2).fill({ limit: -1, until: Number.POSITIVE_INFINITY, replication: false }));
  });

  test('a base role that acts as yet another role has a twin that does so too', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const owner = scope.name('owner');
    scope.adopt(owner);
    await app.administer(`
      CREATE ROLE ${escapeIdentifier(owner)};
      GRANT ${escapeIdentifier(owner)} TO ${app.sql.base};
      ALTER ROLE ${app.sql.base} SET role = ${escapeIdentifier(owner)}`);

    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: owner });
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: owner });
  });
});
