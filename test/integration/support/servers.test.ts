import type { DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import {
  canLogin,
  countLogins,
  postgresVersions,
  roleScope,
  searchLog,
  sharedServer,
  startTestServer,
} from '../../support/postgres.ts';
import { RoleScope } from '../../support/role-scope.ts';

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test('the shared server is of this version', async () => {
    expect((await sharedServer(version)).version).toBe(version);
  });

  test("the server's log counts logins by user, accepted and failed", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await scope.createAppRole({ name: scope.name(`50% "App's" rôle`) });
    const other = await scope.createAppRole({ name: scope.name('other') });
    const logins = await countLogins(server);

    expect(await canLogin(server, { user: app.name, password: app.password })).toBe('accepted');
    expect(await canLogin(server, { user: app.name, password: app.password })).toBe('accepted');
    expect(await canLogin(server, { user: app.name, password: other.password })).toBe('refused');
    expect(await canLogin(server, { user: other.name, password: other.password })).toBe('accepted');

    expect(await logins(app.name)).toEqual({ accepted: 2, failed: 1 });
    expect(await logins(other.name)).toEqual({ accepted: 1, failed: 0 });
  });

  test('an application role reads its own table, in a database of its own', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await scope.createAppRole({ database: await scope.createDatabase() });
    const rows = await server.query(`SELECT item, current_user AS role FROM ${app.table}`, undefined, {
      user: app.name,
      password: app.password,
      database: app.database,
    });
    expect(rows).toEqual([{ item: 'first', role: app.name }]);
  });
});

test('a scope removes what it made or adopted, and fails a test that left a role, a database or a session', async () => {
  const server = await sharedServer();
  const scope = new RoleScope(server, 500);
  const app = await scope.createAppRole();
  scope.adopt(scope.name('twin'));
  await server.query(`CREATE ROLE ${scope.name('twin')} IN ROLE ${app.name}`);
  await server.query(`CREATE ROLE ${scope.name('forgotten')} IN ROLE ${app.name}`);
  await server.query(`CREATE DATABASE ${scope.name('lost')}`);
  await using _session = await openSession(server, app);

  await expect(scope[Symbol.asyncDispose]()).rejects.toThrow(
    `left a session of "${app.name}" (idle), database "${scope.name('lost')}", role "${scope.name('forgotten')}".`,
  );

  const rest =
    'SELECT rolname FROM pg_roles WHERE strpos(rolname, $1) > 0 UNION SELECT datname FROM pg_database WHERE strpos(datname, $1) > 0';
  expect(await server.query(rest, [scope.prefix])).toEqual([]);
  await scope[Symbol.asyncDispose]();
});

test('setting up a role shows its password to no log, also at log_statement=all', async () => {
  await using server = await startTestServer({ settings: { log_statement: 'all' } });
  await using scope = roleScope(server);
  const { name, password, database } = await scope.createAppRole();
  await server.query(`SELECT 'a needle in the log'`, undefined, { user: name, password, database });
  expect(await searchLog(server, { password, needle: 'a needle in the log' })).toEqual(['needle']);
});

test('settings given at the start can be changed later, with a restart where they need one', async () => {
  await using server = await startTestServer({ settings: { max_connections: '30', work_mem: '2MB' } });
  const { port } = server;
  await server.reconfigure({ max_connections: '20', work_mem: null, password_encryption: 'md5' });
  const names = ['max_connections', 'work_mem', 'password_encryption'];
  const settings =
    'SELECT array_agg(current_setting(name) ORDER BY n) AS found FROM unnest($1::text[]) WITH ORDINALITY AS u (name, n)';
  expect(await server.query(settings, [names])).toEqual([{ found: ['20', '2MB', 'md5'] }]);
  expect(server.port).toBe(port);
});

test('a server with TLS only is verified by its own CA, and refused by another and without TLS', async () => {
  const [authority, stranger] = await Promise.all([CertificateAuthority.create(), CertificateAuthority.create()]);
  await using server = await startTestServer({
    tls: (host) => authority.issue([host]),
    hba: ['hostssl all all all md5'],
    settings: { password_encryption: 'md5' },
  });
  await using scope = roleScope(server);
  const app = await scope.createAppRole();
  const login = { user: app.name, password: app.password };

  expect(await canLogin(server, { ...login, ssl: { ca: authority.certificate } })).toBe('accepted');
  expect(await canLogin(server, { ...login, password: 'wrong', ssl: { ca: authority.certificate } })).toBe('refused');
  await expect(canLogin(server, { ...login, ssl: { ca: stranger.certificate } })).rejects.toThrow(/certificate/);
  await expect(canLogin(server, { ...login, ssl: false })).rejects.toThrow(
    expect.objectContaining({ code: '28000' } satisfies Partial<DatabaseError>),
  );
  const [stored] = await server.query<{ form: string }>(
    `SELECT left(rolpassword, 3) AS form FROM pg_authid WHERE rolname = $1`,
    [app.name],
  );
  expect(stored?.form).toBe('md5');
});

async function openSession(server: Awaited<ReturnType<typeof sharedServer>>, role: { name: string; password: string }) {
  const client = await server.connect({ user: role.name, password: role.password });
  return { [Symbol.asyncDispose]: () => client.end().catch(() => undefined) };
}
