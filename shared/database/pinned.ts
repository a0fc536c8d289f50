import type { ClientBase, QueryResultRow } from 'pg';

/**
 * Begins a transaction in which names mean what PostgreSQL's own catalog says, and nothing that a schema put before it
 * says: operators, functions, types and relations alike. It stands at the head of the very message that uses them, since
 * a message of its own would be a round trip, a start-up parameter is refused or dropped by poolers, and a session
 * setting would stay behind in theirs.
 *
 * A server takes a message's statements one after the other, so the path holds before the next is looked at.
 */
export const PINNED = 'BEGIN; SET LOCAL search_path = pg_catalog, pg_temp;';

/**
 * Runs one statement in a pinned transaction of its own: one round trip.
 *
 * @param statement without parameters, which would allow no second statement: values stand in it as literals
 *   (`escapeLiteral`).
 */
export async function pinnedQuery<Row extends QueryResultRow>(client: ClientBase, statement: string): Promise<Row[]> {
  try {
    // The driver answers several statements with several results, of which its types know nothing.
    const results = (await client.query(`${PINNED} ${statement}; COMMIT`)) as unknown as readonly { rows: Row[] }[];
    return results.at(-2)?.rows ?? [];
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
