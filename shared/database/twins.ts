import { escapeLiteral } from 'pg';
import type { TwinLink, UserFacts } from '../rotation/ports.ts';
import { storedForScram } from '../rotation/recent-logins.ts';
import { MAX_NAME_BYTES } from '../rotation/twin-errors.ts';
import { TWIN_SUFFIX } from '../secret/database-secret.ts';
import { applyTwin, previewTwin } from './apply-twin.ts';
import { foreseeNew } from './foreseen-verifier.ts';
import { type Identity, needUser } from './identity.ts';
import { openRole } from './role-lock.ts';
import { majorVersion } from './server-traits.ts';
import type { SqlSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import { roleMissing } from './twin-plan.ts';
import type { TwinSql } from './twin-sql.ts';
import { actsAs, twinLink } from './twin-state.ts';

/** PostgreSQL's. */
export const postgresTwins: TwinSql = (session, settings) => ({
  describeUser: (username) => describeUser(session, settings, username),
  async lock(base, to) {
    const foreseen = foreseeNew(to);
    const role = await openRole(session, base, 'current_user', settings);
    return { ...role, applyTwin: (change, guard) => applyTwin(session, role, settings, change, guard, foreseen) };
  },
  preview: (change) => previewTwin(session, settings, change),
  missingPrivileges: (base, username) => missingPrivileges(session, base, username),
});

interface FoundUser extends Omit<UserFacts, 'scram' | 'serverVersion' | 'asTwin' | 'twin'> {
  /** Null where there is none. */
  readonly links: Partial<Record<'asTwin' | 'twin', TwinLink>> | null;
}

/**
 * What the catalog says of a user and of its possible twins: the role whose name it extends by `_clone`, and the one that
 * extends its own, both found by the index of names. Neither a name nor a membership alone makes a twin; the strategy judges.
 *
 * @param username default: the user that is logged in.
 */
async function describeUser(session: SqlSession, settings: DatabaseSettings, username?: string): Promise<UserFacts> {
  const version = majorVersion(session);
  const [row] = await session.query<Identity & { readonly facts: FoundUser | null }>(`
    SELECT session_user::text AS "user", pg_backend_pid() AS pid,
      (SELECT json_build_object(
         'superuser', me.rolsuper,
         'actsAs', ${username === undefined ? 'current_user' : actsAs('me', version)},
         'namesake', base.rolname,
         'namesakeActsAs', ${actsAs('base', version)},
         'links', (SELECT json_object_agg(kind, ${twinLink('pair', version)})
                     FROM (VALUES ('asTwin', base.oid, base.rolname, me.oid, me.rolsuper),
                                  ('twin', me.oid, me.rolname, twin.oid, twin.rolsuper))
                          AS pair (kind, base_oid, base_name, twin_oid, twin_superuser)
                    WHERE base_oid IS NOT NULL AND twin_oid IS NOT NULL))
         FROM pg_roles me
         LEFT JOIN pg_roles base ON "right"(me.rolname::text, ${TWIN_SUFFIX.length}) = '${TWIN_SUFFIX}'
               AND base.rolname = "left"(me.rolname::text, -${TWIN_SUFFIX.length})::name
         LEFT JOIN pg_roles twin ON twin.rolname = (me.rolname || '${TWIN_SUFFIX}')::name
               AND octet_length(me.rolname::text) <= ${MAX_NAME_BYTES - TWIN_SUFFIX.length}
        WHERE me.rolname = ${username === undefined ? 'session_user' : escapeLiteral(username)}) AS facts`);
  const { facts } = needUser(session, row, settings.allowPooler);
  if (facts === null) throw roleMissing(username ?? session.login.username);
  const { links, ...user } = facts;
  const { asTwin = null, twin = null } = links ?? {};
  return { ...user, asTwin, twin, serverVersion: session.version, scram: storedForScram(session.request) };
}

/**
 * Counts what the base role may do with tables and schemas of this database and another user may not. Whoever inherits
 * the base role's privileges has them all by definition, and nothing is looked through.
 */
async function missingPrivileges(session: SqlSession, base: string, username: string): Promise<number> {
  const [role, user] = [base, username].map((name) => `${escapeLiteral(name)}::name`);
  const [row] = await session.query<{ missing: number }>(
    `SELECT CASE WHEN pg_has_role(${user}, ${role}, 'USAGE') THEN 0 ELSE
            (SELECT count(*)
               FROM pg_namespace n, unnest(ARRAY['USAGE', 'CREATE']) AS privilege
              WHERE has_schema_privilege(${role}, n.oid, privilege)
                AND NOT has_schema_privilege(${user}, n.oid, privilege))::int
          + (SELECT count(*)
               FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
              WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND has_table_privilege(${role}, c.oid, privilege)
                AND NOT has_table_privilege(${user}, c.oid, privilege))::int END AS missing`,
  );
  return row?.missing ?? 0;
}
