import { type Client, escapeIdentifier } from 'pg';

/** The two logins of a secret whose second one AWS's function made. */
export interface Clone {
  readonly base: string;
  /** The second login. */
  readonly clone: string;
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
 * @throws Error where the two roles are not the two logins of a secret.
 */
export async function planHandovers(connect: Connect, roles: Clone): Promise<Handover[]> {
  const databases = await withClient(connect(), async (client) => {
    await checkRoles(client, roles);
    return await databasesWithObjects(client, roles);
  });
  const handovers: Handover[] = [];
  for (const { database, here } of databases) {
    const objects = await withClient(connect(database), (client) => ownedObjects(client, roles, here));
    const sql = `REASSIGN OWNED BY ${escapeIdentifier(roles.clone)} TO ${escapeIdentifier(roles.base)}`;
    handovers.push({ database, objects, sql });
  }
  return handovers;
}

/** Hands over what the clone owns in one database: all of it or nothing. Privileges stay as they are. */
export async function handOver(connect: Connect, { database, sql }: Handover): Promise<void> {
  await withClient(connect(database), (client) => client.query(sql));
}

async function checkRoles(client: Client, { base, clone }: Clone): Promise<void> {
  const [row] = (
    await client.query<{ base: boolean; clone: boolean; superuser: boolean; member: boolean }>(
      `SELECT b.oid IS NOT NULL AS base, c.oid IS NOT NULL AS clone,
              coalesce(b.rolsuper, false) OR coalesce(c.rolsuper, false) AS superuser,
              EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = b.oid AND m.member = c.oid) AS member
         FROM (VALUES (1)) AS one
         LEFT JOIN pg_roles b ON b.rolname = $1 LEFT JOIN pg_roles c ON c.rolname = $2`,
      [base, clone],
    )
  ).rows;
  for (const [name, exists] of [
    [base, row?.base],
    [clone, row?.clone],
  ] as const) {
    if (exists !== true) throw new Error(`The role ${escapeIdentifier(name)} must exist, and it does not.`);
  }
  if (row?.superuser !== false) throw new Error('Neither of the two roles may be a superuser, and one is.');
  if (!row.member) {
    throw new Error(
      `${escapeIdentifier(clone)} must be a member of ${escapeIdentifier(base)}, as AWS's function makes it, and it is not: it may be somebody else's role.`,
    );
  }
}

/** What REASSIGN OWNED hands over (PostgreSQL manual, REASSIGN OWNED): default privileges and user mappings it leaves. */
const OWNED = `
  SELECT o.* FROM pg_shdepend o JOIN pg_roles c ON c.oid = o.refobjid AND c.rolname = $1
   WHERE o.refclassid = 'pg_authid'::regclass AND o.deptype = 'o'
     AND o.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)`;

/** `here`: the database in which what belongs to no database is handed over. */
async function databasesWithObjects(
  client: Client,
  { clone }: Clone,
): Promise<readonly { database: string; here: boolean }[]> {
  const { rows } = await client.query<{ database: string; here: boolean }>(
    `SELECT d.datname::text AS database, row_number() OVER (ORDER BY d.datname) = 1 AS here
       FROM pg_database d
      WHERE d.datallowconn
        AND (d.oid IN (SELECT dbid FROM (${OWNED}) AS owned)
             OR d.datname = current_database() AND EXISTS (SELECT FROM (${OWNED}) AS owned WHERE dbid = 0))
      ORDER BY d.datname`,
    [clone],
  );
  return rows;
}

async function ownedObjects(client: Client, { clone }: Clone, shared: boolean): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    `SELECT pg_describe_object(classid, objid, objsubid) AS object
       FROM (${OWNED}) AS owned
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) OR dbid = 0 AND $2
      ORDER BY 1`,
    [clone, shared],
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
