/**
 * The moment by which a step must be over: the end of the Lambda invocation less a margin in which to say, as a typed
 * error, what was still being waited for.
 */
export class Deadline {
  /** Hears since when, by performance.now(), a session has waited for somebody else's change of a role, and does no more. */
  onBusy?: (since: number) => void;
  readonly #at: number;

  /** @param milliseconds from now. */
  constructor(milliseconds: number) {
    this.#at = performance.now() + milliseconds;
  }

  /** Of an invocation that ends in `remaining` ms. */
  static withinInvocation(remaining: number): Deadline {
    return new Deadline(stepTime(remaining));
  }

  /** Milliseconds left, never below 1, as timers and timeouts take 0 for "none". */
  remaining(): number {
    return Math.max(1, Math.floor(this.#at - performance.now()));
  }

  get passed(): boolean {
    return performance.now() >= this.#at;
  }

  /** A signal that aborts when the deadline passes. It keeps no process alive. */
  signal(): AbortSignal {
    return AbortSignal.timeout(this.remaining());
  }
}

/** How much of an invocation a step may use, in ms: all but 2 s, or half of it where there are less than 4 s; pure. */
export function stepTime(remaining: number): number {
  return remaining - Math.min(2_000, remaining / 2);
}
