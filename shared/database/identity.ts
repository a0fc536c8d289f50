import { RotationError } from '../errors.ts';
import type { SqlSession } from './session.ts';

export interface PoolerRules {
  /** Whether a pooler that asks the server for passwords may stand between (ALLOW_POOLER). */
  readonly allowPooler: boolean;
}

/** Who the session turned out to be. */
export interface Identity {
  /** session_user. */
  readonly user: string;
  /** pg_backend_pid(). */
  readonly pid: number;
}

/**
 * A session is with the server itself and of the user that was to be logged in. A pooler gives itself away by the
 * process that it names at login: not the one that serves the session.
 *
 * @returns whether it is one that a pooler lends, which `rules` allow.
 * @throws RotationError DATABASE_BEHIND_PROXY | DATABASE_ERROR, where another user is logged in
 */
export function needDirectSession(
  { login, processId }: SqlSession,
  { user, pid }: Identity,
  rules: PoolerRules,
): boolean {
  const pooled = processId !== null && processId !== pid;
  const { host, port, username } = login;
  if (pooled && !rules.allowPooler) {
    throw new RotationError(
      'DATABASE_BEHIND_PROXY',
      `The database itself was needed at ${host}:${port}, and a connection pooler or proxy stands there.`,
      {
        remedy:
          'Put the address of the database itself into "host" and "port" of {secret}; only for a pooler that asks the server for each password (PgBouncer\'s auth_query), set ALLOW_POOLER=true in the function\'s environment.',
        host,
        port,
        username,
      },
    );
  }
  if (user !== username) {
    throw new RotationError(
      'DATABASE_ERROR',
      `The server at ${host}:${port} was asked to log ${username} in, and it logged in another user.`,
      {
        remedy: 'Check that no proxy, pooler or login trigger between the function and the server changes the user.',
        host,
        port,
        username,
      },
    );
  }
  return pooled;
}

/** The row that tells who is logged in, once that is the right one. */
export function needUser<Row extends Identity>(session: SqlSession, row: Row | undefined, allowPooler: boolean): Row {
  if (row === undefined) throw new TypeError('a SELECT without FROM answers one row');
  needDirectSession(session, row, { allowPooler });
  return row;
}
