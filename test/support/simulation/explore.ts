import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers';
import { type Breach, breachesAfter, breachesAtEnd, momentOf } from './invariants.ts';
import { MemoryStage } from './memory-stage.ts';
import { type Choice, type Plant, Play } from './play.ts';
import { isSoak, type Scenario } from './scenario.ts';
import { time } from './time.ts';

/** How much of a scenario was seen. */
export interface Coverage {
  /** Schedules, of which those that come through the same state have the rest in common. */
  readonly schedules: bigint;
  /** States of the world and of what each actor knows. */
  readonly states: number;
  /** Times that the scenario was played, in whole or in part, to see them all. */
  readonly plays: number;
  /** Schedules that were played to the end, to be held against reality. */
  readonly ends: readonly (readonly Choice[])[];
  /** What the world was like at the end of each of these. */
  readonly endStates: readonly string[];
}

/** A schedule that breaks a promise. Its message has it as a list to read; `schedule` replays it. */
export class Violation extends Error {
  readonly scenario: Scenario;
  readonly schedule: readonly Choice[];
  readonly breaches: readonly Breach[];

  constructor(scenario: Scenario, schedule: readonly Choice[], breaches: readonly Breach[]) {
    const list = schedule.map((choice, index) => `${String(index + 1).padStart(4)}. ${choice}`).join('\n');
    const broken = breaches.map(({ invariant, found }) => `${invariant}: ${found}`).join('\n');
    super(
      `${scenario.name}: this schedule breaks a promise.\n${list}\n${broken}\nReplay: ${replayOf(scenario, schedule)}`,
    );
    this.scenario = scenario;
    this.schedule = schedule;
    this.breaches = breaches;
  }
}

/** For a shell, in which the name of a call may have an apostrophe. */
function replayOf({ name }: Scenario, schedule: readonly Choice[]): string {
  const variable = JSON.stringify([name, ...schedule]).replaceAll("'", "'\\''");
  return `${isSoak ? 'SOAK_MINUTES=1 ' : ''}SIMULATION='${variable}' npm run test:unit -- simulation/planted -t 'is replayed'`;
}

export interface ExploreOptions {
  readonly plant?: Plant | undefined;
  /** Changes the world before anybody acts: a fault planted behind the ports. */
  readonly prepare?: (stage: MemoryStage) => void;
  /** Whether a state is looked at as often as it is come to. */
  readonly visitsEach?: boolean;
}

/** A state, whose choices are taken one after the other. */
interface Frame {
  readonly key: string;
  readonly choices: readonly Choice[];
  next: number;
  schedules: bigint;
}

/** A play in memory, whose promises are judged after each call. */
export class Judged {
  readonly play: Play;
  readonly stage: MemoryStage;

  static async begin(scenario: Scenario, { plant, prepare }: ExploreOptions = {}): Promise<Judged> {
    time.restart();
    const stage = new MemoryStage(scenario);
    prepare?.(stage);
    return new Judged(await Play.begin(scenario, stage, { plant, settle }), stage);
  }

  private constructor(play: Play, stage: MemoryStage) {
    this.play = play;
    this.stage = stage;
  }

  /** @throws Violation */
  async take(choice: Choice): Promise<void> {
    const [before, ended] = [momentOf(this.stage), this.play.ends.length];
    await this.play.take(choice);
    this.#need(breachesAfter(this.play, this.stage, before, this.play.ends.slice(ended)));
  }

  /** @throws Violation */
  async end(): Promise<void> {
    this.#need(await breachesAtEnd(this.play, this.stage));
  }

  /** What can still come depends on the world, on what each actor knows, and on the faults that are left. */
  key(): string {
    const actors = this.play.actors.map((actor) => actor.fingerprint());
    return [this.stage.fingerprint(), ...actors, this.play.faultsLeft].join('\n\n');
  }

  #need(all: readonly Breach[]): void {
    const exempt = this.play.scenario.exempt?.from ?? [];
    const breaches = all.filter(({ invariant }) => !exempt.includes(invariant));
    if (breaches.length > 0) throw new Violation(this.play.scenario, this.play.schedule, breaches);
  }
}

/** All that goes on without anybody's turn are promises that are kept by now. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Plays one schedule, such as a violation's. @throws Violation */
export async function replay(
  scenario: Scenario,
  schedule: readonly Choice[],
  options: ExploreOptions = {},
): Promise<Judged> {
  const judged = await Judged.begin(scenario, options);
  for (const choice of schedule) await judged.take(choice);
  if (judged.play.choices().length === 0) await judged.end();
  return judged;
}

/**
 * Plays every schedule of a scenario, each state once: which way it was come to makes no difference to what can follow.
 *
 * @throws Violation at the first promise that is broken.
 */
export async function explore(scenario: Scenario, options: ExploreOptions = {}): Promise<Coverage> {
  const search = new Search(options.visitsEach === true);
  const endStates: string[] = [];
  let plays = 0;
  do {
    plays++;
    const judged = await Judged.begin(scenario, options);
    const prefix = search.prefix();
    for (const choice of prefix.slice(0, -1)) await judged.play.take(choice);
    for (const choice of prefix.slice(-1)) await judged.take(choice);
    for (;;) {
      const choice = search.enter(judged.key(), () => judged.play.choices());
      if (choice === undefined) break;
      await judged.take(choice);
    }
    if (!search.isAtEnd) continue;
    endStates.push(judged.stage.fingerprint());
    await judged.end();
  } while (search.backtrack());
  return { ...search.coverage, plays, endStates };
}

/** Depth first through the graph of states, which has no circles: with each call somebody knows more. */
class Search {
  readonly #seen = new Map<string, bigint>();
  readonly #frames: Frame[] = [];
  readonly #ends: (readonly Choice[])[] = [];
  readonly #visitsEach: boolean;
  #total = 0n;
  isAtEnd = false;

  constructor(visitsEach: boolean) {
    this.#visitsEach = visitsEach;
  }

  /** The choices that lead to where the search goes on. */
  prefix(): Choice[] {
    return this.#frames.map(({ choices, next }) => choices[next] ?? '');
  }

  /** Comes to a state. @returns what to take there; undefined where all that follows is known, or nothing does. */
  enter(state: string, choicesThere: () => Choice[]): Choice | undefined {
    const key = hash('sha1', state, 'base64');
    const known = this.#visitsEach ? undefined : this.#seen.get(key);
    this.isAtEnd = false;
    if (known !== undefined) {
      this.#count(known);
      return undefined;
    }
    const choices = choicesThere();
    if (choices.length === 0) {
      this.isAtEnd = true;
      this.#ends.push(this.prefix());
      this.#seen.set(key, 1n);
      this.#count(1n);
      return undefined;
    }
    this.#frames.push({ key, choices, next: 0, schedules: 0n });
    return choices[0];
  }

  /** @returns whether there is a choice that was not taken. */
  backtrack(): boolean {
    for (let top = this.#frames.at(-1); top !== undefined; top = this.#frames.at(-1)) {
      if (++top.next < top.choices.length) return true;
      this.#frames.pop();
      this.#seen.set(top.key, top.schedules);
      this.#count(top.schedules);
    }
    return false;
  }

  get coverage(): Omit<Coverage, 'plays' | 'endStates'> {
    return { schedules: this.#total, states: this.#seen.size, ends: this.#ends };
  }

  #count(schedules: bigint): void {
    const top = this.#frames.at(-1);
    if (top === undefined) this.#total = schedules;
    else top.schedules += schedules;
  }
}
