import { Client, DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import type { AppRole } from '../../../scripts/lab/database/app-role.ts';
import { PgBouncer, type PgBouncerOptions, pgBouncerIsHere } from '../../support/pgbouncer.ts';
import { pooledSession, queryThrough } from '../../support/pooled.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';

/** What the tests of middlemen take for granted of Debian's PgBouncer. */

interface Seen {
  readonly session: string;
  /** Whether BackendKeyData names the process that the session is in. */
  readonly samePid: boolean;
}

/** Logs in, and tells who one is; or what PgBouncer answers. */
async function login(pooler: PgBouncer, role: AppRole, more: object = {}): Promise<Seen | string> {
  const { host, port } = pooler;
  const client = new Client({ host, port, user: role.name, password: role.password, database: role.database, ...more });
  client.on('error', () => undefined);
  let key = 0;
  client.connection.once('backendKeyData', ({ processID }: { processID: number }) => {
    key = processID;
  });
  try {
    await client.connect();
    const sql = 'SELECT session_user::text AS session, pg_backend_pid() AS pid';
    const [row] = (await client.query<{ session: string; pid: number }>(sql)).rows;
    return { session: row?.session ?? '', samePid: row?.pid === key };
  } catch (error) {
    if (error instanceof DatabaseError) return `${error.code} ${error.message}`;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Debian's 1.18 answers 08P01 to nearly everything; later versions have PostgreSQL's own codes. */
const SASL_FAILED = /^(08P01|28P01) SASL authentication failed/;
const PASSWORD_FAILED = /^(08P01|28P01) password authentication failed/;

const WRONG = { password: 'never-set-anywhere' };

describe.skipIf(!pgBouncerIsHere())('PgBouncer', () => {
  type Row = [kind: string, options: (app: AppRole, owner: AppRole) => PgBouncerOptions, refusal: RegExp];

  const file = (app: AppRole) => ({ [app.name]: app.password });
  const forced = (app: AppRole, { name: username, password }: AppRole) =>
    ({ from: 'forced', file: file(app), as: { username, password } }) as const;
  test.each<Row>([
    ['a file, SCRAM', (app) => ({ passwords: { from: 'file', file: file(app) } }), SASL_FAILED],
    ['a file, md5', (app) => ({ passwords: { from: 'file', file: file(app) }, authType: 'md5' }), PASSWORD_FAILED],
    [
      'a file, in clear',
      (app) => ({ passwords: { from: 'file', file: file(app) }, authType: 'plain' }),
      PASSWORD_FAILED,
    ],
    ['the server', () => ({ passwords: { from: 'query' } }), SASL_FAILED],
    [
      'the server, after each transaction',
      () => ({ passwords: { from: 'query' }, poolMode: 'transaction' }),
      SASL_FAILED,
    ],
    ['a file, and is another', (app, owner) => ({ passwords: forced(app, owner) }), SASL_FAILED],
  ])('knows passwords from %s', async (kind, options, refusal) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    const owner = await scope.createAppRole({ name: scope.name('owner') });
    await using pooler = await PgBouncer.start(server, options(app, owner));

    const session = kind.endsWith('another') ? owner.name : app.name;
    expect(await login(pooler, app)).toEqual({ session, samePid: false });
    expect(await login(pooler, app, WRONG)).toMatch(refusal);
  });

  test('knows a password from the verifier in a file, until the server has another', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    const [stored] = await server.query<{ verifier: string }>(
      'SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = $1',
      [app.name],
    );
    const passwords = { from: 'file', file: { [app.name]: stored?.verifier ?? '' } } as const;
    await using pooler = await PgBouncer.start(server, { passwords });
    expect(await login(pooler, app)).toEqual({ session: app.name, samePid: false });
    expect(await login(pooler, app, WRONG)).toMatch(SASL_FAILED);

    await server.query(`ALTER ROLE "${app.name}" PASSWORD 'set-by-somebody-else'`);
    await using fresh = await PgBouncer.start(server, { passwords });
    // Its own login's refusal at the server, in other words than its client's.
    expect(await login(fresh, app)).toContain(`password authentication failed for user "${app.name}"`);
  });

  test('lets in by the new password as soon as the server does, where it asks the server', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, poolMode: 'transaction' });
    expect(await login(pooler, app)).toMatchObject({ session: app.name });
    const password = 'set-by-somebody-else';
    await server.query(`ALTER ROLE "${app.name}" PASSWORD '${password}'`);
    expect(await login(pooler, app)).toMatch(SASL_FAILED);
    expect(await login(pooler, app, { password })).toMatchObject({ session: app.name });
  });

  test('refuses start-up parameters that it does not know, unless told to drop them', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    const passwords = { from: 'file', file: file(app) } as const;
    const options = { options: '-c search_path=pg_catalog' };
    await using strict = await PgBouncer.start(server, { passwords });
    expect(await login(strict, app, { application_name: 'test', client_encoding: 'UTF8' })).toMatchObject({
      session: app.name,
    });
    expect(await login(strict, app, options)).toMatch(/^08P01 unsupported startup parameter/);
    expect(await login(strict, app, { database: 'nowhere' })).toContain('database "nowhere" does not exist');
    await using lenient = await PgBouncer.start(server, { passwords, ignoreStartupParameters: ['options'] });
    expect(await login(lenient, app, options)).toEqual({ session: app.name, samePid: false });
  });

  test.each([
    ['a lock', 'SELECT pg_advisory_lock(1, 2)'],
    ['a setting', "SET idle_session_timeout = '1h'"],
    ['a role', 'SET ROLE pg_monitor'],
    ['a table', 'CREATE TEMP TABLE left_behind (id int)'],
    ['a statement', 'PREPARE left_behind AS SELECT 1'],
    ['a channel', 'LISTEN left_behind'],
  ])('leaves %s in a session that others get, which a test can see', async (_, sql) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    await server.query(`GRANT pg_monitor TO "${app.name}"`);
    const shared = { poolMode: 'transaction', poolSize: 1 } as const;
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' }, ...shared });
    const asItWas = await pooledSession(server, pooler, app);
    await queryThrough(pooler, app, app.password, 'SELECT 1');
    await asItWas(app.password);
    await queryThrough(pooler, app, app.password, sql);
    await expect(asItWas(app.password)).rejects.toThrow(/to deeply equal/);
  });

  test('ends with its sessions when it is disposed of, and says why where it can not start', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    const passwords = { from: 'file', file: file(app) } as const;
    const pooler = await PgBouncer.start(server, { passwords });
    expect(await login(pooler, app)).toMatchObject({ session: app.name });
    expect(pooler.log).not.toContain(app.password);
    await pooler[Symbol.asyncDispose]();
    await expect(login(pooler, app)).rejects.toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }));
    await expect(PgBouncer.start(server, { passwords, settings: { pool_mode: 'none' } })).rejects.toThrow(
      /PgBouncer should run, and has ended:\n.*pool_mode/s,
    );
  });
});
