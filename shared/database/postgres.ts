import type { RoleSession } from '../rotation/ports.ts';
import { readOnlyError } from './connect-error.ts';
import { type Identity, needUser } from './identity.ts';
import { foreseeChange, needChangeable, prepareOwnPassword } from './own-password.ts';
import { openRole } from './role-lock.ts';
import { type ServerTraits, traitsColumn } from './server-traits.ts';
import type { SqlSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import type { TwinSql } from './twin-sql.ts';

/** PostgreSQL's role SQL. */
export function postgresRoles(session: SqlSession, settings: DatabaseSettings, twins: TwinSql): RoleSession {
  return {
    request: session.request,
    confirmUser: () => confirmUser(session, settings),
    address: session.address,
    loginTook: session.loginTook,
    examineOwn: () => examineOwn(session, settings),
    async lockOwn(expected) {
      const foreseen = foreseeChange(session, expected);
      const role = await openRole(session, session.login.username, 'session_user', settings);
      return {
        ...role,
        prepare: (to, origin) => prepareOwnPassword(session, role, settings.passwordHashing, to, origin, foreseen),
      };
    },
    awaitOwn: () => openRole(session, session.login.username, 'session_user', settings, 'look'),
    get twins() {
      return twins(session, settings);
    },
  };
}

async function confirmUser(session: SqlSession, { allowPooler }: DatabaseSettings): Promise<void> {
  const [row] = await session.query<Identity>('SELECT session_user::text AS "user", pg_backend_pid() AS pid');
  needUser(session, row, allowPooler);
}

async function examineOwn(session: SqlSession, settings: DatabaseSettings): Promise<void> {
  const [row] = await session.query<Identity & { readonly traits: ServerTraits }>(
    `SELECT session_user::text AS "user", pg_backend_pid() AS pid, ${traitsColumn(session, 'session_user')}`,
  );
  const { traits } = needUser(session, row, settings.allowPooler);
  if (traits.standby) throw readOnlyError(session.login);
  needChangeable(session, traits, settings.passwordHashing);
}
