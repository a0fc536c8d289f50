import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { postgresVersions, sharedServer } from '../../support/postgres.ts';
import { VERIFIER_IS_LOGGED } from '../../support/role-log.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const IN_THIS_DATABASE = (sql: string) => `DO $$ BEGIN EXECUTE format('${sql}', current_database()); END $$`;

const arrangeOn = async (version: number, options: ArrangementOptions) =>
  await arrange(account, await sharedServer(version), { strategy: 'single-user' }, options);

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test.each<[string, ArrangementOptions]>([
    ['is read-only by default', { prepare: (role) => `ALTER ROLE ${role} SET default_transaction_read_only = on` }],
    [
      'has a database that is read-only by default',
      {
        prepare: () => IN_THIS_DATABASE('ALTER DATABASE %I SET default_transaction_read_only = on'),
        ownDatabase: true,
      },
    ],
    [
      'has serializable, deferrable transactions',
      {
        prepare: (role) => `ALTER ROLE ${role} SET default_transaction_isolation = serializable;
          ALTER ROLE ${role} SET default_transaction_deferrable = on`,
      },
    ],
    [
      'takes backslashes for escapes',
      { prepare: (role) => `ALTER ROLE ${role} SET standard_conforming_strings = off` },
    ],
    ['has no search_path', { prepare: (role) => `ALTER ROLE ${role} SET search_path = ''` }],
    ['has another encoding', { prepare: (role) => `ALTER ROLE ${role} SET client_encoding = 'LATIN1'` }],
    ['has no plpgsql', { prepare: () => 'DROP EXTENSION plpgsql', ownDatabase: true, named: VERIFIER_IS_LOGGED }],
    [
      'may not make temporary tables',
      {
        prepare: () => IN_THIS_DATABASE('REVOKE TEMP ON DATABASE %I FROM PUBLIC'),
        ownDatabase: true,
        named: VERIFIER_IS_LOGGED,
      },
    ],
    [
      'is watched by an event trigger that forbids tables',
      {
        prepare: () => `
          CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL here'; END $$;
          CREATE EVENT TRIGGER forbid ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION forbid()`,
        ownDatabase: true,
        named: VERIFIER_IS_LOGGED,
      },
    ],
    ['inherits nothing', { prepare: (role) => `ALTER ROLE ${role} NOINHERIT` }],
    ['is a superuser', { prepare: (role) => `ALTER ROLE ${role} SUPERUSER` }],
  ])('rotates a role that %s', async (_, options) => {
    await using here = await arrangeOn(version, options);
    const { server, role, secret } = here;

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await accepted(server, role, [role.password])).toEqual([false]);
    await expectWorking(here);
  });

  test('rotates a role that becomes another one at login, and leaves that one alone', async () => {
    await using here = await arrangeOn(version, {
      prepare: (role, scope) => {
        const group = `"${scope.name('group')}"`;
        return `CREATE ROLE ${group}; GRANT ${group} TO ${role}; ALTER ROLE ${role} SET role = ${group}`;
      },
    });
    const { server, role, secret, scope } = here;
    scope.adopt(scope.name('group'));
    await server.query(`ALTER TABLE ${role.table} OWNER TO "${scope.name('group')}"`, undefined, {
      database: role.database,
    });

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await accepted(server, role, [role.password])).toEqual([false]);
    await expectWorking(here);
    const [group] = await server.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [scope.name('group')]);
    expect(group).toEqual({ rolpassword: null });
  });

  test('leaves no table, setting or session behind', async () => {
    await using here = await arrangeOn(version, { ownDatabase: true });
    const { server, role, secret } = here;
    const inspect = async () =>
      await server.query(
        `SELECT (SELECT count(*) FROM pg_class) AS relations,
                (SELECT count(*) FROM pg_db_role_setting s WHERE s.setrole = r.oid) AS settings,
                r.rolvaliduntil, r.rolconnlimit, r.rolcanlogin
           FROM pg_roles r WHERE r.rolname = $1`,
        [role.name],
        { database: role.database },
      );
    const before = await inspect();

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await inspect()).toEqual(before);
  });
});
