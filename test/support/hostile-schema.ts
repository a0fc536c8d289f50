import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { type Overload, overloadsOf, type Precedence } from './hostile-overloads.ts';
import type { StatementNames } from './statement-names.ts';

/** A schema that its maker has filled with overloads of what others' statements name. */
export interface HostileSchema {
  readonly server: PostgresServer;
  readonly database: string;
  /** As it stands in SQL. */
  readonly schema: string;
  readonly precedence: Precedence;
  /** Begins each note in the server's log: tests share servers, and schemas of one test may be told apart. */
  readonly mark: string;
  readonly overloads: readonly Overload[];
}

export interface HostileOptions {
  readonly database: string;
  readonly schema: 'public' | 'evil';
  /** No superuser, and where an overload runs as one, a superuser from then on. May create in the schema. */
  readonly maker: string;
  readonly mark: string;
  readonly names: StatementNames;
}

/**
 * Makes overloads of all that these names mean in pg_catalog: every signature of every operator, function and
 * aggregate, every type and relation in a schema that comes before pg_catalog; in `public`, which comes after it, those
 * signatures that the catalog has by coercion only. Each notes in the server's log that it ran, which no ROLLBACK takes
 * back and no read-only transaction forbids.
 */
export async function makeHostile(server: PostgresServer, options: HostileOptions): Promise<HostileSchema> {
  const { database, schema, maker, mark, names } = options;
  const precedence: Precedence = schema === 'public' ? 'after pg_catalog' : 'before pg_catalog';
  const overloads = await server.withClient(
    async (client) => {
      await actAs(client, maker);
      if (schema === 'evil') await client.query('CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC');
      await client.query(`${noteFunction(schema, mark, maker)}; ${HELPERS}`);
      const wanted = await overloadsOf(client, names, precedence, schema);
      await create(client, wanted);
      return wanted;
    },
    { database },
  );
  return { server, database, schema, precedence, mark, overloads };
}

/** What these names mean in pg_catalog and the schema has no overload of. */
export async function uncovered(hostile: HostileSchema, names: StatementNames): Promise<string[]> {
  const { server, database, schema, precedence } = hostile;
  const wanted = await server.withClient(
    async (client) => {
      await client.query(`SET search_path = pg_catalog, pg_temp; ${HELPERS}`);
      return await overloadsOf(client, names, precedence, schema);
    },
    { database },
  );
  const there = new Set(hostile.overloads.map(({ what }) => what));
  return wanted.map(({ what }) => what).filter((what) => !there.has(what));
}

/** The overloads that have run, by the notes in a log, each with who ran it. */
export function ranIn(log: string, { mark }: Pick<HostileSchema, 'mark'>): string[] {
  const notes = log.matchAll(new RegExp(`^.*LOG: {2}${mark} ran: (.*)$`, 'gm'));
  return [...new Set(Array.from(notes, ([, what = '']) => what))].sort();
}

/**
 * Calls each of the overloads by its name alone, as no superuser.
 *
 * @param path the search_path that the session has from its start.
 * @param before statements that come first, in the same transaction.
 */
export async function callAll(hostile: HostileSchema, user: string, path: string, before = ''): Promise<void> {
  await hostile.server.withClient(
    async (client) => {
      await actAs(client, user);
      await client.query(HELPERS);
      await client.query(`SET search_path = ${path}; BEGIN; ${before}`);
      await client.query('SELECT pg_temp.attempt(one) FROM pg_catalog.unnest($1::pg_catalog._text) AS one', [
        hostile.overloads.map(({ call }) => call),
      ]);
      await client.query('ROLLBACK');
    },
    { database: hostile.database },
  );
}

/** In a session that logs none of its statements, nor the context of notes. */
async function actAs(client: Client, user: string): Promise<void> {
  await client.query(`SET log_error_verbosity = terse; SET client_min_messages = error;
    SET SESSION AUTHORIZATION ${escapeIdentifier(user)}; SET search_path = pg_catalog, pg_temp`);
}

async function create(client: Client, overloads: readonly Overload[]): Promise<void> {
  const { rows } = await client.query<{ failure: string | null }>(
    `SELECT pg_temp.attempt(one) AS failure FROM unnest($1::text[]) WITH ORDINALITY AS all_of (one, at) ORDER BY at`,
    [overloads.map(({ create }) => create)],
  );
  const failures = rows.flatMap(({ failure }, at) => (failure === null ? [] : [`${overloads[at]?.what}: ${failure}`]));
  if (failures.length > 0) throw new Error(`All overloads should be made, and these were not:\n${failures.join('\n')}`);
}

/** What overloads call. Whoever runs it leaves a trace; a superuser makes its maker one. */
function noteFunction(schema: string, mark: string, maker: string): string {
  const body = `
    BEGIN
      RAISE LOG '${mark} ran: %', what || ', as ' || current_user || ' by ' || current_setting('application_name');
      IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
         AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = ${escapeLiteral(maker)}) THEN
        ALTER ROLE ${escapeIdentifier(maker)} SUPERUSER;
      END IF;
      RETURN true;
    EXCEPTION WHEN OTHERS THEN
      RETURN true; -- in a read-only transaction
    END`;
  return `CREATE FUNCTION ${schema}.note(what text) RETURNS bool LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS ${escapeLiteral(body)}`;
}

const HELPERS = `
  CREATE FUNCTION pg_temp.attempt(statement pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS $$
    BEGIN
      EXECUTE statement;
      RETURN NULL;
    EXCEPTION WHEN OTHERS THEN
      RETURN SQLERRM;
    END $$;
  CREATE FUNCTION pg_temp.result_of(expression pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS $$
    DECLARE
      result pg_catalog.text;
    BEGIN
      -- Of no row: nothing is called.
      EXECUTE 'SELECT t.typname FROM pg_type t JOIN (SELECT pg_typeof(v) AS oid FROM (SELECT 1) AS one LEFT JOIN (SELECT '
        || expression || ' AS v WHERE false) AS none ON true) AS found ON t.oid = found.oid' INTO result;
      RETURN result;
    EXCEPTION WHEN OTHERS THEN
      RETURN NULL;
    END $$`;
