/** What the server itself says of logins. */
import { DatabaseError, escapeIdentifier, type QueryResultRow } from 'pg';
import type { Lab } from '../lab/lab.ts';
import type { StoredApplication } from '../lab/seed.ts';
import type { Login } from './secret-history.ts';

const WRONG_PASSWORD = '28P01';

export async function logIn({ database }: Pick<Lab, 'database'>, login: Login): Promise<void> {
  await database.withClient((client) => client.query('SELECT 1'), login);
}

/** Whether the server takes the password. @throws whatever else keeps the login from working. */
export async function accepts(lab: Pick<Lab, 'database'>, login: Login): Promise<boolean> {
  try {
    await logIn(lab, login);
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === WRONG_PASSWORD) return false;
    throw error;
  }
}

/** Runs statements as the application, and returns the rows of the last one. */
export async function asApplication<Row extends QueryResultRow>(
  { database }: Pick<Lab, 'database'>,
  login: Login,
  ...statements: readonly string[]
): Promise<Row[]> {
  return await database.withClient(async (client) => {
    let rows: Row[] = [];
    for (const statement of statements) rows = (await client.query<Row>(statement)).rows;
    return rows;
  }, login);
}

/** Writes a row to the application's table and reads them all. @returns their number. */
export async function useTable(
  lab: Pick<Lab, 'database'>,
  login: Login,
  { table }: Pick<StoredApplication, 'table'>,
): Promise<number> {
  const name = escapeIdentifier(table);
  const [row] = await asApplication<{ rows: number }>(
    lab,
    login,
    `INSERT INTO ${name} SELECT max(id) + 1, 'written by the demo' FROM ${name}`,
    `SELECT count(*)::int AS rows FROM ${name}`,
  );
  return row?.rows ?? 0;
}

/** How many logins the server has refused since its start, by its own log. */
export async function refusedLogins({ database }: Pick<Lab, 'database'>): Promise<number> {
  return (await database.log()).split('password authentication failed').length - 1;
}
