import type { SecureContext } from 'node:tls';
import type { Config } from '../config.ts';
import type { Deadline } from '../deadline.ts';
import { RotationError } from '../rotation/errors.ts';
import type { RoleDatabase } from '../rotation/strategy.ts';
import { DIALECTS } from './dialect.ts';
import { withSession } from './session.ts';
import { tlsPolicy } from './tls.ts';

/** The adapter between the engine's credentials and sessions with a server, for one rotation step. */
export function roleDatabase(config: Config, trust: () => Promise<SecureContext>, deadline: Deadline): RoleDatabase {
  return {
    async withLogin({ label, secret }, work) {
      const { host, port, username, password, dbname, engine } = secret;
      const login = {
        host,
        port,
        username,
        password,
        database: dbname,
        tls: tlsPolicy(secret.ssl, config.tlsFallback),
      };
      try {
        return await withSession(login, { deadline, trust }, (session) => work(DIALECTS[engine](session, config)));
      } catch (error) {
        if (!(error instanceof RotationError)) throw error;
        // Some errors are about another role than the one that is logged in.
        const aboutAnother = error.facts.username !== undefined && error.facts.username !== username;
        throw error.with({ host, port, ...(aboutAnother ? {} : { credential: label }) });
      }
    },
  };
}
