import { Deadline } from '../../../shared/deadline.ts';
import { RotationError } from '../../../shared/errors.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { STEPS, type Step } from '../../../shared/rotation/event.ts';
import { RecentLogins } from '../../../shared/rotation/recent-logins.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { countsRotation, runStep, type StepInput } from '../../../shared/rotation/steps.ts';
import { Password } from '../../../shared/secret/password.ts';
import { failure } from '../fake-server.ts';
import { Actor, API, type Fault, Killed } from './actor.ts';
import { gatedDatabase, gatedStore, gatedSuperusers } from './gated-ports.ts';
import type { Stage } from './memory-stage.ts';
import type { Part, Scenario, SecretName } from './scenario.ts';

/** How a step ended: what it reports, or the code of its error. */
export interface StepEnd {
  readonly actor: Actor;
  readonly part: Part;
  readonly step: Step;
  readonly outcome: string;
  /** Whether it counts the rotation as one that has succeeded. */
  readonly counts: boolean;
}

/** A fault planted into the engine: what a test must see caught. */
export type Plant = (input: StepInput) => StepInput;

export interface PlayOptions {
  readonly plant?: Plant | undefined;
  /** Runs whatever goes on without anybody's turn, until each actor waits for one, is blocked, or has ended. */
  readonly settle: (play: Play) => Promise<void>;
}

/** One choice of a schedule, in words: whose call gets its turn, and what happens to it. */
export type Choice = string;

/** The parts of a scenario on a stage, of which each call waits until a schedule gives it its turn. */
export class Play {
  readonly scenario: Scenario;
  readonly stage: Stage;
  readonly actors: readonly Actor[];
  readonly ends: StepEnd[] = [];
  /** Choices so far. */
  readonly schedule: Choice[] = [];
  readonly #options: PlayOptions;
  #faults: number;
  #running = 0;
  #last: Actor | undefined;

  private constructor(scenario: Scenario, stage: Stage, options: PlayOptions) {
    this.scenario = scenario;
    this.stage = stage;
    this.#options = options;
    this.#faults = scenario.faults;
    this.actors = scenario.parts.map(({ name }) => new Actor(name));
  }

  /** Runs what came before, and then everybody up to a first call. */
  static async begin(scenario: Scenario, stage: Stage, options: PlayOptions): Promise<Play> {
    const play = new Play(scenario, stage, options);
    const earlier = free('earlier');
    const logins = new RecentLogins();
    if (scenario.second === true) {
      await stage.begin('app', 'T0');
      await play.rotate(free('before'), 'app', 'T0');
    }
    for (const secret of ['app', ...(scenario.shared ? (['shop', 'admin'] as const) : [])] as const) {
      await stage.begin(secret, 'T1');
      for (const step of scenario.before ?? []) await runStep(play.#input(earlier, { name: '', secret }, step, logins));
    }
    for (const [index, part] of scenario.parts.entries()) {
      const actor = play.actors[index];
      if (actor !== undefined) play.#perform(actor, part, part.remembers ? logins : new RecentLogins());
    }
    await options.settle(play);
    return play;
  }

  /** What can come next: first whatever is without a fault, and of that first what goes on with the last one's work. */
  choices(): Choice[] {
    const others = this.actors.filter((actor) => actor !== this.#last);
    const actors = this.#last === undefined ? this.actors : [this.#last, ...others];
    const regular = actors.flatMap((actor) =>
      actor.waiting.filter(({ optional }) => !optional).map(({ label }) => wordsOf(actor, label)),
    );
    if (this.#faults === 0) {
      // Whatever the others do, it comes to the same when this is done first.
      const own = actors.flatMap((actor) =>
        actor.waiting.filter((call) => this.#isOwnAffair(actor, call)).map(({ label }) => wordsOf(actor, label)),
      );
      return own.length > 0 ? own.slice(0, 1) : [...new Set(regular)];
    }
    const { faultsOf } = this.scenario;
    const faulty = actors
      .filter(({ name }) => (faultsOf === undefined ? !name.startsWith('operator') : name === faultsOf))
      .flatMap((actor) => [
        ...actor.waiting.flatMap(({ label, faults }) => faults.map((fault) => wordsOf(actor, label, fault))),
        ...(actor.isBlocked && actor.waiting.length === 0 && !actor.isDead ? [wordsOf(actor, 'waits', 'killed')] : []),
      ]);
    return [...new Set([...regular, ...faulty])];
  }

  async take(choice: Choice): Promise<void> {
    const [, name = '', label = '', fault] =
      /^(.+?): (.+?)(?: — (refused|lost|killed|killed after|stale|late))?$/.exec(choice) ?? [];
    const actor = this.actors.find((each) => each.name === name);
    if (actor === undefined) throw new Error(`The schedule says "${choice}", and there is nobody of that name.`);
    const waiting = actor.waiting.find((each) => each.label === label);
    const isStuck = label === 'waits' && fault === 'killed';
    if (waiting === undefined && !isStuck)
      throw new Error(
        `The schedule says "${choice}", and ${name} waits for ${actor.waiting.map((each) => each.label)}.`,
      );
    this.schedule.push(choice);
    this.#last = actor;
    if (fault !== undefined) this.#faults--;
    if (isStuck) actor.kill();
    else waiting?.go(fault as Fault | undefined);
    await this.#options.settle(this);
  }

  /** Whether nobody is at work any more. */
  get isOver(): boolean {
    return this.#running === 0;
  }

  /** Where everybody is: what each waits for, and who waits for a lock. */
  get where(): string {
    const each = this.actors.map((actor) => {
      const labels = actor.waiting.filter(({ optional }) => !optional).map(({ label }) => label);
      return `${actor.name}: ${labels.length === 0 && actor.isBlocked ? 'blocked' : labels.sort().join(', ')}`;
    });
    return [...each, `${this.#running} at work`].join('\n');
  }

  get faultsLeft(): number {
    return this.#faults;
  }

  /** After the schedule: the service's four steps, by an instance that nothing happens to. @returns the code of what failed. */
  async rotate(actor: Actor, secret: SecretName, token: string): Promise<string | undefined> {
    const logins = new RecentLogins();
    try {
      for (const step of STEPS) await runStep(this.#input(actor, { name: actor.name, secret }, step, logins, token));
      return undefined;
    } catch (error) {
      return error instanceof RotationError ? error.code : String(error);
    }
  }

  /** Of a secret that nobody else changes, a read is one's own affair. */
  #isOwnAffair(actor: Actor, { kind, optional }: Actor['waiting'][number]): boolean {
    if (optional || kind.isOwnAffair === true) return !optional;
    if (kind.secret === undefined || kind.writes === true) return false;
    return this.scenario.parts.every(({ name, secret = 'app', first = [], steps = [] }) => {
      const writes = first.length > 0 || steps.includes('createSecret') || steps.includes('finishSecret');
      return name === actor.name || secret !== kind.secret || !writes;
    });
  }

  #perform(actor: Actor, part: Part, logins: RecentLogins): void {
    this.#running++;
    const { first = [], steps = [] } = part;
    const work = async () => {
      for (const deed of first)
        await actor.call(
          deed,
          API,
          () => this.stage.perform(deed),
          () => '',
        );
      for (const step of steps) {
        const end = await this.#step(actor, part, step, logins);
        if (actor.isDead) return;
        this.ends.push({ actor, part, step, ...end });
        if (isFailure(end.outcome) && part.goesOn !== true) return;
      }
    };
    void this.stage.as(actor, work).then(
      () => this.#running--,
      (error) => {
        this.#running--;
        if (!(error instanceof Killed)) throw error;
      },
    );
  }

  async #step(
    actor: Actor,
    part: Part,
    step: Step,
    logins: RecentLogins,
  ): Promise<Pick<StepEnd, 'outcome' | 'counts'>> {
    try {
      const report = await runStep(this.#input(actor, part, step, logins));
      return { outcome: report.outcome, counts: countsRotation(step, report) };
    } catch (error) {
      return { outcome: error instanceof RotationError ? error.code : `UNEXPECTED ${String(error)}`, counts: false };
    }
  }

  #input(
    actor: Actor,
    part: Part,
    step: Step,
    logins: RecentLogins,
    tokenName: string = part.token ?? 'T1',
  ): StepInput {
    const { secret = 'app', narrow = false } = part;
    const token = this.stage.tokenOf(tokenName);
    const strategy = secret === 'admin' ? singleUser : STRATEGIES[this.scenario.strategy];
    const mayLogIn = (source: string) => {
      if (narrow && source === 'pending') throw failure('TLS_FAILED');
    };
    const input: StepInput = {
      event: { step, secretArn: secret, versionId: token },
      strategy,
      store: gatedStore(actor, this.stage.store(secret, token), {
        secret,
        names: (id) => this.stage.names(id),
        former: this.scenario.lags ? this.stage.former(secret, token) : undefined,
      }),
      superusers: gatedSuperusers(actor, this.stage.superusers()),
      database: gatedDatabase(actor, this.stage.database(actor.name), (role) => this.stage.names(role), mayLogIn),
      recentLogins: logins,
      deadline: new Deadline(STEP_TIME),
      promoteEarly: this.scenario.promoteEarly ?? false,
      newPassword: () => new Password(this.stage.password(`${secret} ${tokenName} by ${actor.name}-${++actor.made}`)),
    };
    return actor.isFree ? input : (this.#options.plant?.(input) ?? input);
  }
}

/** In ms: of a step that is replayed on real servers, more than enough. */
const STEP_TIME = 60_000;

/** Somebody whose calls wait for nothing. */
export function free(name: string): Actor {
  const actor = new Actor(name);
  actor.isFree = true;
  return actor;
}

export function isFailure(outcome: string): boolean {
  return !['done', 'already-done', 'already-current'].includes(outcome);
}

const STRATEGIES = { 'single-user': singleUser, 'alternating-users': alternatingUsers };

function wordsOf({ name }: Actor, label: string, fault?: Fault): Choice {
  return fault === undefined ? `${name}: ${label}` : `${name}: ${label} — ${fault}`;
}
