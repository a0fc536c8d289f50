import type { TwinRoles } from '../rotation/ports.ts';
import type { SqlSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';

/** A server's SQL of twin logins: a part of its own, which single user's function goes without. */
export type TwinSql = (session: SqlSession, settings: DatabaseSettings) => TwinRoles;

/** Of a strategy that knows no twins. */
export const noTwins: TwinSql = () => {
  throw new TypeError('this strategy was wired without twins');
};
