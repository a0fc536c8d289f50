import { randomUUID } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adoptClone } from '../../support/adoption.ts';
import { codeBlocks } from '../../support/documents.ts';
import { canLogin, newestVersion, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TwinOptions } from '../../support/twin-options.ts';
import { createLogin, outermostVersions, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const CLONE_PASSWORD = 'clone-password-before-adoption';

/** A user, and a clone as AWS's function makes it, in a secret as that function leaves it after the clone's turn and the user's. */
async function cloned(scope: ReturnType<typeof roleScope>, options: TwinOptions = {}): Promise<Twins> {
  const app = await twins(account, scope, options);
  const { base, twin } = app.sql;
  await createLogin(scope, app.twin, CLONE_PASSWORD);
  await app.administer(`GRANT ${base} TO ${twin}; CREATE SCHEMA ${base} AUTHORIZATION ${base}`);
  await app.secret.put({ username: app.twin, password: CLONE_PASSWORD });
  await app.secret.put({ username: app.base.name, password: app.base.password });
  return app;
}

/** The same, after it has worked for a while: it owns a table and a function, beside its user's. */
async function owning(scope: ReturnType<typeof roleScope>, options: TwinOptions = {}): Promise<Twins> {
  const app = await cloned(scope, options);
  const { base, twin } = app.sql;
  await app.administer(`
    CREATE TABLE ${base}.by_clone (id int);
    ALTER TABLE ${base}.by_clone OWNER TO ${twin};
    CREATE FUNCTION ${base}.clones_own() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER FUNCTION ${base}.clones_own() OWNER TO ${twin};
    CREATE TABLE ${base}.shared (id int);
    GRANT SELECT ON ${base}.shared TO ${twin}`);
  return app;
}

/** What an operator reads in the log of a rotation that succeeds. */
async function noticesOf(app: Twins): Promise<readonly unknown[]> {
  const { outcome, steps } = await app.secret.rotate();
  expect(outcome).toBe('succeeded');
  return steps.flatMap(({ notice }) => notice ?? []);
}

async function ownerOf(app: Twins, table: string): Promise<string | undefined> {
  const sql = 'SELECT tableowner::text AS owner FROM pg_tables WHERE schemaname = $1 AND tablename = $2';
  const [row] = await app.server.query<{ owner: string }>(sql, [app.base.name, table]);
  return row?.owner;
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test("a clone that AWS's function made, and that owns nothing, is adopted at its next turn", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await cloned(scope);

    expect(await noticesOf(app)).toEqual([]);

    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    expect(await canLogin(server, { user: app.twin, password: CLONE_PASSWORD })).toBe('refused');
  });

  test('a clone that owns objects goes on acting as itself, which every rotation says, until they are handed over', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await owning(scope);
    const { base } = app.sql;
    const notice = expect.stringMatching(/owns objects.*docs\/adopting-aws-clones\.md/);

    for (const [turn, user] of [app.twin, app.base.name, app.twin, app.base.name].entries()) {
      expect(await noticesOf(app)).toEqual([notice]);
      expect(await app.identity()).toEqual({ session: user, current: user });
      // As with AWS's function: each login alters what it owns, the clone reads what the user owns.
      await app.query(`SELECT item FROM ${app.base.table}`);
      const alter = app.query(`ALTER TABLE ${base}.by_clone ADD COLUMN in_turn_${turn} int`);
      await (user === app.twin ? alter : expect(alter).rejects.toMatchObject({ code: '42501' }));
    }
    expect(await ownerOf(app, 'by_clone')).toBe(app.twin);

    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');
    expect(await noticesOf(app)).toEqual([]);
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await app.query(`ALTER TABLE ${base}.by_clone ADD COLUMN by_twin int`);
    await app.rotate();
    await app.query(`ALTER TABLE ${base}.by_clone ADD COLUMN by_base int`);
    expect(await ownerOf(app, 'by_clone')).toBe(app.base.name);
  });

  test.each([
    ['nothing, is adopted when its turn comes again', cloned, 'base'],
    ['objects, goes on acting as itself when its turn comes again', owning, 'itself'],
  ] as const)('a clone that is the current login, and owns %s', async (_, arrange, actsAs) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await arrange(scope);
    await app.secret.put({ username: app.twin, password: CLONE_PASSWORD });

    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
    await app.rotate();
    expect(await app.identity()).toEqual({
      session: app.twin,
      current: actsAs === 'base' ? app.base.name : app.twin,
    });
  });

  test('the documented SQL hands over what the clone owns, and vouches for a clone that the secret does not know', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await owning(scope);
    await app.administer(`ALTER DEFAULT PRIVILEGES FOR ROLE ${app.sql.twin} GRANT SELECT ON TABLES TO PUBLIC`);
    await app.administer(`ALTER ROLE ${app.sql.twin} PASSWORD 'another than AWSPREVIOUS has'`);
    const { remedy } = await app.refused('TWIN_NOT_LINKED');
    expect(remedy).toContain('docs/adopting-aws-clones.md');
    const names = new Map([
      ['"app_clone"', app.sql.twin],
      ['"app"', app.sql.base],
      [`'app_clone'`, `'${app.twin}'`],
      [`'app'`, `'${app.base.name}'`],
    ]);
    const [vouch = '', find = '', hand = ''] = codeBlocks('docs/adopting-aws-clones.md', 'sql').map((sql) =>
      sql.replaceAll(/(["'])app(_clone)?\1/g, (name) => names.get(name) ?? name),
    );

    expect(await app.server.query(find)).toEqual([{ database: 'postgres', objects: '2' }]);
    await app.administer(hand);
    expect(await app.server.query(find)).toEqual([]);
    expect(await ownerOf(app, 'by_clone')).toBe(app.base.name);
    await app.query(`ALTER TABLE ${app.sql.base}.by_clone ADD COLUMN more int`);
    await app.administer(vouch);
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test('what a clone makes after its objects were handed over is its own again, and seen at its turn', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await owning(scope);
    const { base, twin } = app.sql;
    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');
    const asClone = { label: 'AWSPREVIOUS' };
    await app.query(`ALTER TABLE ${base}.by_clone ADD COLUMN more int`, asClone);
    await app.administer(`GRANT CREATE ON SCHEMA ${base} TO ${twin}`);
    await app.query(`CREATE TABLE ${base}.made_later ()`, asClone);

    expect(await noticesOf(app)).toEqual([expect.stringContaining('owns objects')]);
    await app.query(`ALTER TABLE ${base}.made_later ADD COLUMN more int`);
    await app.rotate();
    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');
    expect(await noticesOf(app)).toEqual([]);
    await app.query(`ALTER TABLE ${base}.made_later ADD COLUMN yet_more int`);
  });

  test("ALTERNATING_SET_ROLE=false keeps AWS's behaviour: the clone acts as itself, by membership", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await owning(scope, { environment: { ALTERNATING_SET_ROLE: 'false' } });
    await app.administer(`ALTER ROLE ${app.sql.base} SET work_mem = '7MB'`);

    for (const user of [app.twin, app.base.name, app.twin]) {
      await app.rotate();
      expect(await app.identity()).toEqual({ session: user, current: user });
      expect(await app.query(`SELECT item FROM ${app.base.table}`)).toEqual([{ item: 'first' }]);
    }
    expect(await app.query('SHOW work_mem')).toEqual([{ work_mem: '7MB' }]);
    expect(await ownerOf(app, 'by_clone')).toBe(app.twin);
  });

  test('a clone that acts as itself and lacks a privilege of its user is not promoted by an instance that has not tested it', async () => {
    await using scope = roleScope(await sharedServer(version));
    const environment = { ALTERNATING_SET_ROLE: 'false' };
    const app = await owning(scope, { environment });
    const token = await app.secret.begin();
    await app.secret.stepsUntil('setSecret', token);
    const damage = version >= 16 ? `GRANT BASE TO TWIN WITH INHERIT FALSE` : 'ALTER ROLE TWIN NOINHERIT';
    await app.administer(damage.replace('BASE', app.sql.base).replace('TWIN', app.sql.twin));

    for (const step of ['testSecret', 'finishSecret'] as const) {
      const failure = await app.secret.step(step, token, { environment: { ...environment, INSTANCE: randomUUID() } });
      expect(failure).toMatchObject({ error_code: 'TWIN_DIFFERS', username: app.twin });
      expect(failure.error_message).toMatch(/lacks \d+ privileges/);
    }
    expect((await app.login()).user).toBe(app.base.name);
  });
});

describe('rotation adopt-clone', () => {
  test('without --apply it shows the SQL for every database and changes nothing', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await owning(scope);
    const database = await scope.createDatabase(`it's "one"`);
    await server.query(`CREATE SCHEMA mine AUTHORIZATION ${app.sql.twin}`, undefined, { database });
    await app.administer(`ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${app.sql.twin}`);
    const sql = `REASSIGN OWNED BY ${app.sql.twin} TO ${app.sql.base};`;

    const output = await adoptClone(server, '--base', app.base.name, '--clone', app.twin);

    expect(output.filter((line) => !line.startsWith('--'))).toEqual([sql, sql]);
    for (const said of [
      `"postgres"`,
      escapeIdentifier(database),
      'by_clone',
      'schema mine',
      `database ${database}`,
      'Nothing was changed',
    ])
      expect(output.join('\n')).toContain(said);
    expect(await ownerOf(app, 'by_clone')).toBe(app.twin);
  });

  test('with --apply it hands over everything in every database, keeps privileges, and then finds nothing to do', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await owning(scope);
    const database = await scope.createDatabase();
    await server.query(`CREATE SCHEMA mine AUTHORIZATION ${app.sql.twin}`, undefined, { database });
    await app.administer(`ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${app.sql.twin}`);
    await app.administer(`ALTER DEFAULT PRIVILEGES FOR ROLE ${app.sql.twin} GRANT SELECT ON TABLES TO PUBLIC`);
    const privileges = async () =>
      await server.query(`SELECT relacl::text FROM pg_class WHERE oid = $1::regclass`, [`${app.sql.base}.shared`]);
    const before = await privileges();

    await adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');

    expect(await ownerOf(app, 'by_clone')).toBe(app.base.name);
    const owners = await server.query(
      `SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'mine'`,
      [],
      {
        database,
      },
    );
    expect(owners).toEqual([{ owner: app.base.name }]);
    expect(await privileges()).toEqual(before);
    expect(await adoptClone(server, '--base', app.base.name, '--clone', app.twin)).toEqual([
      `-- ${app.sql.twin} owns nothing: there is nothing to do.`,
    ]);
  });

  test.each([
    ['a role that is no member', '', 'must be a member of'],
    ['a superuser', 'SUPERUSER', 'superuser'],
  ])('refuses %s', async (_, attributes, said) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    await createLogin(scope, app.twin, CLONE_PASSWORD, attributes);

    const refused = adoptClone(server, '--base', app.base.name, '--clone', app.twin, '--apply');

    await expect(refused).rejects.toMatchObject({ code: 4, stderr: expect.stringContaining(said) });
  });

  test.runIf(newestVersion() >= 16)('takes nobody at his word who may not act as the base role', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    await createLogin(scope, app.twin, CLONE_PASSWORD);
    await app.administer(
      `GRANT ${app.sql.base} TO ${app.sql.twin} WITH SET FALSE; ALTER ROLE ${app.sql.twin} SET role = '${app.base.name}'`,
    );

    const refused = adoptClone(server, '--base', app.base.name, '--apply');

    await expect(refused).rejects.toMatchObject({ code: 4, stderr: expect.stringContaining('say so with --clone') });
  });

  test('explains itself', async () => {
    const help = (await adoptClone(await sharedServer(), '--help')).join('\n');
    expect(help).toContain('--apply');
    await expect(adoptClone(await sharedServer())).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("required option '--base <name>'"),
    });
    await expect(adoptClone(await sharedServer(), '--base', 'nobody-of-that-name')).rejects.toMatchObject({
      stderr: expect.stringContaining('must exist'),
    });
  });
});
