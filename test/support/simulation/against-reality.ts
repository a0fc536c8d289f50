import { setTimeout as sleep } from 'node:timers/promises';
import { Judged } from './explore.ts';
import type { EndOfStage } from './memory-stage.ts';
import { type Choice, Play } from './play.ts';
import { RealStage, type RealSurroundings } from './real-stage.ts';
import type { Scenario } from './scenario.ts';

/** What has come of a schedule. */
export interface Outcome {
  readonly stage: EndOfStage;
  /** How each step ended that did. */
  readonly steps: readonly string[];
}

/** A schedule as it has played in memory. */
export interface Recording {
  readonly scenario: Scenario;
  readonly schedule: readonly Choice[];
  /** Where everybody was, before the first choice and after each. */
  readonly where: readonly string[];
  /** By actor: whether the login behind each of its locks was a fresh one. */
  readonly locks: Readonly<Record<string, readonly boolean[]>>;
  readonly outcome: Outcome;
}

/** In ms: longer than any wait of the functions' own. */
const STUCK_AFTER = 20_000;
/** Of its choices, so many are to be of a call that goes wrong, as long as it may. */
const FAULTS = 0.08;

/**
 * Plays one schedule in memory, of choices by chance.
 *
 * @param random from 0 up to 1.
 * @returns undefined where a real server can't be made to play it: a read that lags, a time-out that must come at a certain
 *   moment, or a wait for a role's row, which has a time-out of its own.
 */
export async function record(scenario: Scenario, random: () => number): Promise<Recording | undefined> {
  const judged = await Judged.begin({ ...scenario, lags: false });
  const { play, stage } = judged;
  const where = [play.where];
  for (;;) {
    const choices = play.choices().filter((choice) => !choice.endsWith('— late'));
    if (choices.length === 0) break;
    const faulty = choices.filter((choice) => choice.includes(' — '));
    const regular = choices.filter((choice) => !choice.includes(' — '));
    const from = regular.length === 0 || (faulty.length > 0 && random() < FAULTS) ? faulty : regular;
    await judged.take(from[Math.floor(random() * from.length)] ?? '');
    where.push(play.where);
    const last = play.schedule.at(-1) ?? '';
    const [name = ''] = last.split(': ');
    if (/takes the row/.test(last) && play.where.includes(`${name}: blocked`)) return undefined;
  }
  const locks = Object.fromEntries(play.actors.map((actor) => [actor.name, actor.locks]));
  return { scenario, schedule: play.schedule, where, locks, outcome: { stage: stage.end(), steps: stepsOf(play) } };
}

/** Plays it on real servers, in the same order. @throws Error where somebody is not where the model has them. */
export async function replayReally(recording: Recording, around: RealSurroundings): Promise<Outcome> {
  const { scenario, schedule, where, locks } = recording;
  const counts = new Map<string, number>();
  const fresh = (who: string) => {
    const count = counts.get(who) ?? 0;
    counts.set(who, count + 1);
    return locks[who]?.[count];
  };
  const stage = await RealStage.open(around, scenario, fresh);
  const settle = (play: Play) => settled(play, stage, where[play.schedule.length] ?? '');
  const play = await Play.begin(scenario, stage, { settle });
  for (const choice of schedule) await play.take(choice);
  return { stage: await stage.end(), steps: stepsOf(play) };
}

/** Waits until everybody is where they were in memory, and who is to wait for a lock does so. */
async function settled(play: Play, stage: RealStage, expected: string): Promise<void> {
  const blocked = expected.split('\n').filter((line) => line.endsWith(': blocked')).length;
  const end = Date.now() + STUCK_AFTER;
  while (play.where !== expected || (blocked > 0 && (await stage.waiting()) < blocked)) {
    if (Date.now() > end) {
      const list = play.schedule.map((choice, index) => `${String(index + 1).padStart(4)}. ${choice}`).join('\n');
      throw new Error(
        `${play.scenario.name}: after\n${list}\nthe model has\n${expected}\nand in reality it is\n${play.where}`,
      );
    }
    await sleep(1);
  }
}

function stepsOf({ ends }: Play): string[] {
  return ends.map(({ actor, step, outcome }) => `${actor.name}'s ${step}: ${outcome}`);
}
