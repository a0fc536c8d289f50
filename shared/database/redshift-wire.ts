/** What a session with Amazon Redshift differs in from one with PostgreSQL, below its statements. */
import { createHash, randomBytes } from 'node:crypto';
import { DatabaseError } from 'pg';
import type { RotationErrorCode } from '../errors.ts';
import type { Password } from '../secret/password.ts';
import { type DatabaseErrorMeaning, meaningOf, type Phase } from './connect-error.ts';
import type { Wire } from './wire.ts';

export const REDSHIFT_WIRE: Wire = {
  // PostgreSQL 8.0 knows no pg_temp there; a new session has no temporary objects that could stand before the catalog's.
  pinned: 'BEGIN; SET LOCAL search_path = pg_catalog;',
  // Where it counts connections is not documented.
  okProves: false,
  digest: digestAnswer,
  meaningOf: redshiftMeaning,
};

/** The digest's only algorithm so far, SHA-256 (AWS's drivers). */
const SHA256 = 0;

/**
 * AWS's drivers: the request has the algorithm, and the salt and the server's nonce, each behind its length; the answer,
 * message 'd', has sha256(sha256(password, salt), server's nonce, our nonce) and our nonce, in the same way.
 */
export function digestAnswer(body: Buffer, password: Password): Buffer | undefined {
  if (body.length < 4 || body.readInt32BE(0) !== SHA256) return undefined;
  const salt = counted(body, 4);
  const nonce = salt && counted(body, 8 + salt.length);
  if (nonce === undefined || salt === undefined) return undefined;
  const ours = Buffer.from(randomBytes(16).toString('hex'));
  const stored = sha256(Buffer.from(password.reveal()), salt);
  const parts = [sha256(stored, nonce, ours), ours].flatMap((part) => [int32(part.length), part]);
  const rest = Buffer.concat(parts);
  return Buffer.concat([Buffer.from('d'), int32(4 + rest.length), rest]);
}

function counted(body: Buffer, at: number): Buffer | undefined {
  if (body.length < at + 4) return undefined;
  const length = body.readInt32BE(at);
  return length >= 0 && body.length >= at + 4 + length ? body.subarray(at + 4, at + 4 + length) : undefined;
}

function int32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  return bytes;
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** What Redshift says in its own way, and what an operator does about it there; pure. */
function redshiftMeaning(error: unknown, phase: Phase, forTls: boolean): DatabaseErrorMeaning {
  const meaning = { ...meaningOf(error, phase, forTls), ...ownMeaning(error, phase) };
  return { ...meaning, remedy: REMEDIES[meaning.code] ?? meaning.remedy };
}

function ownMeaning(error: unknown, phase: Phase): Partial<DatabaseErrorMeaning> {
  if (!(error instanceof DatabaseError)) return {};
  const { code = '', routine, message, detail = '' } = error;
  if (phase === 'connecting' && code === '28000' && routine === 'auth_failed')
    return { code: 'WRONG_PASSWORD', what: 'the password was wrong', remedy: '' };
  // Error 1023, of two transactions that can't have run one after the other.
  if (code === '40001' || /serializable isolation violation/i.test(`${message} ${detail}`))
    return {
      code: 'ROLE_BUSY',
      what: 'another session was changing users',
      remedy: 'Nothing needs repair: the service tries the rotation again.',
    };
  return {};
}

/** Where PostgreSQL's would name what Redshift has not. */
const REMEDIES: Readonly<Partial<Record<DatabaseErrorMeaning['code'], string>>> = {
  DATABASE_FULL: 'Close idle sessions: SELECT process, user_name, db_name FROM stv_sessions;',
  ROLE_CONNECTION_LIMIT:
    'Raise or lift the limit, as a rotation takes two sessions: ALTER USER {role} CONNECTION LIMIT UNLIMITED;',
  LOGIN_FORBIDDEN:
    'Check that the user may log in with a password: ALTER USER … PASSWORD, LOGIN, and the grants on {database}.',
  PERMISSION_DENIED: 'Let the user change its own password, or have a superuser do so: ALTER USER {role} PASSWORD …',
  PASSWORD_REFUSED_BY_POLICY: "Match PASSWORD_LENGTH and EXCLUDE_* to the server's password rules.",
  AUTHENTICATION_UNSUPPORTED:
    'Rotate only users that log in with a password of their own; one of an identity provider has none.',
} satisfies Partial<Record<RotationErrorCode, string>>;
