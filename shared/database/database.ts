import type { SecureContext } from 'node:tls';
import { Deadline } from '../deadline.ts';
import { RotationError } from '../errors.ts';
import type { Credential, PasswordOutcome, RoleDatabase, RoleSession } from '../rotation/ports.ts';
import { isRdsProxyHost } from '../secret/rds-proxy.ts';
import { behindProxy } from './connect-error.ts';
import { type Dialect, dialectOf } from './dialect.ts';
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
  async function tryPassword<T>(
    { source, secret }: Credential,
    work: (roles: RoleSession) => Promise<T>,
    within?: number,
  ): Promise<PasswordOutcome<T>> {
    const { host, port, username, password, dbname: database, engine, sslHostname } = secret;
    const tls = tlsPolicy(secret.ssl, settings.tlsFallback);
    const login: Login = { host, port, username, password, database, tls, sslHostname };
    const until = within === undefined ? deadline : new Deadline(Math.min(within, deadline.remaining()));
    // Some errors are about another role than the one that is logged in.
    const about = (error: RotationError) =>
      error.with({
        host,
        port,
        ...([undefined, username].includes(error.facts.username) ? { credential: source } : {}),
      });
    try {
      if (isRdsProxyHost(host)) throw behindProxy(login);
      const { wire, roles } = dialectOf(engine, redshift);
      const outcome = await withSession(login, { deadline: until, trust, wire }, (session) =>
        work(roles(session, settings, twins)),
      );
      return outcome.accepted === 'without-session' ? { ...outcome, error: about(outcome.error) } : outcome;
    } catch (error) {
      throw error instanceof RotationError ? about(error) : error;
    }
  }
  return {
    tryPassword,
    async withLogin(credential, work) {
      const outcome = await tryPassword(credential, work);
      if (outcome.accepted === 'without-session') throw outcome.error;
      return outcome;
    },
  };
}
