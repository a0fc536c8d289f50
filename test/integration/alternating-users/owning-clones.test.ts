import { randomBytes } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adoptClone } from '../../support/adoption.ts';
import { canLogin, roleScope, sharedServer } from '../../support/postgres.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TwinOptions } from '../../support/twin-options.ts';
import { createLogin, outermostVersions, sqlOf, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const newPassword = () => randomBytes(18).toString('base64url');

/** A user and a clone as AWS's function makes it, in a secret as that function leaves it after a turn of each. */
async function cloned(scope: RoleScope, options: TwinOptions = {}): Promise<Twins> {
  const app = await twins(account, scope, options);
  const password = newPassword();
  await createLogin(scope, app.twin, password);
  await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`);
  await app.secret.put({ username: app.twin, password });
  await app.secret.put({ username: app.base.name, password: app.base.password });
  return app;
}

/** What an operator reads in the log of a rotation that succeeds. */
async function noticesOf(app: Twins): Promise<readonly unknown[]> {
  const { outcome, steps } = await app.secret.rotate();
  expect(steps.filter((step) => step.outcome === 'failed')).toEqual([]);
  expect(outcome).toBe('succeeded');
  return steps.flatMap(({ notice }) => notice ?? []);
}

const NOTICE = expect.stringContaining('owns objects');

/** A thing of the clone's: how it makes it, and a statement that only the owner may run. */
interface Thing {
  readonly make: string;
  readonly alter: string;
}

const thing = (app: Twins) => `public.${escapeIdentifier(`thing_of_${app.twin}`)}`;

function tableOf(app: Twins): Thing {
  return { make: `CREATE TABLE ${thing(app)} ()`, alter: `ALTER TABLE ${thing(app)} SET (fillfactor = 50)` };
}

function functionOf(app: Twins): Thing {
  return {
    make: `CREATE FUNCTION ${thing(app)}() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    alter: `ALTER FUNCTION ${thing(app)}() COST 7`,
  };
}

function largeObjectOf(app: Twins): Thing {
  const id = `(hashtext('${app.twin}') & 2147483647)::oid`;
  return { make: `SELECT lo_create(${id})`, alter: `SELECT lo_put(${id}, 0, '\\x01')` };
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each([
    ['a table', tableOf],
    ['a function', functionOf],
    ['a large object', largeObjectOf],
  ])('a clone that owns %s loses nothing, turn after turn, until it is handed over', async (_, thingOf) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await cloned(scope);
    await app.administer(`GRANT CREATE ON SCHEMA public TO ${app.sql.twin}`);
    const { make, alter } = thingOf(app);
    await app.query(make, { label: 'AWSPREVIOUS' });

    for (const user of [app.twin, app.base.name, app.twin]) {
      expect(await noticesOf(app)).toEqual([NOTICE]);
      expect(await app.identity()).toEqual({ session: user, current: user });
      if (user === app.twin) await app.query(alter);
      else await app.query(alter, { label: 'AWSPREVIOUS' });
    }

    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');
    expect(await noticesOf(app)).toEqual([]);
    await app.query(alter);
    expect(await noticesOf(app)).toEqual([]);
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await app.query(alter);
  });

  test.each([
    ['an object in another database', 'schema'],
    ['a database', 'database'],
    // In place, without a folder of its own: from 15 on.
    ...(version >= 15 ? [['a tablespace', 'tablespace']] : []),
  ])('a clone that owns %s loses nothing', async (_, what) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await cloned(scope);
    const database = await scope.createDatabase();
    const space = escapeIdentifier(`space_of_${app.twin}`);
    if (what === 'tablespace')
      await server.withClient(async (client) => {
        await client.query('SET allow_in_place_tablespaces = on');
        await client.query(`CREATE TABLESPACE ${space} OWNER ${app.sql.twin} LOCATION ''`);
      });
    else if (what === 'database')
      await app.administer(`ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${app.sql.twin}`);
    else {
      await app.administer(`GRANT CREATE ON DATABASE ${escapeIdentifier(database)} TO ${app.sql.twin}`);
      await server.query(`CREATE SCHEMA mine AUTHORIZATION ${app.sql.twin}`, undefined, { database });
    }
    const alter =
      what === 'tablespace'
        ? `COMMENT ON TABLESPACE ${space} IS 'mine'`
        : what === 'database'
          ? `COMMENT ON DATABASE ${escapeIdentifier(database)} IS 'mine'`
          : `COMMENT ON SCHEMA mine IS 'mine'`;

    for (const user of [app.twin, app.base.name, app.twin]) {
      expect(await noticesOf(app)).toEqual([NOTICE]);
      expect(await app.identity()).toEqual({ session: user, current: user });
      const clone = await app.login(user === app.twin ? undefined : { label: 'AWSPREVIOUS' });
      await server.query(alter, undefined, { ...clone, database });
    }

    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');
    await app.rotate();
    expect(await noticesOf(app)).toEqual([]);
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await server.query(alter, undefined, { ...(await app.login()), database });
    if (what === 'tablespace') await server.query(`DROP TABLESPACE ${space}`);
  });

  test('default privileges, which are no objects and which nobody can hand over, keep no clone from being adopted', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await cloned(scope);
    await app.administer(`ALTER DEFAULT PRIVILEGES FOR ROLE ${app.sql.twin} GRANT SELECT ON TABLES TO PUBLIC`);
    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');

    expect(await noticesOf(app)).toEqual([]);
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test("a clone that owns objects keeps them where its user's own setting makes that act as a third role", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await cloned(scope);
    const owners = scope.name('owners');
    scope.adopt(owners);
    await app.administer(`
      CREATE ROLE ${escapeIdentifier(owners)}; GRANT ${escapeIdentifier(owners)} TO ${app.sql.base};
      ALTER ROLE ${app.sql.base} SET role = '${owners}';
      GRANT CREATE ON SCHEMA public TO ${app.sql.twin}`);
    await app.query(`CREATE TABLE ${thing(app)} ()`, { label: 'AWSPREVIOUS' });
    const alter = `ALTER TABLE ${thing(app)} SET (fillfactor = 50)`;

    expect(await noticesOf(app)).toEqual([NOTICE]);
    expect(await app.identity()).toEqual({ session: app.twin, current: app.twin });
    await app.query(alter);
  });

  test('a clone whose password the secret does not know, and which owns objects, is vouched for without losing them', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    await createLogin(scope, app.twin, newPassword());
    await app.administer(`
      GRANT ${app.sql.base} TO ${app.sql.twin};
      CREATE TABLE ${thing(app)} (); ALTER TABLE ${thing(app)} OWNER TO ${app.sql.twin}`);

    const { remedy = '' } = await app.refused('TWIN_NOT_LINKED');

    // What comes first has to be done first.
    expect(remedy.indexOf('docs/adopting-aws-clones.md')).toBeGreaterThan(-1);
    expect(remedy.indexOf('docs/adopting-aws-clones.md')).toBeLessThan(remedy.indexOf('SET role'));
    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');
    await app.administer(sqlOf(remedy));
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await app.query(`ALTER TABLE ${thing(app)} SET (fillfactor = 50)`);
    expect(await canLogin(server, await app.login())).toBe('accepted');
  });
});
