import type { SecureContext } from 'node:tls';
import { Deadline } from '../deadline.ts';
import { RotationError } from '../errors.ts';
import type { Administrator, PasswordOutcome, RoleDatabase, RoleSession } from '../rotation/ports.ts';
import type { ServerLogin } from '../secret/database-secret.ts';
import { Password } from '../secret/password.ts';
import { isRdsProxyHost } from '../secret/rds-proxy.ts';
import { behindProxy } from './connect-error.ts';
import { type Dialect, dialectOf } from './dialect.ts';
import { abandon, beginSession, type Login, type OpeningSession, withSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import { tlsPolicy } from './tls.ts';
import type { TwinSql } from './twin-sql.ts';
import { POSTGRES_WIRE } from './wire.ts';

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

  const sessions = new Sessions(deadline);
  const loginOf = async ({ secret }: Administrator): Promise<Login> => {
    const { host, port, username, dbname: database, sslHostname } = secret;
    return { host, port, username, database, sslHostname, ...(await protectedLogin(secret)) };
  };

  async function tryPassword<T>(
    credential: Administrator,
    work: (roles: RoleSession) => Promise<T>,
    within?: number,
  ): Promise<PasswordOutcome<T>> {
    const { source, secret } = credential;
    const { host, port, username, dbname: database } = secret;
    const until = within === undefined ? deadline : new Deadline(Math.min(within, deadline.remaining()));
    // Some errors are about another role than the one that is logged in.
    const about = (error: RotationError) =>
      error.with({
        host,
        port,
        ...([undefined, username].includes(error.facts.username) ? { credential: source } : {}),
      });
    try {
      if (isRdsProxyHost(host)) throw behindProxy({ host, port, username, database });
      const { wire, roles } = dialectOf(secret, redshift);
      const begun = within === undefined ? await sessions.takeOver(credential) : undefined;
      if (begun === undefined) await sessions.ended();
      const outcome = await withSession(
        begun?.login ?? (await loginOf(credential)),
        { deadline: until, trust, wire, onEnding: sessions.onEnding },
        (session) => work(roles(session, settings, twins)),
        begun,
      );
      return outcome.accepted === 'without-session' ? { ...outcome, error: about(outcome.error) } : outcome;
    } catch (error) {
      throw error instanceof RotationError ? about(error) : error;
    }
  }
  return {
    ahead(credential) {
      const { secret } = credential;
      if (isRdsProxyHost(secret.host) || secret.engine === 'redshift') return;
      sessions.begin(credential, async () =>
        beginSession(await loginOf(credential), { deadline, trust, wire: POSTGRES_WIRE }),
      );
    },
    settled: () => sessions.settled(),
    tryPassword,
    async withLogin(credential, work) {
      const outcome = await tryPassword(credential, work);
      if (outcome.accepted === 'without-session') throw outcome.error;
      return outcome;
    },
  };
}

/** A step's sessions that nobody is using: those that were begun ahead, and those that are ending. */
class Sessions {
  readonly #deadline: Deadline;
  readonly #ahead = new Map<Administrator, Promise<OpeningSession>>();
  readonly #ending = new Set<Promise<void>>();

  constructor(deadline: Deadline) {
    this.#deadline = deadline;
  }

  readonly onEnding = (ended: Promise<void>): void => {
    this.#ending.add(ended);
  };

  begin(credential: Administrator, begin: () => Promise<OpeningSession>): void {
    const beginning = begin();
    beginning.catch(() => undefined);
    this.#ahead.set(credential, beginning);
  }

  async takeOver(credential: Administrator): Promise<OpeningSession | undefined> {
    const beginning = this.#ahead.get(credential);
    this.#ahead.delete(credential);
    return await beginning;
  }

  /** A role may have room for one session only. */
  async ended(): Promise<void> {
    await Promise.all(this.#ending);
    this.#ending.clear();
  }

  /** What is ending has been told so, and need not be waited for: a step's last session, say. */
  async settled(): Promise<void> {
    const unwanted = [...this.#ahead.values()];
    this.#ahead.clear();
    await Promise.allSettled(unwanted.map(async (beginning) => abandon(await beginning, this.#deadline)));
  }
}
