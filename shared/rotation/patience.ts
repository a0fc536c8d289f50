/** What passes by itself, and how long a step waits for it. */
import type { Deadline } from '../deadline.ts';
import { RotationError, type RotationErrorCode } from '../errors.ts';

/**
 * What is over by itself in seconds, as a rule: a restart, a failover, a load balancer that changes its targets, a rush for
 * connections, somebody else's change of the role. A wrong password is none of these, whatever its cause.
 */
const PASSES: ReadonlySet<RotationErrorCode> = new Set([
  'DATABASE_UNREACHABLE',
  'DATABASE_UNAVAILABLE',
  'DATABASE_CONNECTION_LOST',
  // Of a connect, which has a limit of its own: the name leads to a host that is gone. After any other, no time is left.
  'DATABASE_TIMEOUT',
  'DATABASE_FULL',
  // A standby that is being promoted.
  'DATABASE_READ_ONLY',
  'ROLE_BUSY',
]);
/** Reasons that have to be one of these, where only some of a code's pass. */
const ONLY_BY_REASON: ReadonlyMap<RotationErrorCode, readonly string[]> = new Map([
  // The resolver did not answer, or could not ask.
  ['DATABASE_HOST_NOT_FOUND', ['EAI_AGAIN', 'EAI_FAIL', 'EAI_MEMORY', 'EAI_SYSTEM']],
  // A login was refused for it. A limit of 0, found by a look at the role, stays.
  ['ROLE_CONNECTION_LIMIT', ['53300']],
]);
/** Time-outs that the role or the database has set for itself: they come back. */
const COMES_BACK: readonly string[] = ['25P03', '25P04', '57P05'];

/** Whether what failed by this is worth being tried again, as long as it has changed nothing; pure. */
export function passesByItself({ code, facts: { reason = '', cause } }: RotationError): boolean {
  // Whether the new password is usable could not be seen: as soon as it can be, the change is looked at and gone on with.
  if (code === 'PASSWORD_NOT_PUT_BACK') return cause !== undefined && passes(cause, reason);
  // The former password is in force; our own session, which a busy server had to serve beside the proof, is over.
  if (code === 'PASSWORD_PUT_BACK') return cause === 'DATABASE_FULL' || cause === 'DATABASE_TIMEOUT';
  return !COMES_BACK.includes(reason) && passes(code, reason);
}

const passes = (code: RotationErrorCode, reason: string) =>
  PASSES.has(code) || (ONLY_BY_REASON.get(code)?.includes(reason) ?? false);

/**
 * The same of a whole step, which may run again after whatever it was interrupted by: that Secrets Manager could not be
 * reached, or has failed, or that RDS has. The SDK has tried that again for some three seconds, and a throttled call for
 * some sixteen, which is enough.
 */
export function isServiceAway({ code, facts: { reason = '' } }: RotationError): boolean {
  return (
    code === 'SECRETS_MANAGER_UNREACHABLE' ||
    code === 'RDS_UNAVAILABLE' ||
    (code === 'SECRETS_MANAGER_FAILED' && /^Internal|Unavailable/.test(reason))
  );
}

/** First pause and longest one, in ms, which may be half as long, as chance has it. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2_000;
const SHORTEST_PAUSE = FIRST_PAUSE / 2;
/** What says that a server has too much to do: if it is full, it starts a process for each connection that it then refuses. */
const IS_BUSY: readonly RotationErrorCode[] = ['DATABASE_FULL', 'PASSWORD_PUT_BACK'];

/**
 * Before another try, in ms: twice as long each time, longer at first where the server is busy, and never in step with others; pure.
 *
 * @param random from 0 to 1
 */
export function pauseAfter({ code }: RotationError, tries: number, random: number): number {
  const first = IS_BUSY.includes(code) ? 5 * FIRST_PAUSE : FIRST_PAUSE;
  return Math.min(first * 2 ** (tries - 1), LONGEST_PAUSE) * (0.5 + random / 2);
}

/** What a step has waited for. */
export interface Waited {
  readonly ms: number;
  readonly for: readonly RotationErrorCode[];
}

/** Resolves after so many ms. */
export type Sleep = (ms: number) => Promise<unknown>;

/**
 * Asks what an answer may be a moment behind for: once more after each pause, in ms, while the error is one of those that
 * this explains.
 */
export async function askAgain<T>(
  pauses: readonly number[],
  ask: () => Promise<T>,
  mayPass: (error: unknown, pause: number) => boolean,
  sleep: Sleep,
): Promise<T> {
  for (const pause of pauses) {
    try {
      return await ask();
    } catch (error) {
      if (!mayPass(error, pause)) throw error;
    }
    await sleep(pause);
  }
  return await ask();
}

/** Whether a failure is worth another try; 'in-doubt': it is, and may have changed something. */
export type Worth = boolean | 'in-doubt';
export type IsWorthwhile = (error: RotationError) => Worth | Promise<Worth>;

/** Of one step: tries again what passes by itself, until the deadline less what has to come after it; and counts all waits. */
export class Patience {
  readonly #deadline: Deadline;
  readonly #reserve: number;
  readonly #sleep: Sleep;
  readonly #codes = new Set<RotationErrorCode>();
  #ms = 0;

  /** @param reserve ms that another try has to leave. */
  constructor(deadline: Deadline, reserve: number, sleep: Sleep) {
    this.#deadline = deadline;
    this.#reserve = reserve;
    this.#sleep = sleep;
    deadline.onBusy = (since) => {
      const ms = performance.now() - since;
      if (ms < FIRST_PAUSE) return;
      this.#ms += ms;
      this.#codes.add('ROLE_BUSY');
    };
  }

  get waited(): Waited | undefined {
    return this.#codes.size === 0 ? undefined : { ms: Math.round(this.#ms), for: [...this.#codes] };
  }

  /**
   * Runs `work` until it succeeds, fails by something else, or no time is left. It must be such that trying again does no
   * harm, however far it came.
   */
  readonly patiently = async <T>(work: () => Promise<T>, isWorthwhile: IsWorthwhile = passesByItself): Promise<T> => {
    /** What came of a change says more than what the repetitions fail by. */
    let change: RotationError | undefined;
    for (let tries = 1; ; tries++) {
      const began = performance.now();
      const before = this.#ms;
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RotationError)) throw error;
        if (error.code === 'PASSWORD_PUT_BACK') change = error;
        if (error.code === 'PASSWORD_NOT_PUT_BACK' && change?.code !== error.code) change = error;
        const worth = await isWorthwhile(error);
        if (worth === false) throw error;
        // What an earlier change came to need not be so any more.
        if (worth === 'in-doubt') change = undefined;
        const left = this.#deadline.remaining() - this.#reserve;
        if (left < SHORTEST_PAUSE) throw change ?? error;
        const pause = Math.min(pauseAfter(error, tries, Math.random()), left);
        this.#codes.add(error.facts.cause ?? error.code);
        await this.#sleep(pause);
        // Of what `work` has waited itself nothing counts twice.
        this.#ms = before + Math.max(pause, performance.now() - began);
      }
    }
  };
}
