import { quotedName, RotationError } from '../errors.ts';
import { MAX_SCRAM_ITERATIONS } from './connection.ts';
import { DEFAULT_SCRAM_ITERATIONS, type PasswordEncryption } from './password-hash.ts';
import type { SqlSession } from './session.ts';

/** What the server says about storing passwords, and whether a password can reach it without being logged. */
export interface ServerTraits {
  /** `password_encryption`. */
  readonly method: 'scram-sha-256' | 'md5';
  /**
   * `scram_iterations`, which 14 and 15 don't have; what the database's owner says counts between the usual count and what
   * is computed, and never to weaken a password that the whole server shares.
   */
  readonly iterations: number | null;
  readonly standby: boolean;
  /** What the silent way needs: a temporary table, plpgsql, and no event trigger that would see (or refuse) the table. */
  readonly mayUseTemp: boolean;
  readonly mayUsePlpgsql: boolean;
  readonly ddlTriggers: readonly string[];
  /** Settings that have the server log the statement inside of a block with statistics of it. */
  readonly statistics: readonly string[];
}

/** Such as 16 of "16.4 (Debian 16.4-1)". */
export function majorVersion({ version }: Pick<SqlSession, 'version'>): number {
  return Number.parseInt(version, 10);
}

/** SQL of whether a row of pg_db_role_setting, called s, counts in this database. */
export const COUNTS_HERE = 's.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))';

/** Who acts in the session: the user that logged in, with no role set; or whatever role the session acts as. */
export type Actor = 'session_user' | 'current_user';

/**
 * A statement that has an administrator act, for this transaction, as itself, or as the role that a setting of its own
 * says. What the database's owner says (ALTER DATABASE … SET role) counts for nothing.
 */
export function actAsOneself(session: Pick<SqlSession, 'version'>): string {
  return `
    SELECT set_config('role', coalesce(
             (SELECT other.rolname::text
                FROM pg_roles me
                JOIN pg_db_role_setting s ON s.setrole = me.oid
                     AND ${COUNTS_HERE},
                     unnest(s.setconfig) AS entry
                JOIN pg_roles other ON entry = 'role=' || other.rolname
               WHERE me.rolname = session_user
                 AND pg_has_role(me.oid, other.oid, '${majorVersion(session) >= 16 ? 'SET' : 'MEMBER'}')
               ORDER BY s.setdatabase = 0 LIMIT 1), 'none'), true);`;
}

const ITERATIONS = `(SELECT CASE WHEN source = 'database' AND setting::int NOT BETWEEN ${DEFAULT_SCRAM_ITERATIONS} AND ${MAX_SCRAM_ITERATIONS}
                    THEN ${DEFAULT_SCRAM_ITERATIONS} ELSE setting::int END
          FROM pg_settings WHERE name = 'scram_iterations')`;

const STATISTICS = ['log_parser_stats', 'log_planner_stats', 'log_executor_stats'];

/** A SELECT's column that answers ServerTraits. */
export function traitsColumn(session: Pick<SqlSession, 'version'>, actor: Actor): string {
  return `
    json_build_object(
      'method', current_setting('password_encryption'),
      'iterations', ${majorVersion(session) < 16 ? 'NULL' : ITERATIONS},
      'standby', pg_is_in_recovery(),
      'mayUseTemp', has_database_privilege(${actor}, current_database(), 'TEMP'),
      'mayUsePlpgsql', EXISTS (SELECT FROM pg_language
                                WHERE lanname = 'plpgsql' AND has_language_privilege(${actor}, oid, 'USAGE')),
      'ddlTriggers', ARRAY(SELECT evtname FROM pg_event_trigger
                            WHERE evtevent LIKE 'ddl%' AND evtenabled <> 'D' ORDER BY evtname),
      'statistics', array_remove(ARRAY[${STATISTICS.map((name) => `CASE current_setting('${name}') WHEN 'on' THEN '${name}' END`).join(', ')}], NULL)
    ) AS traits`;
}

/** How a new password is to be stored. Who logs in by SCRAM may be let in by nothing else, whatever the setting says. */
export function encryptionOf(server: ServerTraits, scram: boolean): PasswordEncryption {
  if (server.method === 'md5' && !scram) return { method: 'md5' };
  return { method: 'scram-sha-256', iterations: server.iterations ?? DEFAULT_SCRAM_ITERATIONS };
}

export function isSilent({ mayUseTemp, mayUsePlpgsql, ddlTriggers }: ServerTraits): boolean {
  return mayUseTemp && mayUsePlpgsql && ddlTriggers.length === 0;
}

/** Whether a password in clear would get past the server's log: by the silent way, and where nothing logs what is inside of it. */
export function isSilentInClear(server: ServerTraits): boolean {
  return isSilent(server) && server.statistics.length === 0;
}

/**
 * A password in clear is sent by the silent way only, since the server may log everything else.
 *
 * @param actor the role that changes it.
 * @throws RotationError PASSWORD_WOULD_BE_LOGGED
 */
export function needSilence({ login }: Pick<SqlSession, 'login'>, server: ServerTraits, actor: string): void {
  const { mayUseTemp, mayUsePlpgsql, ddlTriggers, statistics } = server;
  if (isSilentInClear(server)) return;
  const role = quotedName(actor);
  const causes = [
    ...(mayUseTemp
      ? []
      : [{ found: `${role} may make no temporary table`, remedy: `GRANT TEMP ON DATABASE {database} TO ${role};` }]),
    ...(mayUsePlpgsql
      ? []
      : [
          {
            found: `${role} may not use plpgsql`,
            remedy: `CREATE EXTENSION IF NOT EXISTS plpgsql; GRANT USAGE ON LANGUAGE plpgsql TO ${role};`,
          },
        ]),
    ...ddlTriggers.map((name) => ({
      found: `the event trigger ${quotedName(name)} watches DDL`,
      remedy: `ALTER EVENT TRIGGER ${quotedName(name)} DISABLE;`,
    })),
    ...statistics.map((name) => ({
      found: `${name} is on`,
      remedy: `ALTER SYSTEM SET ${name} = off; SELECT pg_reload_conf();`,
    })),
  ];
  const { host, port, username, database } = login;
  throw new RotationError(
    'PASSWORD_WOULD_BE_LOGGED',
    `A way for the clear password past the server's log was needed (PASSWORD_HASHING=server, or a password that is not ASCII), and ${causes.map(({ found }) => found).join(', ')}.`,
    {
      remedy: `${causes.map(({ remedy }) => remedy).join(' ')} Or set PASSWORD_HASHING=client, which sends no clear password.`,
      host,
      port,
      username,
      database,
    },
  );
}
