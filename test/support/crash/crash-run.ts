import { type Gate, OPEN, Recorder, Trap } from './gate.ts';
import { violations, violationsAtEnd } from './invariants.ts';
import type { Failure, Lane } from './lane.ts';
import type { Subject } from './subject.ts';

/** What happens at the point, and what the world does afterwards. */
export interface Variant {
  /** `killed`: SIGKILL of the function's process. `cut`: only the connection breaks. */
  readonly harm: 'killed' | 'cut';
  /** `retried`: the service calls the steps again with the same token. `replaced`: an operator starts a new rotation. */
  readonly afterwards: 'retried' | 'replaced';
}

export const VARIANTS: readonly Variant[] = [
  { harm: 'killed', afterwards: 'retried' },
  { harm: 'cut', afterwards: 'replaced' },
  { harm: 'killed', afterwards: 'replaced' },
  { harm: 'cut', afterwards: 'retried' },
];

/** Where a rotation starts from: the first of a user's, or one whose twin is there already. */
export type Start = 'first' | 'later';

/** All moments of one undisturbed rotation, by the names that they have in every such rotation. */
export async function recordPoints(lane: Lane, start: Start): Promise<readonly string[]> {
  const subject = await subjectAt(lane, start);
  const recorder = new Recorder(lane.step);
  const failure = await rotateThrough(lane, recorder, subject, await lane.begin(subject));
  if (failure !== undefined) throw new Error(`A rotation must succeed to be recorded, and failed: ${told(failure)}.`);
  return recorder.points;
}

/**
 * Crashes one rotation at one point and lets it converge. On a busy machine a login may be no longer fresh and made anew, by
 * another session than usual, so that the point is not there: then another rotation is.
 *
 * @returns what went wrong, in words that name no secret.
 */
export async function crashAt(lane: Lane, start: Start, point: string, variant: Variant): Promise<string[]> {
  for (let rotations = 1; ; rotations++) {
    const wrong = await crashOnceAt(lane, start, point, variant);
    if (wrong !== undefined) return wrong;
    if (rotations === 5) return ['the point was never reached'];
  }
}

/** @returns undefined where the point was never reached. */
async function crashOnceAt(
  lane: Lane,
  start: Start,
  point: string,
  { harm, afterwards }: Variant,
): Promise<string[] | undefined> {
  const subject = await subjectAt(lane, start);
  const token = await lane.begin(subject);
  const wrong: string[] = [];
  const check = async (when: string) => {
    wrong.push(...(await violations(subject, lane.strategy, lane.admin)).map((what) => `${when}: ${what}`));
  };
  const trap = new Trap(point, lane.step, async () => {
    await check('at the point');
    if (harm === 'killed') await lane.kill();
    return 'cut';
  });

  const crashed = await rotateThrough(lane, trap, subject, token);
  if (!trap.sprung) return crashed === undefined ? undefined : [`the point was never reached: ${told(crashed)}`];
  wrong.push(...wrongEnd(lane, harm, crashed));
  await check('after it');

  const final = afterwards === 'retried' ? token : await replace(lane, subject, token);
  const failure = await lane.rotate(subject, final);
  if (failure !== undefined) wrong.push(`${afterwards}: ${told(failure)}`);
  const atEnd = await violationsAtEnd(subject, lane.strategy, lane.admin, final);
  return [...wrong, ...atEnd.map((what) => `at the end: ${what}`)];
}

/** A killed process has no last words; one that lost a connection fails with a code of its own, or has tried again. */
function wrongEnd(lane: Lane, harm: Variant['harm'], failure: Failure): string[] {
  if (harm === 'killed') return failure?.type === 'Runtime.ExitError' ? [] : [`not killed: ${told(failure)}`];
  const unexpected = lane.log.some((line) => line.includes('"error_code":"UNEXPECTED"'));
  const typed = failure === undefined || failure.type === 'RotationError';
  return typed && !unexpected ? [] : [`no code of its own: ${told(failure)}`];
}

async function replace(lane: Lane, subject: Subject, token: string): Promise<string> {
  await subject.giveUp(token);
  return await lane.begin(subject);
}

export async function rotateThrough(lane: Lane, gate: Gate, subject: Subject, token: string): Promise<Failure> {
  lane.gate = gate;
  try {
    return await lane.rotate(subject, token);
  } finally {
    lane.gate = OPEN;
  }
}

/** A later rotation of alternating users is the base role's turn: its twin has been made and is current. */
async function subjectAt(lane: Lane, start: Start): Promise<Subject> {
  const subject = await lane.newSubject();
  if (start === 'later') {
    const failure = await lane.rotate(subject, await lane.begin(subject));
    if (failure !== undefined) throw new Error(`The rotation before must succeed, and failed: ${told(failure)}.`);
  }
  return subject;
}

export function told(failure: Failure): string {
  return failure === undefined ? 'success' : `${failure.step} ended with ${failure.type}: ${failure.message}`;
}
