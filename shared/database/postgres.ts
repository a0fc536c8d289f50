import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Config } from '../config.ts';
import { RotationError } from '../rotation/errors.ts';
import type { RoleSession, TwinChange, UserFacts } from '../rotation/strategy.ts';
import type { Password } from '../secrets/password.ts';
import { beginRoleChange, changePassword, prepareChange, whileRoleBusy } from './password-change.ts';
import type { SqlSession } from './session.ts';
import { planTwin } from './twin-plan.ts';
import { readTwinState } from './twin-state.ts';

/** PostgreSQL's role SQL. */
export function postgresRoles(session: SqlSession, config: Config): RoleSession {
  return {
    confirmUser: () => confirmUser(session),
    describeUser: () => describeUser(session),
    setOwnPassword: (password) => setOwnPassword(session, config, password),
    applyTwin: (change) => applyTwin(session, config, change),
    missingPrivileges: (base) => missingPrivileges(session, base),
  };
}

async function confirmUser(session: SqlSession): Promise<void> {
  const [row] = await session.query<{ user: string }>('SELECT session_user::text AS "user"');
  if (row?.user !== session.login.username) throw loggedInAsAnother(session);
}

/**
 * A twin is told by its name and, never guessed, by its membership in the role whose name it extends. That role itself
 * may not have made it a member, as it can before PostgreSQL 16.
 */
async function describeUser(session: SqlSession): Promise<UserFacts> {
  const [row] = await session.query<Omit<UserFacts, 'scram'> & { user: string }>(`
    SELECT session_user::text AS "user",
           current_user::text AS "actsAs",
           me.rolsuper AS superuser,
           base.rolname::text AS "namesake",
           coalesce((SELECT nullif(pg_catalog.substr(setting, 6), 'none')
                       FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS setting
                      WHERE s.setrole = base.oid AND setting LIKE 'role=%' AND (s.setdatabase = 0 OR s.setdatabase =
                            (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
                      ORDER BY s.setdatabase DESC LIMIT 1), base.rolname) AS "namesakeActsAs",
           EXISTS (SELECT FROM pg_catalog.pg_auth_members m
                    WHERE m.roleid = base.oid AND m.member = me.oid
                      AND m.grantor <> base.oid) AS "memberOfNamesake",
           EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s
                    WHERE s.setrole = me.oid AND 'role=' || base.rolname = ANY (s.setconfig)) AS "setToNamesake"
      FROM pg_catalog.pg_roles me
      LEFT JOIN pg_catalog.pg_roles base ON pg_catalog."right"(me.rolname, 6) = '_clone'
            -- By the index: the cluster may have any number of roles.
            AND base.rolname = pg_catalog."left"(me.rolname, -6)::pg_catalog.name
     WHERE me.rolname = session_user`);
  if (row === undefined || row.user !== session.login.username) throw loggedInAsAnother(session);
  return { ...row, scram: session.scram };
}

async function setOwnPassword(session: SqlSession, config: Config, password: Password): Promise<void> {
  const { server, stored } = await prepareChange(session, config.passwordHashing, {
    whose: 'own',
    username: session.login.username,
    scram: session.scram,
    password,
  });
  await whileRoleBusy(session, () =>
    changePassword(session, server, {
      // With no role set, a user may always change its own password; and so no name needs quoting.
      before: `${beginRoleChange(session, server, 'session_user')} SET LOCAL ROLE NONE;`,
      alter: 'ALTER ROLE SESSION_USER PASSWORD',
      stored,
    }),
  );
}

/** One transaction: look under the lock, refuse or plan, then all changes at once. */
async function applyTwin(session: SqlSession, config: Config, change: TwinChange): Promise<void> {
  const { server, stored } = await prepareChange(session, config.passwordHashing, { whose: "another's", ...change });
  await whileRoleBusy(session, async () => {
    await session.query(beginRoleChange(session, server, escapeLiteral(change.base)));
    const state = await readTwinState(session, change.base, change.twin, server.version);
    const statements = planTwin(state, change, { setRole: config.alternatingSetRole, version: server.version });
    await changePassword(session, server, {
      before: statements.map((statement) => `${statement};`).join('\n'),
      alter: `ALTER ROLE ${escapeIdentifier(change.username)} PASSWORD`,
      stored,
    });
  });
}

/**
 * Counts what the base role may do with tables and schemas of this database and the session's user may not. Whoever
 * inherits the base role's privileges has them all by definition, and nothing is looked through.
 */
async function missingPrivileges(session: SqlSession, base: string): Promise<number> {
  const [row] = await session.query<{ missing: number }>(
    `SELECT CASE WHEN pg_catalog.pg_has_role($1::name, 'USAGE') THEN 0 ELSE
            (SELECT pg_catalog.count(*)
               FROM pg_catalog.pg_namespace n, pg_catalog.unnest(ARRAY['USAGE', 'CREATE']) AS privilege
              WHERE pg_catalog.has_schema_privilege($1::name, n.oid, privilege)
                AND NOT pg_catalog.has_schema_privilege(n.oid, privilege))::int
          + (SELECT pg_catalog.count(*)
               FROM pg_catalog.pg_class c, pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
              WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND pg_catalog.has_table_privilege($1::name, c.oid, privilege)
                AND NOT pg_catalog.has_table_privilege(c.oid, privilege))::int END AS missing`,
    [base],
  );
  return row?.missing ?? 0;
}

function loggedInAsAnother({ login: { host, port, username } }: SqlSession): RotationError {
  return new RotationError(
    'DATABASE_ERROR',
    `The server at ${host}:${port} was asked to log ${username} in, and it logged in another user.`,
    {
      remedy: 'Check that no proxy or login trigger between the function and the server changes the user.',
      host,
      port,
      username,
    },
  );
}
