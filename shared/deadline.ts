/**
 * The moment by which a step must be over: the end of the Lambda invocation less a margin in which to say, as a typed
 * error, what was still being waited for.
 */
export class Deadline {
  readonly #at: number;

  /** @param milliseconds from now. */
  constructor(milliseconds: number) {
    this.#at = performance.now() + milliseconds;
  }

  /** Of an invocation that ends in `remaining` ms: 2 s earlier, or a fifth of it where there is less than 10 s. */
  static withinInvocation(remaining: number): Deadline {
    return new Deadline(remaining - Math.min(2_000, remaining / 5));
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
