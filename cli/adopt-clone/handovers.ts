import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { pinnedQuery } from '../../shared/database/pinned.ts';
import { refused } from '../failures.ts';

/** The two logins of a secret whose second one AWS's function made. */
export interface Clone {
  readonly base: string;
  /** The second login. */
  readonly clone: string;
  /** Whether somebody says by name that it is the second login: a membership alone proves nothing. */
  readonly named: boolean;
}

/** What the clone owns in one database, and the statement that hands it to the base role. */
export interface Handover {
  readonly database: string;
  /** As PostgreSQL describes them, such as "table orders". What belongs to no database is with the first one. */
  readonly objects: readonly string[];
  readonly sql: string;
}

/** Opens a session as an administrator. Default: the database that the environment names. */
export type Connect = (database?: string) => Promise<Client>;

/**
 * Looks for what the clone owns, in every database. Changes nothing.
 *
 * Each database may be somebody else's, who chooses what names mean in it and in which encoding they are compared: no
 * statement is run but in a pinned transaction.
 *
 * @throws CommandError where the two roles are not the two logins of a secret.
 */
export async function planHandovers(connect: Connect, roles: Clone): Promise<Handover[]> {
  const databases = await withClient(connect(), async (client) => {
    await checkEncoding(client, roles);
    await checkRoles(client, roles);
    return await databasesWithObjects(client, roles);
  });
  const handovers: Handover[] = [];
  for (const { database, here } of databases) {
    const objects = await withClient(connect(database), async (client) => {
      await checkEncoding(client, roles);
      return await ownedObjects(client, roles, here);
    });
    const sql = `REASSIGN OWNED BY ${escapeIdentifier(roles.clone)} TO ${escapeIdentifier(roles.base)}`;
    handovers.push({ database, objects, sql });
  }
  return handovers;
}

/** Hands over what the clone owns in one database: all of it or nothing. Privileges stay as they are. */
export async function handOver(connect: Connect, { database, sql }: Handover): Promise<void> {
  // Whatever the database's owner has made the default.
  await withClient(connect(database), (client) => pinnedQuery(client, `SET LOCAL TRANSACTION READ WRITE; ${sql}`));
}

const ASCII = /^\p{ASCII}*$/u;

/** A database in another encoding takes a role's name for other bytes, and so for another role. */
async function checkEncoding(client: Client, { base, clone }: Clone): Promise<void> {
  if (ASCII.test(base + clone)) return;
  const [row] = await pinnedQuery<{ database: string; encoding: string }>(
    client,
    `SELECT current_database() AS database, current_setting('server_encoding') AS encoding`,
  );
  if (row?.encoding === 'UTF8') return;
  throw refused(
    'ROLE_NAME_ENCODING',
    `The database ${row?.database} must be in UTF8 for roles whose names are not ASCII, and is in ${row?.encoding}: where it is the one that PGDATABASE names, name another; else hand its objects over by hand.`,
  );
}

async function checkRoles(client: Client, { base, clone, named }: Clone): Promise<void> {
  // From PostgreSQL 16 on a grant may withhold SET: who may not act as the base role has set itself to do so.
  const [row] = await pinnedQuery<{ base: boolean; clone: boolean; superuser: boolean; member: boolean; set: boolean }>(
    client,
    `SELECT b.oid IS NOT NULL AS base, c.oid IS NOT NULL AS clone,
            coalesce(b.rolsuper, false) OR coalesce(c.rolsuper, false) AS superuser,
            EXISTS (SELECT FROM pg_auth_members m
                     WHERE m.roleid = b.oid AND m.member = c.oid AND m.grantor <> b.oid) AS member,
            EXISTS (SELECT FROM pg_db_role_setting s
                     WHERE s.setrole = c.oid AND s.setdatabase = 0 AND 'role=' || b.rolname = ANY (s.setconfig))
            AND EXISTS (SELECT FROM pg_auth_members m
                         WHERE m.roleid = b.oid AND m.member = c.oid AND m.grantor <> b.oid
                           AND to_jsonb(m) ->> 'set_option' IS DISTINCT FROM 'false') AS set
       FROM (VALUES (1)) AS one
       LEFT JOIN pg_roles b ON b.rolname = ${escapeLiteral(base)}
       LEFT JOIN pg_roles c ON c.rolname = ${escapeLiteral(clone)}`,
  );
  for (const [name, exists] of [
    [base, row?.base],
    [clone, row?.clone],
  ] as const) {
    if (exists !== true)
      throw refused('NO_SUCH_ROLE', `The role ${escapeIdentifier(name)} must exist, and it does not.`);
  }
  if (row?.superuser !== false)
    throw refused('ROLE_IS_SUPERUSER', 'Neither of the two roles may be a superuser, and one is.');
  if (!row.member) {
    throw refused(
      'TWIN_NOT_LINKED',
      `${escapeIdentifier(clone)} must be a member of ${escapeIdentifier(base)}, as AWS's function makes it, and by its own grant alone it is not: it may be somebody else's role.`,
    );
  }
  if (!row.set && !named) {
    throw refused(
      'TWIN_NOT_LINKED',
      `${escapeIdentifier(clone)} is a member of ${escapeIdentifier(base)}, which whoever may create roles can bring about for anybody's login: where it is the second login, say so with --clone.`,
    );
  }
}

/** What REASSIGN OWNED hands over (PostgreSQL manual, REASSIGN OWNED): default privileges and user mappings it leaves. */
const ownedBy = (role: string) => `
  SELECT o.* FROM pg_shdepend o JOIN pg_roles c ON c.oid = o.refobjid AND c.rolname = ${escapeLiteral(role)}
   WHERE o.refclassid = 'pg_authid'::regclass AND o.deptype = 'o'
     AND o.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)`;

/** `here`: the database in which what belongs to no database is handed over. */
async function databasesWithObjects(
  client: Client,
  { clone }: Clone,
): Promise<readonly { database: string; here: boolean }[]> {
  const owned = ownedBy(clone);
  return await pinnedQuery<{ database: string; here: boolean }>(
    client,
    `SELECT d.datname::text AS database, row_number() OVER (ORDER BY d.datname) = 1 AS here
       FROM pg_database d
      WHERE d.datallowconn
        AND (d.oid IN (SELECT dbid FROM (${owned}) AS owned)
             OR d.datname = current_database() AND EXISTS (SELECT FROM (${owned}) AS owned WHERE dbid = 0))
      ORDER BY d.datname`,
  );
}

async function ownedObjects(client: Client, { clone }: Clone, shared: boolean): Promise<string[]> {
  const rows = await pinnedQuery<{ object: string }>(
    client,
    `SELECT pg_describe_object(classid, objid, objsubid) AS object
       FROM (${ownedBy(clone)}) AS owned
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) OR dbid = 0 AND ${shared}
      ORDER BY 1`,
  );
  return rows.map(({ object }) => object);
}

async function withClient<T>(connecting: Promise<Client>, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connecting;
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
