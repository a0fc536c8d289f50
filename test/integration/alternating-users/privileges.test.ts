import { escapeIdentifier } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresVersions, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { sqlOf, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** Expects PERMISSION_DENIED, runs the remedies as a superuser, as an operator would, and expects the rotation to succeed. */
async function remedied(app: Twins, atMost = 1): Promise<string[]> {
  const run: string[] = [];
  for (;;) {
    const failure = await app.refused('PERMISSION_DENIED');
    expect(failure).toMatchObject({ step: 'setSecret', credential: 'superuser' });
    const sql = sqlOf(failure.remedy);
    run.push(sql);
    await app.administer(sql);
    if (run.length === atMost) break;
  }
  await app.rotate();
  return run;
}

/** PostgreSQL changed its rules with 15 and with 16. */
const VERSIONS = postgresVersions().filter((version) => version !== 17);

describe.each(VERSIONS)('PostgreSQL %i', (version) => {
  const since16 = test.runIf(version >= 16);
  const before16 = test.runIf(version < 16);

  since16(
    "without ADMIN OPTION on the base role the refusal names the GRANT that is needed, on either's turn",
    async () => {
      await using scope = roleScope(await sharedServer(version));
      const app = await twins(account, scope, { admin: 'createrole' });
      const grant = `GRANT ${app.sql.base} TO ${app.sql.admin} WITH ADMIN OPTION;`;

      expect(await remedied(app)).toEqual([grant]);
      await app.administer(`REVOKE ${app.sql.base} FROM ${app.sql.admin} CASCADE`);
      await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`); // which the REVOKE took with it
      expect(await remedied(app)).toEqual([grant]);
      expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
    },
  );

  since16('a twin that somebody else made needs ADMIN OPTION too', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin: 'admin-option' });
    // By a membership alone it would not be known to be the twin.
    await app.administer(`
      CREATE ROLE ${app.sql.twin} LOGIN IN ROLE ${app.sql.base};
      ALTER ROLE ${app.sql.twin} SET role = '${app.base.name}'`);

    expect(await remedied(app)).toEqual([`GRANT ${app.sql.twin} TO ${app.sql.admin} WITH ADMIN OPTION;`]);
  });

  test('without CREATEROLE the refusal names it', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin: 'admin-option' });
    await app.administer(`ALTER ROLE ${app.sql.admin} NOCREATEROLE`);

    expect(await remedied(app)).toEqual([`ALTER ROLE ${app.sql.admin} CREATEROLE;`]);
  });

  since16("a base role's REPLICATION needs an administrator that has it", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin: 'creator' });
    await app.administer(`ALTER ROLE ${app.sql.base} REPLICATION`);

    expect(await remedied(app)).toEqual([`ALTER ROLE ${app.sql.admin} REPLICATION;`]);
    await app.rotate();
  });

  before16("a role with REPLICATION needs a superuser, on either's turn", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin: 'createrole' });
    await app.rotate();
    await app.administer(`ALTER ROLE ${app.sql.base} REPLICATION`);
    expect(await remedied(app)).toHaveLength(1);

    await app.administer(`ALTER ROLE ${app.sql.base} REPLICATION; ALTER ROLE ${app.sql.admin} NOSUPERUSER`);
    expect(await remedied(app)).toHaveLength(1);
  });

  test.each([
    ['log_statement', 'none'],
    ['app.tenant', 'one'],
  ])('a setting that the administrator may not give (%s) is refused before anything changes', async (name, value) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin: 'creator' });
    await app.administer(`ALTER ROLE ${app.sql.base} SET ${name} = '${value}'`);

    const [sql = ''] = await remedied(app);

    if (version >= 15) {
      expect(sql).toBe(`GRANT SET ON PARAMETER ${escapeIdentifier(name)} TO ${app.sql.admin};`);
      expect(await app.query(`SELECT current_setting('${name}') AS value`)).toEqual([{ value }]);
      await app.administer(`REVOKE SET ON PARAMETER ${escapeIdentifier(name)} FROM ${app.sql.admin}`);
    }
  });

  test('as AWS has it (ALTERNATING_SET_ROLE=false), CREATEDB, CREATEROLE and BYPASSRLS are given or refused in words', async () => {
    await using scope = roleScope(await sharedServer(version));
    const environment = { ALTERNATING_SET_ROLE: 'false' };
    const app = await twins(account, scope, { admin: 'creator', environment });
    await app.administer(`ALTER ROLE ${app.sql.base} CREATEDB CREATEROLE BYPASSRLS`);
    const remedies = version >= 16 ? ['CREATEDB', 'BYPASSRLS'] : ['BYPASSRLS'];

    expect(await remedied(app, remedies.length)).toEqual(remedies.map((word) => expect.stringContaining(word)));

    const [row] = await app.server.query(
      'SELECT rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = $1',
      [app.twin],
    );
    expect(row).toEqual({ rolcreatedb: true, rolcreaterole: true, rolbypassrls: true });
  });
});
