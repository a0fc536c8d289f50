import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';

const run = promisify(execFile);
const COMMAND = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Runs adopt-clone as the superuser of the server. @returns the lines that it writes. */
export async function adoptClone(server: PostgresServer, ...options: string[]): Promise<string[]> {
  const { username, password } = server.superuser;
  const environment = { PGHOST: server.host, PGPORT: `${server.port}`, PGUSER: username, PGPASSWORD: password };
  const { stdout } = await run(process.execPath, [COMMAND, 'adopt-clone', ...options], {
    env: { PATH: process.env.PATH, PGSSLMODE: 'disable', ...environment },
  });
  return stdout.trimEnd().split('\n');
}
