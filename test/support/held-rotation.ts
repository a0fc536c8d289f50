import type { Client } from 'pg';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { waitFor } from '../../scripts/lab/database/wait.ts';
import { ApiRelay } from '../../scripts/relays/api-relay.ts';
import type { Step } from '../../shared/rotation/event.ts';
import { type Arrangement, type ArrangementOptions, arrange } from './arrangement.ts';
import { type Gate, OPEN, Recorder, Trap } from './crash/gate.ts';
import { GatedApi } from './crash/gated-api.ts';
import { GatedPostgres } from './crash/gated-postgres.ts';
import { opensNow, violations } from './crash/invariants.ts';
import { type StoredLogin, Subject } from './crash/subject.ts';
import type { TestAccount } from './test-account.ts';
import type { FunctionChoice, StepResult } from './test-secret.ts';

/** A moment of A's traffic, at which A waits until the test lets it go on, or cuts the connection. */
export interface Hold extends Gate {
  /** Settles once A has come there. */
  readonly reached: Promise<void>;
  release(how?: 'pass' | 'cut'): void;
}

/** The wait of a hold: `come` is A's, at the moment. */
function wait(): Omit<Hold, 'reach'> & { come(): Promise<'pass' | 'cut'> } {
  const reached = Promise.withResolvers<void>();
  const end = Promise.withResolvers<'pass' | 'cut'>();
  return {
    come: () => {
      reached.resolve();
      return end.promise;
    },
    reached: reached.promise,
    release: (how = 'pass') => end.resolve(how),
  };
}

/** @param point named as the crash points are: 'setSecret: session 1 > Password'. */
export function holdAt(point: string, step: () => string): Hold {
  const { come, ...hold } = wait();
  const trap = new Trap(point, step, come);
  return { ...hold, reach: (label) => trap.reach(label) };
}

/**
 * Holds the proof's login, which is the first to begin once the new password was sent. (Where the machine is slow, one
 * more login comes before that.)
 *
 * @param later what becomes of those that begin after it.
 */
export function holdAtProof(later: 'pass' | 'cut' = 'pass'): Hold {
  const { come, ...hold } = wait();
  let isSent = false;
  let logins = 0;
  const reach = async (label: string) => {
    isSent ||= label.endsWith('> CopyDone');
    if (!isSent || !label.endsWith(', connect')) return 'pass';
    return ++logins > 1 ? later : await come();
  };
  return { ...hold, reach };
}

type Instance = Pick<FunctionChoice, 'environment' | 'timeoutMs'>;

export interface HeldOptions extends ArrangementOptions {
  /** Of one invocation of A. Default 30,000. */
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

interface Ways {
  readonly server: PostgresServer;
  readonly database: GatedPostgres;
  readonly api: GatedApi;
  readonly relay: ApiRelay;
  readonly admin: Client;
}

/** A's ways, on which messages are held and cut: to a server, which B takes too, and to Secrets Manager. */
export class HeldWays implements AsyncDisposable {
  readonly ways: Ways;
  readonly #account: TestAccount;

  static async open(account: TestAccount, server: PostgresServer): Promise<HeldWays> {
    const api = new GatedApi();
    const relay = await ApiRelay.start(account.lab.endpoint, api);
    const database = await GatedPostgres.start(server);
    return new HeldWays(account, { server, database, api, relay, admin: await server.connect() });
  }

  private constructor(account: TestAccount, ways: Ways) {
    this.#account = account;
    this.ways = ways;
  }

  /** One rotation at a time takes them. */
  async arrange({ timeoutMs = 30_000, environment = {}, ...options }: HeldOptions = {}): Promise<HeldRotation> {
    const { server, database, relay } = this.ways;
    const a = { environment: { SECRETS_MANAGER_ENDPOINT: relay.endpoint, ...environment }, timeoutMs };
    const b = { environment: { INSTANCE: 'B', ...environment }, timeoutMs: 30_000 };
    const members = { host: database.host, port: database.port, ...options.members };
    const here = await arrange(this.#account, server, { strategy: 'single-user', ...a }, { ...options, members });
    return new HeldRotation(this.#account, { ways: this.ways, here, a, b });
  }

  /** The moments of an undisturbed step, after those before it. */
  async pointsOf(steps: readonly Step[], recorded = steps): Promise<readonly string[]> {
    await using held = await this.arrange();
    const token = await held.here.secret.begin();
    const recorder = new Recorder(held.step);
    for (const step of steps) {
      held.gate = recorded.includes(step) ? recorder : OPEN;
      const { outcome } = await held.a(step, token);
      if (outcome !== 'done') throw new Error(`A step must succeed to be recorded, and ended with ${outcome}.`);
    }
    return recorder.points;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { admin, relay, database } = this.ways;
    await admin.end();
    await relay[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  }
}

/**
 * A secret with two instances of single user's function. A's messages can be held and cut, each by its name; B takes the
 * same way to the database and one of its own to Secrets Manager.
 */
export class HeldRotation implements AsyncDisposable {
  readonly here: Arrangement;
  readonly #ways: Ways;
  readonly #a: Instance;
  readonly #b: Instance;
  readonly #subject: Subject;
  #step = '';

  constructor(account: TestAccount, { ways, here, a, b }: { ways: Ways; here: Arrangement; a: Instance; b: Instance }) {
    this.here = here;
    this.#ways = ways;
    this.#a = a;
    this.#b = b;
    const registersOnly = account.registersOnly();
    this.#subject = new Subject(account.client, { arn: here.secret.arn, role: here.role.name, registersOnly });
  }

  readonly step = (): string => this.#step;

  set gate(gate: Gate) {
    this.#ways.api.gate = gate;
    this.#ways.database.gate = gate;
  }

  async a(step: Step, token: string): Promise<StepResult> {
    this.#step = step;
    this.#ways.database.restartNumbering();
    return await this.here.secret.step(step, token, this.#a);
  }

  async b(step: Step, token: string): Promise<StepResult> {
    return await this.here.secret.step(step, token, this.#b);
  }

  /** Calls the steps in turn as long as they succeed. @returns how the last one ended. */
  async inTurn(who: 'a' | 'b', token: string, steps: readonly Step[]): Promise<StepResult> {
    let last: StepResult | undefined;
    for (const step of steps) {
      last = await this[who](step, token);
      if (last.outcome === 'failed' || last.outcome === 'crashed') return last;
    }
    if (last === undefined) throw new Error('A step was needed.');
    return last;
  }

  /**
   * Waits until A, at its work, has come to the point.
   *
   * @returns false where it has passed it by: on a slow machine a login is no longer fresh and made anew, by one session
   *   more.
   */
  async isHeld(hold: Hold, work: Promise<StepResult>): Promise<boolean> {
    return await Promise.race([hold.reached.then(() => true), work.then(() => false)]);
  }

  async untilHeld(hold: Hold, work: Promise<StepResult>): Promise<void> {
    if (!(await this.isHeld(hold, work))) throw new Error(`A was to be held, and ended: ${(await work).outcome}.`);
  }

  /** Waits until `work` has ended, or a session of the role, or one that speaks of it, waits for a lock. */
  async untilItWaits(work: Promise<unknown>): Promise<void> {
    const over = work.then(
      () => true,
      () => true,
    );
    const waits = waitFor(
      'a session to wait for a lock',
      async () => {
        const { rows } = await this.#ways.admin.query(
          `SELECT FROM pg_stat_activity WHERE (usename = $1 OR strpos(query, $1) > 0) AND wait_event_type = 'Lock'`,
          [this.here.role.name],
        );
        return rows.length > 0 || undefined;
      },
      { timeoutMs: 25_000, intervalMs: 5 },
    );
    await Promise.race([over, waits]);
    waits.catch(() => undefined);
  }

  /**
   * What the network does to a session that breaks unseen: the server ends it, and the function hears of it later. Not amid
   * a statement, which would be logged with what it sets: A sets the password while it is held at what it asks meanwhile.
   */
  async endSessions(): Promise<void> {
    await waitFor('the sessions to have no statement under way', async () => {
      const { rows } = await this.#ways.admin.query<{ busy: boolean }>(
        `WITH sessions AS (
           SELECT pid, state = 'active' AND coalesce(wait_event_type, '') NOT IN ('Lock', 'Client') AS busy
           FROM pg_stat_activity WHERE usename = $1
         )
         SELECT busy, CASE WHEN NOT (SELECT bool_or(busy) FROM sessions) THEN pg_terminate_backend(pid, 5000) END
         FROM sessions`,
        [this.here.role.name],
      );
      return rows.some(({ busy }) => busy) ? undefined : true;
    });
  }

  /** Whether the server takes this password of the role. */
  async takes(password: string): Promise<boolean> {
    return await opensNow({ username: this.here.role.name, password }, this.#ways.admin);
  }

  /** @param setByHand logins that a DBA made. @returns what is wrong, in words that name no secret. */
  async wrong(setByHand: readonly StoredLogin[] = []): Promise<string[]> {
    const found = await violations(this.#subject, 'single-user', this.#ways.admin, setByHand);
    const works = await opensNow(await this.#subject.current(), this.#ways.admin);
    return works ? found : [...found, 'AWSCURRENT does not log in'];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate = OPEN;
    await this.here[Symbol.asyncDispose]();
  }
}
