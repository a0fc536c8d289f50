import { DatabaseError } from 'pg';
import { RotationError, type RotationErrorCode } from '../errors.ts';
import { AuthenticationUnsupported, MAX_SCRAM_ITERATIONS, NoProcess, TooManyIterations } from './connection.ts';

/** Where a session was when it failed. */
export type Phase = 'connecting' | 'working';

/** What an error of the driver, the server, the socket or TLS means. */
export interface DatabaseErrorMeaning {
  readonly code: RotationErrorCode | 'WRONG_PASSWORD';
  /** Completes "A session with <host> was needed, but …". */
  readonly what: string;
  readonly remedy: string;
}

/**
 * The one place that tells what went wrong with a database; pure.
 *
 * @param forTls whether TLS was asked for, also where the server turned out to have none.
 */
export function meaningOf(error: unknown, phase: Phase, forTls: boolean): DatabaseErrorMeaning {
  if (error instanceof DatabaseError) return serverMeaning(error, phase, forTls);
  if (error instanceof AuthenticationUnsupported)
    return unsupported(`it asks for authentication by ${error.method}, which is none by password`);
  if (error instanceof TooManyIterations) return tooManyIterations(error.iterations);
  if (error instanceof NoProcess) return MEANINGS.overloaded;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : '';
  if (/^(ENOTFOUND$|EAI_)/.test(code)) return MEANINGS.hostNotFound;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return MEANINGS.wrongHost;
  if (/^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_|PATH_LENGTH|ERROR_IN_CERT|HOSTNAME_)/.test(code))
    return MEANINGS.untrusted;
  // The driver words these two itself and gives them no code.
  if (message === 'The server does not support SSL connections') return MEANINGS.noTls;
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code) || message.includes('establishing an SSL connection'))
    return MEANINGS.tlsFailed;
  if (phase === 'connecting' && /^E[A-Z]+$/.test(code) && code !== 'ECONNRESET' && code !== 'EPIPE')
    return MEANINGS.unreachable;
  if (message.startsWith('SASL')) return MEANINGS.notAuthentic;
  return MEANINGS.lost;
}

/** SQLSTATE → meaning. `routine` (a function of the server's source) tells apart what shares an SQLSTATE, in any language. */
function serverMeaning(error: DatabaseError, phase: Phase, forTls: boolean): DatabaseErrorMeaning {
  const state = error.code ?? '';
  if (phase === 'connecting') {
    if (state === '28P01') return MEANINGS.wrongPassword;
    if (/RDS proxy/i.test(error.message)) return MEANINGS.behindProxy;
    // PgBouncer's code for nearly everything, a wrong password included (1.18).
    if (state === '08P01' && /^((SASL|password) )?(auth|authentication) failed$/.test(error.message))
      return MEANINGS.wrongPassword;
    // Whatever the password is, and no broken connection, as its SQLSTATE (08000) would have it.
    if (error.routine === 'clientauth_hook') return MEANINGS.refusedByFunction;
    if (/^PAM authentication failed/.test(error.message)) return MEANINGS.iamUser;
    if (state === '28000') {
      const hba = error.routine === 'ClientAuthentication' || /pg_hba/.test(error.message);
      return hba && !forTls ? MEANINGS.tlsRequired : MEANINGS.loginForbidden;
    }
    if (state === '42501') return MEANINGS.noConnectPrivilege;
    if (state === '55000') return MEANINGS.closedDatabase;
    // The postmaster's words for all that it is busy with, by whatever SQLSTATE.
    if (/^the database system is /.test(error.message)) return MEANINGS.unavailable;
  }
  // Password rules raise it too (credcheck); of a session that is logged in, nothing else is judged by it.
  if (phase === 'working' && state === '28000') return MEANINGS.refusedByPolicy;
  // By the part of the server that judges settings, whatever the server's language.
  if (error.file === 'guc.c' && (state === '22023' || state === '42704')) return MEANINGS.settingRefused;
  if (state === '53300') return LIMITS.get(error.routine ?? '') ?? MEANINGS.full;
  if (state === 'XX000' && /concurrently/.test(error.message)) return MEANINGS.busy;
  return BY_STATE.get(state) ?? BY_STATE.get(state.slice(0, 2)) ?? MEANINGS.other;
}

function unsupported(what: string): DatabaseErrorMeaning {
  return {
    code: 'AUTHENTICATION_UNSUPPORTED',
    what,
    remedy:
      "In the server's pg_hba.conf let this user log in from the function's address by scram-sha-256, in a line before the one that applies now.",
  };
}

/** For a login that says nothing of the password, right or wrong. */
export const notAsked = (session: SessionFacts) =>
  foundError(unsupported('it asked for no password (trust, peer or a certificate)'), session);

/** @param found how many rounds were asked for. */
export function tooManyIterations(found: number | string): DatabaseErrorMeaning {
  return {
    code: 'SCRAM_ITERATIONS_TOO_HIGH',
    what: `its SCRAM passwords take ${found} iterations, where at most ${MAX_SCRAM_ITERATIONS} are computed`,
    remedy:
      'Lower scram_iterations (in postgresql.conf, or ALTER ROLE {role} SET scram_iterations = 4096;), and set the password again where it was stored with more (in psql: SET scram_iterations = 4096; \\password {role} – before PostgreSQL 16 without the SET).',
  };
}

/** How a password is stored can neither be seen nor guessed. */
export const formUnknown = (session: SessionFacts) => foundError(MEANINGS.formUnknown, session);

export function isBusy(error: unknown): error is RotationError {
  return error instanceof RotationError && error.code === 'ROLE_BUSY';
}

export function isRefusedByPolicy(error: unknown): error is RotationError {
  return error instanceof RotationError && error.code === 'PASSWORD_REFUSED_BY_POLICY';
}

const MEANINGS = {
  formUnknown: {
    code: 'PASSWORD_FORM_UNKNOWN',
    what: 'passwords are asked for in clear and new ones are stored as md5, so that nobody can tell how the one that is used now is stored',
    remedy:
      "Set password_encryption = 'scram-sha-256' in the server (ALTER ROLE {role} SET password_encryption = 'scram-sha-256'; is enough), or in pg_hba.conf change the method password to scram-sha-256 or md5.",
  },
  behindProxy: {
    code: 'DATABASE_BEHIND_PROXY',
    what: 'a proxy answered, which knows the passwords of its own secrets only',
    remedy: 'Put the address of the database itself into "host" of {secret}.',
  },
  wrongPassword: { code: 'WRONG_PASSWORD', what: 'the password was wrong', remedy: '' },
  hostNotFound: {
    code: 'DATABASE_HOST_NOT_FOUND',
    what: "the host's name could not be resolved",
    remedy: 'Correct "host" in {secret}, or give the function\'s VPC the DNS zone that knows the name.',
  },
  unreachable: {
    code: 'DATABASE_UNREACHABLE',
    what: 'nothing accepted a connection there',
    remedy:
      'Check "host" and "port" in {secret}, that the server runs, and that its security group admits the function\'s.',
  },
  timeout: {
    code: 'DATABASE_TIMEOUT',
    what: 'it did not answer in time',
    remedy:
      "Check that the database's security group admits the function's security group and that the function's time-out is at least 30 s.",
  },
  lost: {
    code: 'DATABASE_CONNECTION_LOST',
    what: 'the connection broke off',
    remedy: 'Nothing needs repair: the service tries the rotation again; look at the server log if it comes back.',
  },
  ownTimeout: {
    code: 'DATABASE_CONNECTION_LOST',
    what: 'the server ended the session by a time-out that the role or the database has set for itself',
    remedy:
      'Raise or reset it: ALTER ROLE {role} RESET idle_session_timeout; the same for idle_in_transaction_session_timeout and transaction_timeout; or ALTER DATABASE {database} RESET …',
  },
  unavailable: {
    code: 'DATABASE_UNAVAILABLE',
    what: 'the server is starting, stopping or recovering',
    remedy: 'Nothing needs repair: the service tries the rotation again once the server is up.',
  },
  closedDatabase: {
    code: 'DATABASE_UNAVAILABLE',
    what: 'the database takes no connections',
    remedy:
      'Nothing needs repair if somebody is at work on it: the service tries the rotation again; else ALTER DATABASE {database} ALLOW_CONNECTIONS true;',
  },
  standbyGone: {
    code: 'DATABASE_UNAVAILABLE',
    what: 'what is committed there waits for a synchronous standby that is not connected',
    remedy:
      'Bring the standby back, or take it out of synchronous_standby_names: the service tries the rotation again.',
  },
  full: {
    code: 'DATABASE_FULL',
    what: 'the server has no connection left',
    remedy: 'Raise max_connections, or close idle sessions: SELECT pid, usename, state FROM pg_stat_activity;',
  },
  overloaded: {
    code: 'DATABASE_FULL',
    what: 'the server has not enough memory, processes or files for it',
    remedy:
      'Nothing needs repair if it passes: the service tries the rotation again; else close idle sessions, or give the server more.',
  },
  databaseLimit: {
    code: 'DATABASE_FULL',
    what: "the database's CONNECTION LIMIT is reached",
    remedy: 'Raise or lift the limit: ALTER DATABASE {database} CONNECTION LIMIT -1; or close idle sessions.',
  },
  roleLimit: {
    code: 'ROLE_CONNECTION_LIMIT',
    what: "the role's CONNECTION LIMIT is reached",
    remedy: 'Raise or lift the limit: ALTER ROLE {role} CONNECTION LIMIT -1;',
  },
  databaseNotFound: {
    code: 'DATABASE_NOT_FOUND',
    what: 'the server has no database of that name',
    remedy: 'Correct "dbname" in {secret}.',
  },
  loginForbidden: {
    code: 'LOGIN_FORBIDDEN',
    what: 'the server does not let this user log in from here',
    remedy:
      "ALTER ROLE {role} LOGIN; and check that pg_hba.conf admits this user, database and the function's address.",
  },
  iamUser: {
    code: 'LOGIN_FORBIDDEN',
    what: 'it asks an IAM token of this user, for whom passwords do not count (the role rds_iam)',
    remedy: 'REVOKE rds_iam FROM {role}; or rotate nothing: a user logs in by IAM or by a password.',
  },
  refusedByFunction: {
    code: 'LOGIN_FORBIDDEN',
    what: 'a function of the server refuses this login (pg_tle, clientauth)',
    remedy:
      'Do what the message asks for (after too many wrong passwords, unlock the user), or name the user in pgtle.clientauth_users_to_skip.',
  },
  noConnectPrivilege: {
    code: 'LOGIN_FORBIDDEN',
    what: 'the user may not connect to that database',
    remedy: 'GRANT CONNECT ON DATABASE {database} TO {role}; or correct "dbname" in {secret}.',
  },
  tlsRequired: {
    code: 'TLS_REQUIRED',
    what: 'the server admits no unencrypted connection for it',
    remedy:
      'Remove "ssl": false from {secret}; if the server has no TLS at all, have its pg_hba.conf admit this user, database and the function\'s address without.',
  },
  noTls: {
    code: 'TLS_NOT_SUPPORTED',
    what: 'the server has no TLS',
    remedy: 'Turn TLS on in the server (ssl = on), or accept plain text by "ssl": false in {secret}.',
  },
  untrusted: {
    code: 'TLS_UNTRUSTED_CERTIFICATE',
    what: 'no trusted authority vouches for its certificate',
    remedy:
      "Put the authority's certificate (PEM) into the package and its path into DB_CA_FILE, or renew the certificate.",
  },
  wrongHost: {
    code: 'TLS_WRONG_HOST',
    what: 'its certificate is for another host name',
    remedy:
      'Put the name that the certificate is for into "host" in {secret}, or, where the host must be another name, into "sslhostname".',
  },
  tlsFailed: {
    code: 'TLS_FAILED',
    what: 'TLS could not be agreed on',
    remedy: 'Check that the server speaks TLS 1.2 or later on this port.',
  },
  notAuthentic: {
    code: 'DATABASE_ERROR',
    what: 'the server did not prove that it knows the password (SCRAM)',
    remedy: 'Find out what answers at that host and port: it is not the server that has stored this password.',
  },
  readOnly: {
    code: 'DATABASE_READ_ONLY',
    what: 'it is read-only: a replica, or a failover is under way',
    remedy:
      'Put the writer\'s host name into "host" in {secret}; if a failover is under way, the service tries the rotation again.',
  },
  permission: {
    code: 'PERMISSION_DENIED',
    what: 'the server denied permission',
    remedy: 'Grant what the message names; on RDS with rds.restrict_password_commands: GRANT rds_password TO {role};',
  },
  busy: {
    code: 'ROLE_BUSY',
    what: 'another session was changing the role',
    remedy:
      'Nothing needs repair: the service tries the rotation again; end a forgotten transaction that altered the role.',
  },
  collided: {
    code: 'ROLE_BUSY',
    what: 'its transaction collided with something else that the server was doing',
    remedy: 'Nothing needs repair: the service tries the rotation again.',
  },
  refusedByPolicy: {
    code: 'PASSWORD_REFUSED_BY_POLICY',
    what: 'the server refused the new password',
    remedy:
      "Match PASSWORD_LENGTH and EXCLUDE_* to the server's password rules; where it checks the clear text (passwordcheck, credcheck) set PASSWORD_HASHING=server.",
  },
  settingRefused: {
    code: 'DATABASE_ERROR',
    what: 'the server refused a setting that the base role has and its twin should have',
    remedy:
      'Take the setting that the message names off the base role: ALTER ROLE … RESET …; (\\drds in psql lists them).',
  },
  other: {
    code: 'DATABASE_ERROR',
    what: 'the server answered with an error',
    remedy: 'Look up the SQLSTATE in `reason` and the server log at this time.',
  },
} as const satisfies Record<string, DatabaseErrorMeaning>;

/** Of 53300, by the function of the server that found it. */
const LIMITS: ReadonlyMap<string, DatabaseErrorMeaning> = new Map<string, DatabaseErrorMeaning>([
  ['InitializeSessionUserId', MEANINGS.roleLimit],
  ['CheckMyDatabase', MEANINGS.databaseLimit],
]);

/** The meaning of a wait that was cut short by the deadline. */
export const TIMED_OUT: DatabaseErrorMeaning = MEANINGS.timeout;

/** By SQLSTATE, or by its class where the whole class means one thing (PostgreSQL manual, appendix A). */
const BY_STATE: ReadonlyMap<string, DatabaseErrorMeaning> = new Map<string, DatabaseErrorMeaning>([
  ['3D000', MEANINGS.databaseNotFound],
  ['57P03', MEANINGS.unavailable],
  ['57P01', MEANINGS.unavailable],
  ['57P02', MEANINGS.unavailable],
  ['25006', MEANINGS.readOnly],
  ['42501', MEANINGS.permission],
  ['55P03', MEANINGS.busy],
  ['40P01', MEANINGS.busy],
  ['40001', MEANINGS.collided],
  ['53000', MEANINGS.overloaded],
  ['53200', MEANINGS.overloaded],
  ['53400', MEANINGS.overloaded],
  // Of catalogs alone, which is all that is written: somebody else has just made the role, the membership or the setting.
  ['23505', MEANINGS.busy],
  ['42710', MEANINGS.busy],
  ['57014', MEANINGS.timeout],
  ['25P03', MEANINGS.ownTimeout],
  ['25P04', MEANINGS.ownTimeout],
  ['57P05', MEANINGS.ownTimeout],
  ['22023', MEANINGS.refusedByPolicy],
  ['08', MEANINGS.lost],
]);

/** Of a server's message so much is quoted, in characters: a log line has its limits. */
const MESSAGE_LENGTH = 500;

/** The facts of a session that go into its errors. */
export interface SessionFacts {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
}

/**
 * @param error what the driver threw; its SQLSTATE or code is kept, and the server's message where it sent one.
 * @param redact takes every secret of the session out of a text.
 */
export function databaseError(
  meaning: DatabaseErrorMeaning,
  error: unknown,
  facts: SessionFacts,
  redact: (text: string) => string,
): RotationError {
  const code = meaning.code === 'WRONG_PASSWORD' ? 'PASSWORD_NOT_ACCEPTED' : meaning.code;
  const said = error instanceof DatabaseError ? ` (${redact(error.message).slice(0, MESSAGE_LENGTH)})` : '';
  const reason = codeOf(error);
  return new RotationError(
    code,
    `A session with ${facts.host}:${facts.port} as ${facts.username} was needed, but ${meaning.what}${said}.`,
    {
      remedy: meaning.remedy,
      ...facts,
      ...(reason === '' ? {} : { reason }),
    },
  );
}

/** For who asked and was told that the server is a standby, before a write would have failed. */
export const readOnlyError = (session: SessionFacts) => foundError(MEANINGS.readOnly, session);

/** For a host whose name tells that RDS Proxy answers there. */
export const behindProxy = (session: SessionFacts) => foundError(MEANINGS.behindProxy, session);

/** For who asked and was told that there is no room for a second session. */
export const databaseFull = (session: SessionFacts) => foundError(MEANINGS.full, session);

/** For who asked and was told that a COMMIT would wait for a standby that is not there. */
export const standbyGone = (session: SessionFacts) => foundError(MEANINGS.standbyGone, session);

/** What was found out before the server would have answered with an error. */
export function foundError(
  meaning: DatabaseErrorMeaning,
  { host, port, username, database }: SessionFacts,
): RotationError {
  return databaseError(meaning, undefined, { host, port, username, database }, (text) => text);
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
