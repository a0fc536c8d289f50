import { randomBytes } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { PINNED, textArray } from '../../../shared/database/pinned.ts';
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
      // The second message has the password, so what keeps it out of the log must hold before the server gets it.
      await client.query(`${PINNED} ${READ_WRITE} ${UNLOGGED}`);
      // One transaction up to the table's handing over: whoever owns the schema might put another in its place.
      await client.query(`
        ${createdBy === undefined ? '' : `SET LOCAL ROLE ${escapeIdentifier(createdBy)};`}
        CREATE ROLE ${role} LOGIN ${attributes} PASSWORD ${escapeLiteral(password)};
        RESET ROLE;
        CREATE TABLE ${table} (id int PRIMARY KEY, item text);
        INSERT INTO ${table} VALUES (1, 'first');
        ALTER TABLE ${table} OWNER TO ${role};
        COMMIT`);
    },
    { database },
  );
  return { name, password, database, table };
}

/** Drops those of the roles that exist, in this order, with everything that they own in the server's default database. */
export async function dropRoles(server: PostgresServer, names: readonly string[]): Promise<void> {
  const there = await existingRoles(server, names);
  const statements = names
    .filter((name) => there.includes(name))
    .map(escapeIdentifier)
    .map((role) => `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  if (statements.length > 0) await server.pinnedQuery(`${READ_WRITE} ${statements.join('; ')}`);
}

export async function existingRoles(server: PostgresServer, names: readonly string[]): Promise<string[]> {
  const rows = await server.pinnedQuery<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles WHERE rolname = ANY (${textArray(names)})`,
  );
  return rows.map(({ name }) => name);
}

/** Whatever somebody has made the default of the database or of the role. */
const READ_WRITE = 'SET LOCAL TRANSACTION READ WRITE;';

/** As the sessions on our own servers are anyway; this one may be on somebody else's. */
const UNLOGGED =
  "SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1; SET LOCAL log_min_error_statement = 'panic'";

/** The longest start of a name that PostgreSQL would not cut, which counts in bytes of UTF-8. */
function truncate(name: string): string {
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept + character) > IDENTIFIER_BYTES) break;
    kept += character;
  }
  return kept;
}
