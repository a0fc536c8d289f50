import { setTimeout as sleep } from 'node:timers/promises';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { quotedName, RotationError } from '../errors.ts';
import type { RoleLock } from '../rotation/ports.ts';
import { TWIN_SUFFIX } from '../secret/database-secret.ts';
import { databaseFull, readOnlyError, standbyGone } from './connect-error.ts';
import { needDirectSession, type PoolerRules } from './identity.ts';
import { type Actor, actAsOneself, type ServerTraits, traitsColumn } from './server-traits.ts';
import type { SqlSession } from './session.ts';

/**
 * How long ago, in ms, a login may have begun for it to count as made under a lock that was free. For somebody else to have
 * changed the password since, proven it by a login of their own and let go of the lock takes longer, as a rule by far; a
 * login and the message behind it take some 5 ms, and up to 80 where the machine is busy.
 */
const FRESH_FOR = 150;
/** What of a step's time is kept, in ms, for what comes after the wait for a lock. */
const TIME_AFTER_LOCK = 8_000;

const STANDBYS = "current_setting('synchronous_standby_names')";
/** A pattern of what comes before the names, where it does: how many COMMIT waits for (PostgreSQL manual, "Replication"). */
const HOW_MANY = "'(?i)^[[:space:]]*(?:(?:first|any)[[:space:]]+)?([0-9]+)[[:space:]]*[(]'";

/**
 * SQL: a COMMIT that waits for standbys ends whenever they come back, and no time-out ends it before. Who may not see which
 * of those that are there are synchronous sees their names.
 */
const ALONE = `${STANDBYS} <> ''
             AND current_setting('synchronous_commit') NOT IN ('off', 'local')
             AND coalesce(substring(${STANDBYS}, ${HOW_MANY}), '1')::int >
               (SELECT count(*) FROM pg_stat_get_wal_senders() JOIN pg_stat_get_activity(NULL) USING (pid)
                 WHERE CASE WHEN sync_state IS NOT NULL THEN sync_state IN ('sync', 'quorum') ELSE EXISTS (
                   SELECT FROM regexp_matches(regexp_replace(${STANDBYS}, ${HOW_MANY}, ''),
                                              '"((?:[^"]|"")*)"|([^[:space:],"()]+)', 'g') AS entry,
                               coalesce(replace(entry[1], '""', '"'), entry[2]) AS listed
                    WHERE listed = '*' OR lower(listed) = lower(application_name)) END)`;

interface Opening {
  readonly user: string;
  readonly pid: number;
  readonly traits: ServerTraits;
  readonly full: boolean;
  /** Whether a COMMIT would wait for a synchronous standby that is not there. */
  readonly alone: boolean;
  readonly twins: readonly string[] | null;
  readonly acting: string;
  /** Null where it was not tried: the session is not what it should be. */
  readonly locked: boolean | null;
}

/** A locked role, and what the first look at the server has shown. */
export interface OpenedRole extends RoleLock {
  readonly server: ServerTraits;
  /** A statement that has the session act, for a transaction, as it did when it took the lock (`actAsOneself`). */
  readonly actAsBefore: string;
  /** Which of the role and its twin are there, where an administrator has asked. */
  readonly twins: readonly string[];
  /** Behind a pooler nothing may be set for the session: the lock is the transaction's. */
  readonly pooled: boolean;
}

/**
 * The first message of a session that is going to change a role: who is logged in, what the server is like, whether it
 * has room for a second session, and the role's lock, which is held until `release`, across transactions. The session's
 * idle time-outs end with the step, so that an instance that died frees the lock.
 *
 * @param role whose lock it is.
 * @param purpose to change the role, which takes a primary and room for a second session; or only to look at it.
 * @throws RotationError DATABASE_BEHIND_PROXY | DATABASE_READ_ONLY | DATABASE_FULL | DATABASE_UNAVAILABLE | ROLE_BUSY
 */
export async function openRole(
  session: SqlSession,
  role: string,
  actor: Actor,
  rules: PoolerRules,
  purpose: 'change' | 'look' = 'change',
): Promise<OpenedRole> {
  const { login, processId, deadline } = session;
  const asExpected = `session_user = ${escapeLiteral(login.username)}${processId === null ? '' : ` AND pg_backend_pid() = ${processId}`}`;
  const key = lockKey(role);
  const twins = [role, role + TWIN_SUFFIX].map(escapeLiteral).join(', ');
  const rest = `${deadline.remaining()}::text`;
  const [row] = await session.query<Opening>(`${actor === 'current_user' ? actAsOneself(session) : ''}
    SELECT session_user::text AS "user", pg_backend_pid() AS pid, ${traitsColumn(session, actor)},
           current_setting('role') AS acting, current_setting('max_connections')::int <=
             (SELECT count(*) FROM pg_stat_get_activity(NULL)
               WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend')
             AS full, ${ALONE} AS alone,
           ${actor === 'current_user' ? `(SELECT json_agg(rolname) FROM pg_roles WHERE rolname IN (${twins}))` : 'NULL'} AS twins,
           CASE WHEN ${asExpected} THEN pg_try_advisory_lock(${key}) END AS locked,
           CASE WHEN ${asExpected} THEN set_config('idle_session_timeout', ${rest}, false) END AS idle,
           CASE WHEN ${asExpected} THEN
             set_config('idle_in_transaction_session_timeout', ${rest}, false) END AS "idleInTransaction"`);
  const age = performance.now() - session.beganAt;
  if (row === undefined) throw new TypeError('a SELECT without FROM answers one row');
  const pooled = needDirectSession(session, row, rules);
  if (purpose === 'change') {
    if (row.traits.standby) throw readOnlyError(login);
    if (row.full) throw databaseFull(login);
    if (row.alone) throw standbyGone(login);
  }
  if (row.locked === false) await waitForLock(session, role);
  return {
    server: row.traits,
    pooled,
    twins: row.twins ?? [],
    actAsBefore: `SET LOCAL ROLE ${row.acting === 'none' ? 'NONE' : escapeIdentifier(row.acting)};`,
    fresh: row.locked !== false && age <= FRESH_FOR,
    // The lock that a pooled session's transaction had is gone with it.
    release: async () => !pooled && (await release(session, key)),
  };
}

/** A statement by which a transaction takes the lock again that a pooled session may have lost. */
export function lockAgain({ pooled }: Pick<OpenedRole, 'pooled'>, role: string): string {
  return pooled ? `SELECT pg_advisory_xact_lock(${lockKey(role)});` : '';
}

/** SQL of the key of a role's advisory lock. */
function lockKey(role: string): string {
  return `hashtextextended('postgres-secret-rotation:' || ${escapeLiteral(role)}, 0)`;
}

async function waitForLock(session: SqlSession, role: string): Promise<void> {
  const patience = Math.max(1, session.deadline.remaining() - TIME_AFTER_LOCK);
  const began = performance.now();
  try {
    await session.query(`SET LOCAL lock_timeout = ${patience}; SELECT pg_advisory_lock(${lockKey(role)})`);
  } catch (error) {
    if (!(error instanceof RotationError && error.code === 'ROLE_BUSY')) throw error;
    throw await withHolder(session, role, error);
  } finally {
    session.deadline.onBusy?.(began);
  }
}

/**
 * One message, as a rule. Where another instance of ours had logged in before this one's work was done, the lock is kept
 * until that login is no longer a fresh one: it may have been made with what this one has replaced.
 *
 * @returns whether the lock was still ours.
 */
async function release(session: SqlSession, key: string): Promise<boolean> {
  const since = performance.now() - session.lastCommitAt();
  const reset = 'RESET idle_session_timeout; RESET idle_in_transaction_session_timeout';
  const [row] = await session.query<{ crowded: boolean; released: boolean | null }>(`
    SELECT crowded, CASE WHEN NOT crowded THEN pg_advisory_unlock(${key}) END AS released
      FROM (SELECT EXISTS (SELECT FROM pg_stat_get_activity(NULL) a
                            WHERE a.usesysid = to_regrole(quote_ident(session_user))::oid
                              AND a.application_name = current_setting('application_name')
                              AND a.pid <> pg_backend_pid()
                              AND a.backend_start < now() - ${since} * '1 ms'::interval) AS crowded) AS others; ${reset}`);
  if (row?.crowded !== true) return row?.released === true;
  // Timers count whole milliseconds, and may end one too early.
  await sleep(Math.max(0, FRESH_FOR + 2 - since));
  const [late] = await session.query<{ released: boolean }>(`SELECT pg_advisory_unlock(${key}) AS released`);
  return late?.released === true;
}

/** Who keeps the role busy: the holder of its lock, in this database, or of a transaction that changes roles. */
export async function withHolder(session: SqlSession, role: string, error: RotationError): Promise<RotationError> {
  const [holder] = await session.query<{ pid: number; user: string | null; database: string | null }>(`
    SELECT l.pid, a.usename::text AS "user", a.datname::text AS database
      FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.granted AND l.pid <> pg_backend_pid()
       AND (l.locktype = 'advisory' AND l.objsubid = 1
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (l.classid::bigint << 32 | l.objid::bigint) = ${lockKey(role)}
            OR l.relation = 'pg_authid'::regclass AND l.mode = 'RowExclusiveLock')
     ORDER BY l.locktype <> 'advisory' LIMIT 1`);
  if (holder === undefined) return error;
  const { pid, user, database } = holder;
  const who = user === null ? '' : ` of ${quotedName(user)}${database === null ? '' : ` in ${quotedName(database)}`}`;
  return new RotationError('ROLE_BUSY', `${error.message.replace(/\.$/, '')}: process ${pid}${who} holds it.`, {
    ...error.facts,
    remedy: `The service tries the rotation again; if that process is a forgotten one, end it as an administrator: SELECT pg_terminate_backend(${pid});`,
  });
}
