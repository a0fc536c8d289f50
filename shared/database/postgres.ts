import { setTimeout as sleep } from 'node:timers/promises';
import { escapeLiteral } from 'pg';
import type { PasswordHashing } from '../config.ts';
import { RotationError } from '../rotation/errors.ts';
import type { RoleSession } from '../rotation/strategy.ts';
import type { Password } from '../secrets/password.ts';
import { DEFAULT_SCRAM_ITERATIONS, isAscii, type PasswordEncryption, passwordVerifier } from './password-hash.ts';
import type { SqlSession } from './session.ts';

/** Longest wait for another session that is changing the role, in ms: below deadlock_timeout, where waits get logged. */
const LOCK_TIMEOUT = 900;
/** How often a role that is being changed is tried again. */
const BUSY_RETRIES = 5;

/** PostgreSQL's role SQL. */
export function postgresRoles(session: SqlSession, hashing: PasswordHashing): RoleSession {
  return {
    confirmUser: () => confirmUser(session),
    setOwnPassword: (password) => setOwnPassword(session, hashing, password),
  };
}

async function confirmUser(session: SqlSession): Promise<void> {
  const [row] = await session.query<{ user: string }>('SELECT session_user::text AS "user"');
  if (row?.user === session.login.username) return;
  const { host, port, username } = session.login;
  throw new RotationError(
    'DATABASE_ERROR',
    `The server at ${host}:${port} was asked to log ${username} in, and it logged in another user.`,
    {
      remedy: 'Check that no proxy or login trigger between the function and the server changes the user.',
      host,
      port,
      username,
    },
  );
}

async function setOwnPassword(session: SqlSession, hashing: PasswordHashing, password: Password): Promise<void> {
  const server = await inspectServer(session);
  const stored = await storedForm(session, server, hashing, password);
  await whileBusy(session, () =>
    changePassword(session, server, {
      lock: 'session_user',
      // With no role set, a user may always change its own password; and so no name needs quoting.
      before: 'SET LOCAL ROLE NONE;',
      alter: 'ALTER ROLE SESSION_USER PASSWORD',
      stored,
    }),
  );
}

/** What the server says about storing passwords, and whether a password can reach it without being logged. */
interface ServerTraits {
  readonly encryption: PasswordEncryption;
  readonly version: number;
  readonly copyAllowed: boolean;
}

/**
 * Asks for the server's password settings and for what the silent way needs: TEMP and plpgsql, and no event trigger
 * that would see (or refuse) the temporary table.
 */
async function inspectServer(session: SqlSession): Promise<ServerTraits> {
  const [row] = await session.query<{
    method: string;
    iterations: string | null;
    version: number;
    standby: boolean;
    copy: boolean;
  }>(`
    SELECT pg_catalog.current_setting('password_encryption') AS method,
           pg_catalog.current_setting('scram_iterations', true) AS iterations,
           pg_catalog.current_setting('server_version_num')::int / 10000 AS version,
           pg_catalog.pg_is_in_recovery() AS standby,
           pg_catalog.has_database_privilege(session_user, pg_catalog.current_database(), 'TEMP')
             AND EXISTS (SELECT FROM pg_catalog.pg_language
                          WHERE lanname = 'plpgsql' AND pg_catalog.has_language_privilege(session_user, oid, 'USAGE'))
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger
                              WHERE evtevent LIKE 'ddl%' AND evtenabled <> 'D') AS copy`);
  if (row?.standby === true) throw readOnly(session);
  return {
    encryption:
      row?.method === 'md5'
        ? { method: 'md5' }
        : { method: 'scram-sha-256', iterations: Number(row?.iterations ?? DEFAULT_SCRAM_ITERATIONS) },
    version: row?.version ?? 0,
    copyAllowed: row?.copy === true,
  };
}

function readOnly(session: SqlSession): RotationError {
  const { host, port, username } = session.login;
  return new RotationError(
    'DATABASE_READ_ONLY',
    `A server that can write was needed, and ${host}:${port} is a standby.`,
    {
      remedy:
        'Put the writer\'s host name into "host"; if a failover is under way, the service tries the rotation again.',
      host,
      port,
      username,
    },
  );
}

/** The verifier; or the clear text, where the server is to hash it or where only the server knows how to (non-ASCII). */
async function storedForm(
  session: SqlSession,
  { encryption }: ServerTraits,
  hashing: PasswordHashing,
  password: Password,
): Promise<string> {
  const clear = password.reveal();
  session.keepSecret(clear);
  if (hashing === 'server' || !isAscii(clear)) return clear;
  const verifier = await passwordVerifier(encryption, session.login.username, clear);
  session.keepSecret(verifier);
  return verifier;
}

interface PasswordChange {
  /** SQL expression of the name of the role whose changes are made one at a time. */
  readonly lock: string;
  /** Statements to run first, in the same transaction. */
  readonly before: string;
  /** The statement, but for the password's literal. */
  readonly alter: string;
  readonly stored: string;
}

/**
 * One transaction, under an advisory lock keyed by the role, because PostgreSQL answers concurrent changes of one role
 * with "tuple concurrently updated".
 *
 * The server logs every statement's text where log_statement says so, and the literal with it. So where it can, the
 * verifier travels as COPY data, which no setting logs, and a DO block reads it from there.
 */
async function changePassword(session: SqlSession, server: ServerTraits, change: PasswordChange): Promise<void> {
  const begin = `
    BEGIN READ WRITE;
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET LOCAL lock_timeout = ${LOCK_TIMEOUT};
    SET LOCAL statement_timeout = ${session.deadline.remaining()};
    ${server.version >= 18 ? 'SET LOCAL md5_password_warnings = off;' : ''}
    SELECT pg_advisory_xact_lock(hashtextextended('postgres-secret-rotation:' || ${change.lock}, 0));
    ${change.before}`;
  if (!server.copyAllowed) {
    await session.query(`${begin} ${change.alter} ${escapeLiteral(change.stored)}; COMMIT;`);
    return;
  }
  // Raised anew, because the context of the original error would quote the statement in the server's log.
  const alter = `
    BEGIN
      EXECUTE format('%s %L', ${escapeLiteral(change.alter)}, (SELECT stored FROM pg_temp.rotation));
    EXCEPTION WHEN query_canceled OR OTHERS THEN
      RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
    END`;
  await session.copyInto(
    `${begin}
    CREATE TEMP TABLE rotation (stored text) ON COMMIT DROP;
    COPY pg_temp.rotation FROM STDIN;
    DO ${escapeLiteral(alter)};
    COMMIT;`,
    `${change.stored.replace(/[\\\n\r\t]/g, copyEscape)}\n`,
  );
}

/** COPY's text format escapes these four (PostgreSQL manual, COPY, "Text Format"). */
function copyEscape(character: string): string {
  return { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character] ?? character;
}

/** Tries again, a bounded few times, what another session's change of the role prevented. */
async function whileBusy<T>(session: SqlSession, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const busy = error instanceof RotationError && error.code === 'ROLE_BUSY';
      if (!busy || attempt > BUSY_RETRIES || session.deadline.remaining() < LOCK_TIMEOUT) throw error;
    }
    await session.query('ROLLBACK');
    await sleep(Math.random() * 100 * attempt);
  }
}
