import type { RoleSession } from '../rotation/ports.ts';
import { needsRoles } from '../rotation/twin-errors.ts';
import type { ServerLogin } from '../secret/database-secret.ts';
import { malformed } from '../secret/secret-members.ts';
import { postgresRoles } from './postgres.ts';
import type { SqlSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import type { TwinSql } from './twin-sql.ts';
import { POSTGRES_WIRE, type Wire } from './wire.ts';

/** One kind of server's way of doing what a RoleSession promises. */
export interface Dialect {
  readonly wire: Wire;
  roles(session: SqlSession, settings: DatabaseSettings, twins: TwinSql): RoleSession;
}

const POSTGRES: Dialect = { wire: POSTGRES_WIRE, roles: postgresRoles };

/**
 * @param redshift a part of its own, which alternating users' function goes without.
 * @throws RotationError ENGINE_UNSUPPORTED
 */
export function dialectOf(secret: ServerLogin, redshift: Dialect | undefined): Dialect {
  if (secret.engine !== 'redshift') return POSTGRES;
  if (redshift === undefined) throw needsRoles(secret);
  return redshift;
}

/**
 * The server is what the secret says: on the other one, statements and stored passwords would be wrong. Redshift reports
 * the version of the PostgreSQL that it is made of, 8.0.2, which nobody else runs any more.
 *
 * @throws RotationError SECRET_MALFORMED | ENGINE_UNSUPPORTED
 */
export function needEngine(
  secret: ServerLogin,
  { version }: Pick<SqlSession, 'version'>,
  redshift: Dialect | undefined,
): void {
  const isRedshift = version.startsWith('8.0');
  if (isRedshift === (secret.engine === 'redshift')) return;
  if (isRedshift && redshift === undefined) throw needsRoles(secret);
  throw malformed(
    'engine',
    `"${isRedshift ? 'redshift' : 'postgres'}" was needed for this server, found "${secret.engine}"`,
  );
}
