import { LoginError } from './errors.ts';

/** By when a caller wants to know, in ms on a clock that nobody puts back. */
export class Deadline {
  readonly #end: number;

  /** @param milliseconds from now. */
  constructor(milliseconds: number) {
    this.#end = performance.now() + milliseconds;
  }

  /** In ms; 0 where it is over. */
  get left(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /**
   * Waits for `work`, which goes on if it takes longer.
   *
   * @throws LoginError LOGIN_TIMEOUT, or what `work` throws.
   */
  async with<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(new LoginError('LOGIN_TIMEOUT', 'A login was needed in time, but Secrets Manager did not answer.')),
        this.left,
      );
    });
    // Whichever comes second has nobody who waits for it.
    work.catch(() => {});
    over.catch(() => {});
    try {
      return await Promise.race([work, over]);
    } finally {
      clearTimeout(timer);
    }
  }
}
