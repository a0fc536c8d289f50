/** Commands that an administrator points at databases of which others are the owners. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { escapeIdentifier } from 'pg';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { startLab } from '../../../scripts/lab/lab.ts';
import { createApplication, removeApplications } from '../../../scripts/lab/seed.ts';
import { roleScope, sharedServer, startTestServer } from '../../support/postgres.ts';
import { caughtIn, setTraps, type Traps } from '../../support/trapped-database.ts';
import { outermostVersions } from '../../support/twins.ts';

const run = promisify(execFile);
const ROTATION = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const APPLICATION = { role: 'lab_shop', table: 'lab_orders', secretName: 'lab/shop', strategy: 'single-user' } as const;

const PUT_FIRST: Traps = { in: 'a schema put first' };
const IN_PUBLIC: Traps = { in: 'public' };
const NOTHING = { sprung: 0, superuser: false };

/** Whoever starts the command may have these set for psql, or somebody may have set them for them. */
const OTHER_VARIABLES = {
  PGOPTIONS: '-c no_such_setting=1',
  PGREPLICATION: 'database',
  PGSSLNEGOTIATION: 'bogus',
  PGAPPNAME: 'somebody else',
  PGCLIENT_ENCODING: 'GBK',
};

afterEach(() => {
  vi.unstubAllEnvs();
});

function urlOf({ host, port, superuser: { username, password } }: PostgresServer, database: string): string {
  return `postgres://${username}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}?sslmode=disable`;
}

async function adoptClone(server: PostgresServer, database: string, ...options: string[]): Promise<string> {
  const { username, password } = server.superuser;
  const login = { PGHOST: server.host, PGPORT: `${server.port}`, PGUSER: username, PGPASSWORD: password };
  const { stdout } = await run(process.execPath, [ROTATION, 'adopt-clone', ...options], {
    env: { PATH: process.env.PATH, PGSSLMODE: 'disable', PGDATABASE: database, ...login, ...OTHER_VARIABLES },
  });
  return stdout;
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each([PUT_FIRST, IN_PUBLIC])('the traps in $in are such that careless statements spring them', async (traps) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const mallory = await scope.createAppRole({ name: scope.name('mallory') });
    const database = await scope.createDatabase();
    await setTraps(server, database, mallory, traps);
    expect(await caughtIn(server, database, mallory, traps)).toEqual(NOTHING);

    await server.query(`SELECT FROM pg_class WHERE oid = 'pg_class'::regclass`, undefined, { database });

    const { sprung, superuser } = await caughtIn(server, database, mallory, traps);
    expect({ sprung: sprung > 0, superuser }).toEqual({ sprung: true, superuser: true });
  });

  test('adopt-clone hands over what the clone owns in databases of others, and nothing of theirs runs', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const mallory = await scope.createAppRole({ name: scope.name('mallory') });
    const { name: base } = await scope.createAppRole();
    const clone = `${base}_clone`;
    await scope.createAppRole({ name: clone, table: scope.name('table of the clone') });
    const [baseId, cloneId] = [base, clone].map(escapeIdentifier);
    await server.query(`GRANT ${baseId} TO ${cloneId}`);
    const hostile: readonly (readonly [string, Traps])[] = [
      [await scope.createDatabase('first'), PUT_FIRST],
      [await scope.createDatabase('second'), IN_PUBLIC],
    ];
    for (const [database, traps] of hostile) {
      await server.query(`CREATE SCHEMA of_clone AUTHORIZATION ${cloneId}`, undefined, { database });
      await setTraps(server, database, mallory, traps);
    }
    const [[first = ''] = []] = hostile;

    const plan = await adoptClone(server, first, '--base', base, '--clone', `${base}_clone`);
    for (const [database] of hostile) expect(plan).toContain(database);
    expect(plan.match(/schema of_clone/g)).toHaveLength(2);
    expect(plan).toContain('Nothing was changed');
    await adoptClone(server, first, '--base', base, '--clone', `${base}_clone`, '--apply');

    for (const [database, traps] of hostile) {
      const caught = await caughtIn(server, database, mallory, traps);
      const owner = await server.pinnedQuery(
        `SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'of_clone'`,
        { database },
      );
      expect({ traps, caught, owner }).toEqual({ traps, caught: NOTHING, owner: [{ owner: base }] });
    }
    expect(await adoptClone(server, first, '--base', base, '--clone', `${base}_clone`)).toContain(
      'there is nothing to do',
    );
  });

  test("the lab on a URL makes and drops its roles in somebody's database, and nothing of theirs runs", async () => {
    await using server = await startTestServer({ version });
    await using scope = roleScope(server);
    const mallory = await scope.createAppRole({ name: scope.name('mallory') });
    for (const [name, value] of Object.entries(OTHER_VARIABLES)) vi.stubEnv(name, value);
    for (const traps of [PUT_FIRST, IN_PUBLIC]) {
      const database = await scope.createDatabase(traps.in);
      await setTraps(server, database, mallory, traps);
      await using lab = await startLab({ postgres: urlOf(server, database), seed: false });

      const stored = await createApplication(lab, lab.seed.superuser, APPLICATION);
      expect(stored.database).toBe(database);
      await removeApplications(lab.database, [APPLICATION]);

      const roles = await server.pinnedQuery(`SELECT rolname FROM pg_roles WHERE rolname = '${APPLICATION.role}'`);
      const caught = await caughtIn(server, database, mallory, traps);
      expect({ traps, caught, roles }).toEqual({ traps, caught: NOTHING, roles: [] });
    }
  });

  test("no setting of a database makes the lab's own text anything but UTF-8", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const mallory = await scope.createAppRole({ name: scope.name('mallory') });
    const database = await scope.createDatabase();
    await setTraps(server, database, mallory, PUT_FIRST);

    const encoding = `SELECT current_setting('client_encoding') AS is`;
    expect(await server.pinnedQuery(encoding, { database })).toEqual([{ is: 'UTF8' }]);
  });
});

describe('rotation adopt-clone', () => {
  test('a line break in the name of an object does not end the comment that shows it', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const { name: base } = await scope.createAppRole();
    const clone = `${base}_clone`;
    await scope.createAppRole({ name: clone, table: `${scope.prefix}\nALTER ROLE mallory SUPERUSER; --\u{1b}[2J` });
    await server.query(`GRANT ${escapeIdentifier(base)} TO ${escapeIdentifier(clone)}`);

    const plan = await adoptClone(server, 'postgres', '--base', base, '--clone', `${base}_clone`);

    expect(plan).toContain(`-- ${' '.repeat(2)}table`);
    const statements = plan.split('\n').filter((line) => line !== '' && !line.startsWith('--'));
    expect(statements).toEqual([`REASSIGN OWNED BY ${escapeIdentifier(clone)} TO ${escapeIdentifier(base)};`]);
    expect(plan).not.toContain('\u{1b}');
  });

  test('refuses roles whose names are other bytes in a database, before it looks for them there', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const base = scope.name('café');
    const clone = `${base}_clone`;
    await scope.createAppRole({ name: base });
    await scope.createAppRole({ name: clone });
    await server.query(`GRANT ${escapeIdentifier(base)} TO ${escapeIdentifier(clone)}`);
    const latin = await scope.createDatabase('latin', `ENCODING LATIN1 LOCALE 'C' TEMPLATE template0`);

    const refused = adoptClone(server, latin, '--base', base, '--clone', `${base}_clone`);

    await expect(refused).rejects.toMatchObject({ code: 4, stderr: expect.stringContaining('must be in UTF8') });
    expect(await adoptClone(server, 'postgres', '--base', base, '--clone', `${base}_clone`)).toContain(
      'REASSIGN OWNED',
    );
  });
});
