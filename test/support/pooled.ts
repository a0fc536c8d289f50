import { Client } from 'pg';
import { expect } from 'vitest';
import type { AppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { waitFor } from '../../scripts/lab/database/wait.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Logs in by way of a middleman, as an application does, and runs one statement. */
export async function queryThrough<Row extends object>(
  { host, port }: Address,
  { name, database }: AppRole,
  password: string,
  sql: string,
): Promise<Row[]> {
  const client = new Client({ host, port, user: name, password, database, application_name: 'application' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Of the session that happens to serve: all that somebody before may have left in it. */
const LEFT = `
  SELECT pg_backend_pid() AS pid, session_user::text, current_user::text,
         ARRAY(SELECT name || '=' || setting FROM pg_settings WHERE source = 'session' ORDER BY 1) AS settings,
         ARRAY(SELECT classid || ' ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
         ARRAY(SELECT relname::text FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS temporary,
         ARRAY(SELECT name FROM pg_prepared_statements) AS prepared,
         ARRAY(SELECT pg_listening_channels()) AS channels`;

/**
 * Looks into the one session that a pooler with `poolSize: 1` keeps for a role.
 * @returns a check, with the password that the role has then, that this same session is as it was, and idle.
 */
export async function pooledSession(
  server: PostgresServer,
  pooler: Address,
  role: AppRole,
): Promise<(password: string) => Promise<void>> {
  const before = await queryThrough(pooler, role, role.password, LEFT);
  return async (password) => {
    const states = 'SELECT state, xact_start IS NULL AS "noTransaction" FROM pg_stat_activity WHERE usename = $1';
    // The server notes that a session is idle a moment after it has answered.
    await waitFor('the session to be idle', async () => {
      const sessions = await server.query<{ state: string; noTransaction: boolean }>(states, [role.name]);
      return sessions.every(({ state, noTransaction }) => state === 'idle' && noTransaction) || undefined;
    });
    expect(await queryThrough(pooler, role, password, LEFT)).toEqual(before);
  };
}
