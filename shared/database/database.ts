import type { SecureContext } from 'node:tls';
import { Deadline } from '../deadline.ts';
import { RotationError } from '../errors.ts';
import type { Administrator, PasswordOutcome, RoleDatabase, RoleSession } from '../rotation/ports.ts';
import type { ServerLogin } from '../secret/database-secret.ts';
import { Password } from '../secret/password.ts';
import { isRdsProxyHost } from '../secret/rds-proxy.ts';
import { behindProxy, notAsked } from './connect-error.ts';
import { type Dialect, dialectOf, needEngine } from './dialect.ts';
import { type Login, withSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import { tlsPolicy } from './tls.ts';
import type { TwinSql } from './twin-sql.ts';

export interface DatabaseOptions {
  readonly settings: DatabaseSettings;
  readonly trust: () => Promise<SecureContext>;
  readonly deadline: Deadline;
  readonly twins: TwinSql;
  readonly redshift?: Dialect | undefined;
}

/** The adapter between the engine's credentials and sessions with a server, for one rotation step. */
export function roleDatabase({ settings, trust, deadline, twins, redshift }: DatabaseOptions): RoleDatabase {
  /** A token is for verified TLS only, whatever else is allowed. */
  async function protectedLogin({ password, ssl }: ServerLogin): Promise<Pick<Login, 'password' | 'byToken' | 'tls'>> {
    if (password instanceof Password) return { password, byToken: false, tls: tlsPolicy(ssl, settings.tlsFallback) };
    return { password: await password.token(), byToken: true, tls: 'verified' };
  }

  /** Told to end, and not waited for but by the next login: a role may have room for one session only. */
  const ending = new Set<Promise<void>>();
  const onEnding = (ended: Promise<void>) => {
    ending.add(ended);
    void ended.finally(() => ending.delete(ended));
  };

  async function tryPassword<T>(
    { source, secret }: Administrator,
    work: (roles: RoleSession) => Promise<T>,
    within?: number,
  ): Promise<PasswordOutcome<T>> {
    const { host, port, username, dbname: database, sslHostname } = secret;
    const until = within === undefined ? deadline : new Deadline(Math.min(within, deadline.remaining()));
    // Some errors are about another role than the one that is logged in; of an encoding it is this login's database that counts.
    const isOfLogin = ({ code, facts }: RotationError) =>
      code === 'ROLE_NAME_ENCODING' || [undefined, username].includes(facts.username);
    const about = (error: RotationError) =>
      error.with({ host, port, ...(isOfLogin(error) ? { credential: source } : {}) });
    try {
      if (isRdsProxyHost(host)) throw behindProxy({ host, port, username, database });
      const { wire, roles } = dialectOf(secret, redshift);
      const login: Login = { host, port, username, database, sslHostname, ...(await protectedLogin(secret)) };
      await Promise.all(ending);
      const outcome = await withSession(login, { deadline: until, trust, wire, onEnding }, (session) => {
        needEngine(secret, session, redshift);
        // Whoever is let in without a password may have any. Of an administrator the password is not what counts.
        if (session.request === undefined && source !== 'superuser') throw notAsked(login);
        return work(roles(session, settings, twins));
      });
      return outcome.accepted === 'without-session' ? { ...outcome, error: about(outcome.error) } : outcome;
    } catch (error) {
      throw error instanceof RotationError ? about(error) : error;
    }
  }
  return {
    mayFallBack: settings.tlsFallback,
    tryPassword,
    async withLogin(credential, work) {
      const outcome = await tryPassword(credential, work);
      if (outcome.accepted === 'without-session') throw outcome.error;
      return outcome;
    },
  };
}
