import { escapeIdentifier } from 'pg';
import type { AppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { waitFor } from '../../scripts/lab/database/wait.ts';

/** Nobody else can change the role until this is released, or disposed of. */
export interface RoleHold extends AsyncDisposable {
  /** Waits until so many of the role's sessions wait for it at once. @returns the statements that pg_stat_activity shows. */
  waiting(sessions?: number): Promise<string[]>;
  release(): Promise<void>;
}

export async function holdRole(server: PostgresServer, role: AppRole): Promise<RoleHold> {
  const client = await server.connect();
  await client.query(`BEGIN; ALTER ROLE ${escapeIdentifier(role.name)} CONNECTION LIMIT 99`);
  let held = true;
  const release = async () => {
    if (!held) return;
    held = false;
    await client.query('ROLLBACK');
    await client.end();
  };
  return {
    waiting: async (sessions = 1) =>
      await waitFor(`${sessions} sessions to wait for the role`, async () => {
        const found = await server.query<{ query: string }>(
          `SELECT query FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'`,
          [role.name],
        );
        return found.length >= sessions ? found.map(({ query }) => query) : undefined;
      }),
    release,
    [Symbol.asyncDispose]: release,
  };
}
