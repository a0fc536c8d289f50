import type { SqlSession } from './session.ts';

/** A role as pg_roles shows it (pg_authid can't be read on RDS, by the master either). */
export interface RoleState {
  readonly superuser: boolean;
  readonly canLogin: boolean;
  readonly inherit: boolean;
  readonly replication: boolean;
  readonly createDb: boolean;
  readonly createRole: boolean;
  readonly bypassRls: boolean;
  /** −1 is no limit. */
  readonly connectionLimit: number;
  /** ISO 8601, whatever the session's DateStyle, or 'infinity'; null where there is none. */
  readonly validUntil: string | null;
  readonly expired: boolean;
  /** Settings as `name=value`, by database; the key '' is for all databases. */
  readonly settings: Readonly<Record<string, readonly string[]>>;
  /** Whether the administrator has ADMIN OPTION on it. */
  readonly adminOption: boolean;
}

/** The user that makes the change. */
export interface AdminState {
  readonly name: string;
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly replication: boolean;
  readonly createDb: boolean;
  readonly bypassRls: boolean;
  /** A member of rds_superuser, to whom RDS allows more than the catalog tells. */
  readonly rdsSuperuser: boolean;
  /** Names of settings, of the base role or the twin, that it may not set. */
  readonly forbiddenSettings: readonly string[];
}

/** The twin's membership in the base role. */
export interface Membership {
  readonly inherit: boolean;
  readonly set: boolean;
  /** By somebody other than the base role, which before PostgreSQL 16 may make anybody a member of itself. */
  readonly granted: boolean;
}

/** All that planning a twin depends on, read under the lock. */
export interface TwinState {
  readonly admin: AdminState;
  readonly base: RoleState | null;
  readonly twin: RoleState | null;
  /** Null where there is none. */
  readonly membership: Membership | null;
}

/** One query. Settings of 15+ can be granted by name, and memberships of 16+ have options. */
export async function readTwinState(
  session: SqlSession,
  base: string,
  twin: string,
  version: number,
): Promise<TwinState> {
  const [state] = await session.query<TwinState>(
    `SELECT (SELECT json_build_object(
               'name', rolname, 'superuser', rolsuper, 'createRole', rolcreaterole, 'replication', rolreplication,
               'createDb', rolcreatedb, 'bypassRls', rolbypassrls,
               'rdsSuperuser', EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'rds_superuser'
                                          AND pg_has_role(current_user, r.oid, 'MEMBER')),
               'forbiddenSettings', ARRAY(
                 SELECT DISTINCT n.name
                   FROM pg_db_role_setting d
                   JOIN pg_roles b ON b.oid = d.setrole AND b.rolname IN ($1::text, $2::text),
                        unnest(d.setconfig) AS entry,
                        split_part(entry, '=', 1) AS n (name)
                   LEFT JOIN pg_settings s ON s.name = n.name
                  -- A custom one that no loaded module knows might turn out to be a superuser's.
                  WHERE (s.context IN ('superuser', 'superuser-backend') OR s.name IS NULL AND n.name LIKE '%.%')
                    AND ${version >= 15 ? "NOT has_parameter_privilege(n.name, 'SET')" : 'true'}))
               FROM pg_roles WHERE rolname = current_user) AS admin,
            (${roleQuery('$1')}) AS base,
            (${roleQuery('$2')}) AS twin,
            (SELECT json_build_object('inherit', bool_or(${version >= 16 ? 'm.inherit_option' : 'true'}),
                                      'set', bool_or(${version >= 16 ? 'm.set_option' : 'true'}),
                                      'granted', bool_or(m.grantor <> b.oid))
               FROM pg_auth_members m
               JOIN pg_roles b ON b.oid = m.roleid AND b.rolname = $1::text
               JOIN pg_roles t ON t.oid = m.member AND t.rolname = $2::text
             HAVING count(*) > 0) AS membership`,
    [base, twin],
  );
  if (state === undefined) throw new TypeError('a SELECT without FROM answers one row');
  return state;
}

function roleQuery(name: string): string {
  return `SELECT json_build_object(
            'superuser', r.rolsuper, 'canLogin', r.rolcanlogin, 'inherit', r.rolinherit,
            'replication', r.rolreplication, 'createDb', r.rolcreatedb, 'createRole', r.rolcreaterole,
            'bypassRls', r.rolbypassrls, 'connectionLimit', r.rolconnlimit,
            'validUntil', r.rolvaliduntil, 'expired', coalesce(r.rolvaliduntil <= now(), false),
            'settings', (SELECT coalesce(json_object_agg(coalesce(db.datname, ''), d.setconfig), '{}')
                           FROM pg_db_role_setting d LEFT JOIN pg_database db ON db.oid = d.setdatabase
                          WHERE d.setrole = r.oid),
            'adminOption', pg_has_role(current_user, r.oid, 'MEMBER WITH ADMIN OPTION'))
            FROM pg_roles r WHERE r.rolname = ${name}::text`;
}
