/** The lab's time: real, or running faster so that a schedule of hours can be watched in seconds. */
export interface Clock {
  now(): Date;
  /** Calls back once this clock reads `at` or later. Never keeps the process alive. */
  callAt(at: Date, callback: () => void): Alarm;
}

export interface Alarm {
  cancel(): void;
}

export interface ClockOptions {
  /** Lab milliseconds in one real millisecond: 3600 makes an hour pass in a second. Default 1. */
  timeScale?: number;
  /** What the clock reads when it starts. Default: the real time. */
  start?: Date;
}

// setTimeout fires at once for anything longer.
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export function startClock({ timeScale = 1, start = new Date() }: ClockOptions = {}): Clock {
  if (!Number.isFinite(timeScale) || timeScale <= 0) {
    throw new RangeError(`timeScale must be a positive number, got ${timeScale}.`);
  }
  const startedAt = performance.now();
  const now = () => new Date(start.getTime() + (performance.now() - startedAt) * timeScale);

  function callAt(at: Date, callback: () => void): Alarm {
    let timer: NodeJS.Timeout;
    const wait = () => {
      const real = Math.ceil((at.getTime() - now().getTime()) / timeScale);
      if (real <= 0) {
        timer = setTimeout(callback, 0);
      } else {
        timer = setTimeout(wait, Math.min(real, LONGEST_TIMEOUT_MS));
      }
      timer.unref();
    };
    wait();
    return { cancel: () => clearTimeout(timer) };
  }

  return { now, callAt };
}
