import type { Config } from '../config.ts';
import type { RoleSession } from '../rotation/strategy.ts';
import { readOnlyError } from './connect-error.ts';
import { type Identity, needUser } from './identity.ts';
import { needChangeable, prepareOwnPassword } from './own-password.ts';
import { openRole } from './role-lock.ts';
import { type ServerTraits, traitsColumn } from './server-traits.ts';
import type { SqlSession } from './session.ts';
import type { TwinSql } from './twin-sql.ts';

/** PostgreSQL's role SQL. */
export function postgresRoles(session: SqlSession, config: Config, twins: TwinSql): RoleSession {
  return {
    request: session.request,
    confirmUser: () => confirmUser(session),
    address: session.address,
    examineOwn: () => examineOwn(session, config),
    async lockOwn() {
      const role = await openRole(session, session.login.username, 'session_user', config);
      return {
        ...role,
        prepare: (to, origin) => prepareOwnPassword(session, role, config.passwordHashing, to, origin),
      };
    },
    get twins() {
      return twins(session, config);
    },
  };
}

/** Through a pooler too, where the strategy has let one stand: what counts is the user. */
async function confirmUser(session: SqlSession): Promise<void> {
  const [row] = await session.query<Identity>('SELECT session_user::text AS "user", pg_backend_pid() AS pid');
  needUser(session, row, true);
}

async function examineOwn(session: SqlSession, config: Config): Promise<void> {
  const [row] = await session.query<Identity & { readonly traits: ServerTraits }>(
    `SELECT session_user::text AS "user", pg_backend_pid() AS pid, ${traitsColumn('session_user')}`,
  );
  const { traits } = needUser(session, row, config.allowPooler);
  if (traits.standby) throw readOnlyError(session.login);
  needChangeable(session, traits, config.passwordHashing);
}
