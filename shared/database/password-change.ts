import { setTimeout as sleep } from 'node:timers/promises';
import { escapeLiteral } from 'pg';
import type { PasswordHashing } from '../config.ts';
import { RotationError } from '../rotation/errors.ts';
import type { Password } from '../secrets/password.ts';
import { readOnlyError } from './connect-error.ts';
import { DEFAULT_SCRAM_ITERATIONS, isAscii, type PasswordEncryption, passwordVerifier } from './password-hash.ts';
import type { SqlSession } from './session.ts';

/** Longest wait for another session that is changing the role, in ms: below deadlock_timeout, where waits get logged. */
const LOCK_TIMEOUT = 900;
/** How often a role that is being changed is tried again. */
const BUSY_RETRIES = 5;

const USUAL_ENCRYPTION = { method: 'scram-sha-256', iterations: DEFAULT_SCRAM_ITERATIONS } as const;

/** What the server says about storing passwords, and whether a password can reach it without being logged. */
export interface ServerTraits {
  readonly encryption: PasswordEncryption;
  /** Whether the server itself would store another form, where it is the one to hash. */
  readonly encryptsOtherwise: boolean;
  /** Major version, such as 16. */
  readonly version: number;
  readonly copyAllowed: boolean;
}

/** A new password, before it is known how the server wants it. */
export interface PasswordChange {
  /** The session's user's own, with no role set; or another's, by the role that the session acts as. */
  readonly whose: 'own' | "another's";
  readonly username: string;
  readonly password: Password;
  /** Who logs in by SCRAM may be let in by nothing else: then for SCRAM, whatever the server says of new passwords. */
  readonly scram: boolean;
}

/**
 * Asks for the server's password settings and for what the silent way needs: TEMP and plpgsql, and no event trigger
 * that would see (or refuse) the temporary table.
 *
 * @throws RotationError DATABASE_READ_ONLY
 */
async function inspectServer(session: SqlSession, { whose, scram }: PasswordChange): Promise<ServerTraits> {
  const actor = whose === 'own' ? 'session_user' : 'current_user';
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
           pg_catalog.has_database_privilege(${actor}, pg_catalog.current_database(), 'TEMP')
             AND EXISTS (SELECT FROM pg_catalog.pg_language
                          WHERE lanname = 'plpgsql' AND pg_catalog.has_language_privilege(${actor}, oid, 'USAGE'))
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger
                              WHERE evtevent LIKE 'ddl%' AND evtenabled <> 'D') AS copy`);
  if (row === undefined || row.standby) throw readOnlyError(session.login);
  return {
    encryption:
      row.method === 'md5' && !scram
        ? { method: 'md5' }
        : { method: 'scram-sha-256', iterations: Number(row.iterations ?? DEFAULT_SCRAM_ITERATIONS) },
    encryptsOtherwise: row.method === 'md5' && scram,
    version: row.version,
    copyAllowed: row.copy,
  };
}

/**
 * Inspects the server, and makes what it is to store as `username`'s password: the verifier; or the clear text, where
 * the server is to hash it or where only the server knows how to (text that is not ASCII).
 */
export async function prepareChange(
  session: SqlSession,
  hashing: PasswordHashing,
  change: PasswordChange,
): Promise<{ readonly server: ServerTraits; readonly stored: string }> {
  const { username, password } = change;
  const clear = password.reveal();
  session.keepSecret(clear);
  if (hashing === 'server' || !isAscii(clear)) return { server: await inspectServer(session, change), stored: clear };

  // What nearly every server wants is computed while this one is asked.
  const usual = passwordVerifier(USUAL_ENCRYPTION, username, clear);
  const server = await inspectServer(session, change);
  const stored = isUsual(server.encryption) ? await usual : await passwordVerifier(server.encryption, username, clear);
  session.keepSecret(stored);
  return { server, stored };
}

function isUsual(encryption: PasswordEncryption): boolean {
  return encryption.method === USUAL_ENCRYPTION.method && encryption.iterations === USUAL_ENCRYPTION.iterations;
}

/**
 * Opens a transaction under an advisory lock keyed by the role, because PostgreSQL answers concurrent changes of one
 * role with "tuple concurrently updated". What is read under the lock is what the last holder committed, whatever the
 * isolation that the role has by default.
 *
 * @param role SQL expression of the role's name.
 */
export function beginRoleChange(session: SqlSession, server: ServerTraits, role: string): string {
  return `
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET LOCAL lock_timeout = ${LOCK_TIMEOUT};
    SET LOCAL statement_timeout = ${session.deadline.remaining()};
    ${server.encryptsOtherwise ? "SET LOCAL password_encryption = 'scram-sha-256';" : ''}
    ${server.version >= 18 ? 'SET LOCAL md5_password_warnings = off;' : ''}
    SET LOCAL debug_print_parse = off; SET LOCAL debug_print_rewritten = off; SET LOCAL debug_print_plan = off;
    SELECT pg_advisory_xact_lock(hashtextextended('postgres-secret-rotation:' || ${role}, 0));`;
}

/**
 * Runs `before` and sets the password, in one round trip, and commits.
 *
 * The server logs every statement's text where log_statement says so, and the literal with it. So where it can, the
 * stored form travels as COPY data, which is never logged, and a DO block reads it from there. What still sees it is
 * pg_stat_statements with `track = all`, which records the statement inside the block.
 *
 * @param before statements to run first.
 * @param alter the statement, but for the password's literal: `ALTER ROLE … PASSWORD`.
 */
export async function changePassword(
  session: SqlSession,
  server: ServerTraits,
  { before, alter, stored }: { readonly before: string; readonly alter: string; readonly stored: string },
): Promise<void> {
  if (!server.copyAllowed) {
    await session.query(`${before} ${alter} ${escapeLiteral(stored)}; COMMIT;`);
    return;
  }
  // Raised anew, because the context of the original error would quote the statement in the server's log.
  const block = `
    BEGIN
      EXECUTE format('%s %L', ${escapeLiteral(alter)}, (SELECT stored FROM pg_temp.rotation));
    EXCEPTION WHEN query_canceled OR OTHERS THEN
      RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
    END`;
  await session.copyInto(
    `${before}
    CREATE TEMP TABLE rotation (stored text) ON COMMIT DROP;
    COPY pg_temp.rotation FROM STDIN;
    DO ${escapeLiteral(block)};
    COMMIT;`,
    `${stored.replace(/[\\\n\r\t]/g, copyEscape)}\n`,
  );
}

/** Tries again, a bounded few times, what another session's change of the role prevented. */
export async function whileRoleBusy<T>(session: SqlSession, work: () => Promise<T>): Promise<T> {
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

/** COPY's text format escapes these four (PostgreSQL manual, COPY, "Text Format"). */
function copyEscape(character: string): string {
  return { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character] ?? character;
}
