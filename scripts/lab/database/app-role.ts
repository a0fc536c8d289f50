import { randomBytes } from 'node:crypto';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresServer } from './server.ts';

export interface AppRoleOptions {
  /** Any name that PostgreSQL takes, unquoted. */
  readonly name: string;
  readonly password?: string;
  /** The role, quoted by us, that creates it and so administers it. Default: the superuser. */
  readonly createdBy?: string;
  /** Further SQL of CREATE ROLE, such as 'CREATEROLE CONNECTION LIMIT 5'. */
  readonly attributes?: string;
  /** Where its table is; it must exist. Default: 'postgres'. */
  readonly database?: string;
  /** The name of its table, unquoted. Default: 'orders of ' and as much of the role's name as fits. */
  readonly table?: string;
}

/** An application's role, and a table of its own with one row. */
export interface AppRole {
  readonly name: string;
  readonly password: string;
  readonly database: string;
  /** Quoted and qualified: ready for an SQL statement. */
  readonly table: string;
}

const IDENTIFIER_BYTES = 63;

export async function createAppRole(server: PostgresServer, options: AppRoleOptions): Promise<AppRole> {
  const { name, createdBy, attributes = '', database = 'postgres' } = options;
  const password = options.password ?? randomBytes(18).toString('base64url');
  const table = `public.${escapeIdentifier(options.table ?? truncate(`orders of ${name}`))}`;
  const role = escapeIdentifier(name);
  await server.withClient(
    async (client) => {
      await keepOutOfLog(client);
      await client.query('BEGIN');
      if (createdBy !== undefined) await client.query(`SET LOCAL ROLE ${escapeIdentifier(createdBy)}`);
      await client.query(`CREATE ROLE ${role} LOGIN ${attributes} PASSWORD ${escapeLiteral(password)}`);
      await client.query('RESET ROLE');
      await client.query(`CREATE TABLE ${table} (id int PRIMARY KEY, item text)`);
      await client.query(`INSERT INTO ${table} VALUES (1, 'first')`);
      await client.query(`ALTER TABLE ${table} OWNER TO ${role}`);
      await client.query('COMMIT');
    },
    { database },
  );
  return { name, password, database, table };
}

/** As the sessions on our own servers are anyway; this one may be on somebody else's. */
async function keepOutOfLog(client: Client): Promise<void> {
  await client.query(
    `SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'`,
  );
}

/** The longest start of a name that PostgreSQL would not cut, which counts in bytes of UTF-8. */
function truncate(name: string): string {
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept + character) > IDENTIFIER_BYTES) break;
    kept += character;
  }
  return kept;
}
