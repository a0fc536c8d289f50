import { DatabaseError } from 'pg';
import { inject, onTestFailed, TestRunner } from 'vitest';
import {
  type ConnectOptions,
  type PostgresServer,
  type StartOptions,
  startPostgres,
} from '../../scripts/lab/database/server.ts';
import type {} from './global-setup.ts';
import { RoleScope } from './role-scope.ts';
import { redactedTail } from './server-log.ts';
import { LOG_ALL, reachSharedServer } from './shared-servers.ts';

/** The major versions to run on, for `describe.each(postgresVersions())`. */
export function postgresVersions(): readonly number[] {
  return inject('postgres').versions;
}

export function newestVersion(): number {
  return Math.max(...postgresVersions());
}

/** The plain server of a version that all tests share: no setting of it may be changed. Nobody needs to close it. */
export async function sharedServer(version = newestVersion()): Promise<PostgresServer> {
  return await reachSharedServer(inject('postgres').sharedServers, version);
}

export type TestServerOptions = Omit<StartOptions, 'source'>;

/** Starts a server of its own for a test that needs other settings. Default version: the newest. */
export async function startTestServer(options: TestServerOptions = {}): Promise<PostgresServer> {
  const { source } = inject('postgres');
  const version = options.version ?? newestVersion();
  const settings = { ...LOG_ALL, ...options.settings };
  const server = await startPostgres({ ...options, source, version, settings });
  reportOnFailure(server, () => []);
  return server;
}

/** `await using scope = roleScope(server)`: roles and databases for one test, gone when it ends. */
export function roleScope(server: PostgresServer): RoleScope {
  const scope = new RoleScope(server);
  reportOnFailure(server, () => scope.secrets);
  return scope;
}

/** A failed test shows the end of its server's log, which is kept when the server is closed. */
function reportOnFailure(server: PostgresServer, secrets: () => string[]): void {
  const report = async () => {
    const log = await server.log();
    const text = redactedTail(log, [server.superuser.password, ...secrets()]);
    process.stderr.write(`The end of the log of PostgreSQL ${server.version} (${server.kind}):\n${text}\n`);
  };
  // In beforeAll() no test runs yet, and no single failure is to be reported.
  if (TestRunner.getCurrentTest() !== undefined) onTestFailed(report);
}

export interface Login extends ConnectOptions {
  readonly user: string;
  readonly password: string;
}

const WRONG_PASSWORD = '28P01';

/** Whether the server takes this password; what has nothing to do with passwords is thrown. */
export async function canLogin(server: PostgresServer, login: Login): Promise<'accepted' | 'refused'> {
  try {
    await server.withClient(async () => undefined, login);
    return 'accepted';
  } catch (error) {
    if (error instanceof DatabaseError && error.code === WRONG_PASSWORD) return 'refused';
    throw error;
  }
}

export { countLogins, followLog, searchLog } from './server-log.ts';
