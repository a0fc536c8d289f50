import type { Alarm, Clock } from '../lab/clock.ts';

const DAY_MS = 86_400_000;

/**
 * A lab's time that can be moved on, so that any number of rotations fits the service's quota of versions, of which none
 * younger than a day is removed. Nothing is due on schedule.
 */
export class DayByDay implements Clock {
  #ahead = 0;

  readonly now = (): Date => new Date(Date.now() + this.#ahead);

  readonly callAt = (): Alarm => ({ cancel: () => undefined });

  /** More than 24 hours pass. */
  nextDay(): void {
    this.#ahead += DAY_MS + 1;
  }
}
