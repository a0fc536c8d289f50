import { escapeLiteral } from 'pg';
import type { TwinLink } from '../rotation/ports.ts';
import { COUNTS_HERE } from './server-traits.ts';
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
}

/** All that planning a twin depends on, read under the lock. */
export interface TwinState {
  readonly admin: AdminState;
  readonly base: RoleState | null;
  readonly twin: RoleState | null;
  /** Null where there is none. */
  readonly membership: Membership | null;
  /** What links the two; null where one of them does not exist. */
  readonly link: TwinLink | null;
  /** Those that the base role may act as. */
  readonly thirdRoles: readonly ThirdRole[];
}

/**
 * A role that `ALTER DATABASE … SET role` (or, for all databases, `ALTER ROLE ALL SET role`) has logins act as. Of
 * the application's own database, and of those that a superuser, the administrator or the base role owns: what the owners
 * of others say must not count.
 */
export interface ThirdRole {
  /** '' is all databases. */
  readonly database: string;
  readonly role: string;
}

/** The same, as the query answers it. */
interface TwinRow extends Pick<TwinState, 'admin' | 'thirdRoles'> {
  /** By name; null where there is neither. */
  readonly roles: Readonly<Record<string, RoleState>> | null;
  readonly pair: Pick<TwinState, 'membership' | 'link'> | null;
}

/**
 * One query. Settings of 15+ can be granted by name, and memberships of 16+ have options. A custom setting that no loaded
 * module knows might turn out to be a superuser's.
 */
export async function readTwinState(
  session: SqlSession,
  base: string,
  twin: string,
  { version, database }: { readonly version: number; readonly database: string },
): Promise<TwinState> {
  const names = [base, twin].map(escapeLiteral);
  const [state] = await session.proceed<TwinRow>(
    `SELECT (SELECT json_build_object(
               'name', rolname, 'superuser', rolsuper, 'createRole', rolcreaterole, 'replication', rolreplication,
               'createDb', rolcreatedb, 'bypassRls', rolbypassrls,
               'rdsSuperuser', EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'rds_superuser'
                                          AND pg_has_role(current_user, r.oid, 'MEMBER')),
               'forbiddenSettings', CASE WHEN rolsuper THEN '{}'::text[] ELSE ARRAY(
                 SELECT DISTINCT n.name
                   FROM pg_db_role_setting d
                   JOIN pg_roles b ON b.oid = d.setrole AND b.rolname IN (${names.join(', ')}),
                        unnest(d.setconfig) AS entry,
                        split_part(entry, '=', 1) AS n (name)
                   LEFT JOIN pg_settings s ON s.name = n.name
                  WHERE (s.context IN ('superuser', 'superuser-backend') OR s.name IS NULL AND n.name LIKE '%.%')
                    AND ${version >= 15 ? "NOT has_parameter_privilege(n.name, 'SET')" : 'true'}) END)
               FROM pg_roles WHERE rolname = current_user) AS admin,
            (${rolesQuery(names)}) AS roles,
            (SELECT json_build_object(
                'membership', (SELECT json_build_object('inherit', bool_or(${version >= 16 ? 'm.inherit_option' : 'true'}),
                                                        'set', bool_or(${version >= 16 ? 'm.set_option' : 'true'}))
                                 FROM pg_auth_members m WHERE m.roleid = pair.base_oid AND m.member = pair.twin_oid
                               HAVING count(*) > 0),
                'link', ${twinLink('pair', version)})
               FROM (SELECT b.oid AS base_oid, b.rolname AS base_name, t.oid AS twin_oid, t.rolsuper AS twin_superuser
                       FROM pg_roles b, pg_roles t
                      WHERE b.rolname = ${names[0]} AND t.rolname = ${names[1]}) AS pair) AS pair,
            (SELECT coalesce(json_agg(json_build_object('database', coalesce(db.datname, ''), 'role', third.rolname)), '[]')
               FROM pg_db_role_setting s
               LEFT JOIN pg_database db ON db.oid = s.setdatabase,
                    unnest(s.setconfig) AS entry,
                    pg_roles third, pg_roles b
              WHERE s.setrole = 0 AND entry LIKE 'role=%' AND third.rolname = substr(entry, 6)
                AND (db.datname IS NULL OR db.datname = ${escapeLiteral(database)}
                     OR db.datdba IN (SELECT oid FROM pg_roles
                                       WHERE rolsuper OR rolname IN (current_user, ${names[0]})))
                AND b.rolname = ${names[0]} AND ${maySet('b.oid', 'third.oid', version)}) AS "thirdRoles"`,
  );
  if (state === undefined) throw new TypeError('a SELECT without FROM answers one row');
  const { admin, pair, thirdRoles } = state;
  const roles = new Map(Object.entries(state.roles ?? {}));
  return {
    admin,
    base: roles.get(base) ?? null,
    twin: roles.get(twin) ?? null,
    membership: pair?.membership ?? null,
    link: pair?.link ?? null,
    thirdRoles,
  };
}

/**
 * SQL of a TwinLink as JSON. Before PostgreSQL 15 a role may make anybody a member of itself, so such a grant counts less.
 * Default privileges and user mappings are no objects that an application uses, and REASSIGN OWNED leaves them alone.
 *
 * @param pair the alias of a row that has base_oid, base_name, twin_oid and twin_superuser, planned once for all of them.
 */
export function twinLink(pair: string, version: number): string {
  const member = `SELECT FROM pg_auth_members m WHERE m.roleid = ${pair}.base_oid AND m.member = ${pair}.twin_oid`;
  const granted = `${member} AND m.grantor <> ${pair}.base_oid`;
  return `
    json_build_object(
      'membership', CASE WHEN EXISTS (${granted}) THEN 'granted'
                         WHEN EXISTS (${member}) THEN 'own' ELSE 'none' END,
      'maySet', EXISTS (${granted}${version >= 16 ? ' AND m.set_option' : ''}),
      'setToBase', EXISTS (SELECT FROM pg_db_role_setting s
                            WHERE s.setrole = ${pair}.twin_oid AND 'role=' || ${pair}.base_name = ANY (s.setconfig)
                              AND ${COUNTS_HERE}),
      'ownsObjects', EXISTS (SELECT FROM pg_shdepend o
                              WHERE o.refobjid = ${pair}.twin_oid AND o.refclassid = 'pg_authid'::regclass AND o.deptype = 'o'
                                AND o.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)),
      'superuser', ${pair}.twin_superuser,
      'members', ARRAY(SELECT DISTINCT pg_get_userbyid(member) FROM pg_auth_members WHERE roleid = ${pair}.twin_oid))`;
}

/**
 * SQL of the role that a role acts as from login on in this database: itself, unless a setting says otherwise that it may
 * follow. The role's own settings count before the database's, and what is said of the database before what is said of all.
 *
 * @param role the alias of a row of pg_roles.
 */
export function actsAs(role: string, version: number): string {
  return `
    coalesce((SELECT other.rolname::text
                FROM (SELECT substr(entry, 6) AS name
                        FROM pg_db_role_setting s, unnest(s.setconfig) AS entry
                       WHERE s.setrole IN (${role}.oid, 0) AND entry LIKE 'role=%'
                         AND ${COUNTS_HERE}
                       ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1) AS said
                JOIN pg_roles other ON other.rolname = said.name AND ${maySet(`${role}.oid`, 'other.oid', version)}),
             ${role}.rolname::text)`;
}

/** Whether one role may SET ROLE to another; before 16 every membership allows it. */
function maySet(role: string, other: string, version: number): string {
  return `pg_has_role(${role}, ${other}, '${version >= 16 ? 'SET' : 'MEMBER'}')`;
}

function rolesQuery(names: readonly string[]): string {
  return `SELECT json_object_agg(r.rolname, json_build_object(
            'superuser', r.rolsuper, 'canLogin', r.rolcanlogin, 'inherit', r.rolinherit,
            'replication', r.rolreplication, 'createDb', r.rolcreatedb, 'createRole', r.rolcreaterole,
            'bypassRls', r.rolbypassrls, 'connectionLimit', r.rolconnlimit,
            'validUntil', r.rolvaliduntil, 'expired', coalesce(r.rolvaliduntil <= now(), false),
            'settings', (SELECT coalesce(json_object_agg(coalesce(db.datname, ''), d.setconfig), '{}')
                           FROM pg_db_role_setting d LEFT JOIN pg_database db ON db.oid = d.setdatabase
                          WHERE d.setrole = r.oid),
            'adminOption', pg_has_role(current_user, r.oid, 'MEMBER WITH ADMIN OPTION')))
            FROM pg_roles r WHERE r.rolname IN (${names.join(', ')})`;
}
