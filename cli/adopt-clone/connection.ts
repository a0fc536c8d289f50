import type { ClientOptions } from '../../shared/database/client-options.ts';
import { usage } from '../failures.ts';

/** The variables that PostgreSQL's own programs know, as far as adopt-clone does: no other one has a say. */
export type Environment = Readonly<
  Partial<Record<'PGHOST' | 'PGPORT' | 'PGUSER' | 'PGPASSWORD' | 'PGDATABASE' | 'PGSSLMODE', string>>
>;

/**
 * Where and as whom the environment says to log in.
 *
 * @throws CommandError naming the variable that is missing or makes no sense.
 */
export function connectionFrom(environment: Environment): ClientOptions {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE } = environment;
  if (!PGUSER) throw usage('PGUSER is needed: the administrator who hands the objects over.');
  return {
    host: PGHOST || 'localhost',
    port: portOf(PGPORT || '5432'),
    user: PGUSER,
    password: PGPASSWORD ?? '',
    database: PGDATABASE || 'postgres',
    ssl: tlsOf(PGSSLMODE || 'verify-full'),
    application_name: 'adopt-clone',
  };
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 1 && port <= 65_535) return port;
  throw usage(`PGPORT must be a number from 1 to 65535, and is "${text}".`);
}

/** What would do with less than a verified certificate gets one all the same, unless the word asks for no more. */
function tlsOf(mode: string): ClientOptions['ssl'] {
  switch (mode) {
    case 'disable':
      return false;
    case 'no-verify':
      return { rejectUnauthorized: false };
    case 'prefer':
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return true;
    default:
      throw usage(`PGSSLMODE must be verify-full (TLS, verified), no-verify or disable, and is "${mode}".`);
  }
}
