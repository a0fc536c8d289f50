import type { RoleSession } from '../rotation/ports.ts';
import type { Engine } from '../secret/database-secret.ts';
import { postgresRoles } from './postgres.ts';
import type { SqlSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import type { TwinSql } from './twin-sql.ts';

/** One kind of server's way of doing what a RoleSession promises. */
export type RoleDialect = (session: SqlSession, settings: DatabaseSettings, twins: TwinSql) => RoleSession;

/** The dialect of each engine; another server's SQL (Redshift) gets a file beside postgres.ts and a line here. */
export const DIALECTS: Readonly<Record<Engine, RoleDialect>> = {
  postgres: postgresRoles,
  'aurora-postgresql': postgresRoles,
};
