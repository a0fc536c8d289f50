import { escapeLiteral } from 'pg';
import { isAscii, type Password } from '../secret/password.ts';
import { foundError, tooManyIterations } from './connect-error.ts';
import { MAX_SCRAM_ITERATIONS } from './connection.ts';
import { type Computed, type ForeseenVerifier, timed } from './foreseen-verifier.ts';
import { passwordVerifier } from './password-hash.ts';
import { encryptionOf, isSilent, majorVersion, needSilence, type ServerTraits } from './server-traits.ts';
import type { SqlSession } from './session.ts';
import type { PasswordHashing } from './settings.ts';

/** Longest wait for another session that is changing the role, in ms: below deadlock_timeout, where waits get logged. */
export const LOCK_TIMEOUT = 900;

/** A new password, before it is known how the server wants it. */
export interface NewPassword {
  readonly username: string;
  readonly password: Password;
  /** Whether it has to be stored for SCRAM. */
  readonly scram: boolean;
  /** The role that changes it. */
  readonly actor: string;
  /** The verifier that it takes as a rule. */
  readonly foreseen?: ForeseenVerifier | undefined;
}

/**
 * What the server is to store as the password: the verifier; or the clear text, where the server is to hash it or where
 * only the server knows how to (text that is not ASCII).
 *
 * @throws RotationError SCRAM_ITERATIONS_TOO_HIGH | PASSWORD_WOULD_BE_LOGGED, before anything is computed
 */
export async function storedForm(
  session: SqlSession,
  server: ServerTraits,
  hashing: PasswordHashing,
  { username, password, scram, actor, foreseen }: NewPassword,
): Promise<Computed> {
  const clear = password.reveal();
  session.redact(clear);
  needUsualIterations(session, server);
  if (isHashedByServer(session, hashing, clear)) {
    needSilence(session, server, actor);
    return { verifier: clear, computing: 0 };
  }
  const encryption = encryptionOf(server, scram);
  const isForeseen =
    encryption.method === 'scram-sha-256' && encryption.iterations === foreseen?.iterations && clear === foreseen.clear;
  const computed = await (isForeseen ? foreseen.computed : timed(() => passwordVerifier(encryption, username, clear)));
  session.redact(computed.verifier);
  return computed;
}

/**
 * Who hashes: the server, where it is to see the password or alone knows how to (text that is not ASCII). In a database that
 * is not in UTF8 it would hash other bytes than clients send, and so never does.
 */
export function isHashedByServer({ encoding }: SqlSession, hashing: PasswordHashing, clear: string): boolean {
  if (isAscii(clear)) return hashing === 'server';
  return encoding === 'UTF8' || encoding === 'SQL_ASCII';
}

/** What our own login could not use is not set. */
export function needUsualIterations({ login }: SqlSession, { iterations }: ServerTraits): void {
  if (iterations !== null && iterations > MAX_SCRAM_ITERATIONS) throw foundError(tooManyIterations(iterations), login);
}

/**
 * Settings of a transaction that changes a password; whatever the role has for its own is as good as not there. An error,
 * such as somebody else's change of the role, must not end the session that has to put a password back (exit_on_error). A
 * parse tree in the server's log would show what is stored; PostgreSQL 19 can log the raw one too.
 */
export function changeSettings(session: SqlSession, server: ServerTraits, scram: boolean): string {
  const version = majorVersion(session);
  return `
    SET LOCAL TRANSACTION READ WRITE;
    SELECT set_config(name, safe, true)
      FROM (VALUES ('synchronous_commit', 'off', 'local'), ('debug_print_raw_parse', 'on', 'off')) AS setting (name, unsafe, safe)
     WHERE current_setting(name, true) = unsafe;
    SET LOCAL lock_timeout = ${LOCK_TIMEOUT};
    SET LOCAL exit_on_error = off;
    SET LOCAL idle_in_transaction_session_timeout = ${session.deadline.remaining()};
    ${server.method === 'md5' && scram ? "SET LOCAL password_encryption = 'scram-sha-256';" : ''}
    ${version >= 16 && server.iterations !== null ? `SET LOCAL scram_iterations = ${server.iterations};` : ''}
    ${version >= 18 ? 'SET LOCAL md5_password_warnings = off;' : ''}
    SET LOCAL debug_print_parse = off; SET LOCAL debug_print_rewritten = off; SET LOCAL debug_print_plan = off;`;
}

/**
 * Sets the password in the open transaction, which holds the role, in one round trip.
 *
 * The server logs every statement's text where log_statement says so, and the literal with it. So where it can, the
 * stored form travels as COPY data, which is never logged, and a DO block reads it from there. What still sees it is
 * pg_stat_statements with `track = all`, which records the statement inside the block.
 *
 * @param alter the statement, but for the password: `ALTER ROLE …`
 */
export async function setPassword(
  session: SqlSession,
  server: ServerTraits,
  alter: string,
  stored: string,
): Promise<void> {
  if (isSilent(server)) return await session.copy(...byCopy(alter, stored));
  await session.proceed(`${alter} PASSWORD ${escapeLiteral(stored)}`);
}

/** The statements, and what their COPY reads. */
function byCopy(alter: string, stored: string): [statements: string, data: Buffer] {
  // Raised anew, because the context of the original error would quote the statement in the server's log.
  const block = `
    BEGIN
      EXECUTE format('%s PASSWORD %L', ${escapeLiteral(alter)}, (SELECT stored FROM pg_temp.rotation));
    EXCEPTION WHEN query_canceled OR OTHERS THEN
      RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
    END`;
  const statements = `CREATE TEMP TABLE rotation (stored text) ON COMMIT DROP;
    COPY pg_temp.rotation FROM STDIN (FORMAT binary);
    DO ${escapeLiteral(block)}`;
  return [statements, binaryRow(stored)];
}

/**
 * One row of one column in COPY's binary format (PostgreSQL manual, COPY, "Binary Format"). Of the text format the server
 * logs the line that it is at, where the session ends in the middle of it.
 */
function binaryRow(text: string): Buffer {
  const value = Buffer.from(text);
  const header = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
  const [count, length, trailer] = [Buffer.alloc(2), Buffer.alloc(4), Buffer.alloc(2)];
  count.writeInt16BE(1);
  length.writeInt32BE(value.length);
  trailer.writeInt16BE(-1);
  return Buffer.concat([header, count, length, value, trailer]);
}
