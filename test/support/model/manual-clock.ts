import type { Alarm, Clock } from '../../../scripts/lab/clock.ts';

/** A clock that goes on as time does, and jumps ahead when told to: days pass in no time. */
export class ManualClock implements Clock {
  #ahead = 0;
  readonly #alarms = new Map<symbol, { readonly at: Date; readonly callback: () => void }>();

  readonly now = (): Date => new Date(Date.now() + this.#ahead);

  /** Rings only in a jump: no test of this clock's waits for an alarm in real time. */
  readonly callAt = (at: Date, callback: () => void): Alarm => {
    const key = Symbol();
    this.#alarms.set(key, { at, callback });
    return { cancel: () => this.#alarms.delete(key) };
  };

  jump(milliseconds: number): void {
    this.#ahead += milliseconds;
    for (const [key, { at, callback }] of this.#alarms) {
      if (at > this.now()) continue;
      this.#alarms.delete(key);
      callback();
    }
  }
}
