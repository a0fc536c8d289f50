/** What names mean in a server's own catalog. */
import type { Client } from 'pg';

/** A function, aggregate or operator of pg_catalog. Types are names in pg_catalog, unquoted. */
export interface Routine {
  readonly name: string;
  readonly kind: 'function' | 'aggregate' | 'operator';
  readonly args: readonly string[];
  readonly defaults: number;
  readonly variadic: boolean;
  readonly set: boolean;
  readonly result: string;
}

/** All that have one of these names, as functions and aggregates or as operators. */
export async function routines(
  client: Client,
  symbols: readonly string[],
  identifiers: readonly string[],
): Promise<readonly Routine[]> {
  const { rows } = await client.query<Routine>(
    `SELECT proname::text AS name, CASE prokind WHEN 'f' THEN 'function' ELSE 'aggregate' END AS kind,
            ARRAY(SELECT typname::text FROM unnest(proargtypes) WITH ORDINALITY AS a (type, at)
                    JOIN pg_type t ON t.oid = a.type ORDER BY at) AS args,
            pronargdefaults AS defaults, provariadic <> 0 AS variadic, proretset AS set, r.typname::text AS result
       FROM pg_proc JOIN pg_type r ON r.oid = prorettype
      WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1) AND prokind <> 'p'
     UNION ALL
     SELECT oprname::text, 'operator',
            ARRAY(SELECT typname::text FROM unnest(ARRAY[oprleft, oprright]) WITH ORDINALITY AS a (type, at)
                    JOIN pg_type t ON t.oid = a.type ORDER BY at),
            0, false, false, r.typname::text
       FROM pg_operator JOIN pg_type r ON r.oid = oprresult
      WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = ANY ($2)`,
    [identifiers, symbols],
  );
  // What only C can be written for is nobody's but a superuser's; and the catalog has no enum to call anything with.
  const unusable = /^(internal|cstring|trigger|event_trigger|anyenum)$/;
  return rows.filter(
    ({ kind, args, result }) =>
      ![...args, result].some((type) => unusable.test(type)) && (kind !== 'aggregate' || result !== 'record'),
  );
}

/** Types that a domain can be made over. */
export async function typesNamed(client: Client, identifiers: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT typname::text AS name FROM pg_type
      WHERE typnamespace = 'pg_catalog'::regnamespace AND typname = ANY ($1) AND typtype NOT IN ('p', 'c')`,
    [identifiers],
  );
  return rows.map(({ name }) => name);
}

export interface Relation {
  readonly name: string;
  /** What a SELECT gives for its columns: the real ones, or where those can't be read, NULLs of their types. */
  readonly columns: string;
  readonly readable: boolean;
}

/** Tables and views; without the columns of type anyarray, which no view can have. */
export async function relationsNamed(client: Client, identifiers: readonly string[]): Promise<Relation[]> {
  const { rows } = await client.query<Relation>(
    `SELECT relname::text AS name, readable,
            (SELECT string_agg(CASE WHEN readable THEN quote_ident(attname)
                                    ELSE format('NULL::%s AS %I', format_type(atttypid, atttypmod), attname) END,
                               ', ' ORDER BY attnum)
               FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND atttypid <> 'anyarray'::regtype) AS columns
       FROM pg_class c, has_table_privilege(c.oid, 'SELECT') AS readable
      WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') AND relname = ANY ($1)`,
    [identifiers],
  );
  return rows;
}
