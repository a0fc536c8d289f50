import { type ClientBase, escapeLiteral, type QueryResultRow } from 'pg';

/**
 * Begins a transaction in which names mean what PostgreSQL's own catalog says, and nothing that a schema put before it
 * says: operators, functions, types and relations alike. It stands at the head of the very message that uses them, since
 * a message of its own would be a round trip, a start-up parameter is refused or dropped by poolers, and a session
 * setting would stay behind in theirs.
 *
 * A server takes a message's statements one after the other, so the path holds before the next is looked at. It has split
 * all of the message into words by then: a backslash in a plain literal means what the session's
 * standard_conforming_strings says, which may be anybody's. `escapeLiteral` writes one that means the same in either case.
 *
 * Nor does the isolation depend on what the role or the database has set: a deferrable transaction waits until all that
 * write have ended, and a serializable one may fail for what others do.
 */
export const PINNED = 'BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = pg_catalog, pg_temp;';

/**
 * Runs one statement in a pinned transaction of its own: one round trip.
 *
 * @param statement without parameters, which would allow no second statement: values stand in it as literals
 *   (`escapeLiteral`, `textArray`). Several, separated by semicolons, are one transaction, and the last one's rows count.
 * @throws DatabaseError after the transaction has been rolled back.
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

/** Texts as a literal of type text[], for `= ANY (…)`. */
export function textArray(texts: readonly string[]): string {
  return `ARRAY[${texts.map(escapeLiteral).join(', ')}]::text[]`;
}
