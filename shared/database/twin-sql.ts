import type { Config } from '../config.ts';
import type { TwinRoles } from '../rotation/strategy.ts';
import type { SqlSession } from './session.ts';

/** A server's SQL of twin logins: a part of its own, which single user's function goes without. */
export type TwinSql = (session: SqlSession, config: Config) => TwinRoles;

/** Of a strategy that knows no twins. */
export const noTwins: TwinSql = () => {
  throw new TypeError('this strategy was wired without twins');
};
