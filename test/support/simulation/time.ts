import { AsyncLocalStorage } from 'node:async_hooks';

/** Who can be told that a wait of its own may end early: the one that is at work. */
export interface Waits {
  /** Of a wait that is given up as a rule: it ends only where a schedule says so. @returns takes it back. */
  mayEnd(end: () => void): () => void;
}

/**
 * Time in a simulation: it goes on by a millisecond with each look at it, and by as much as somebody sleeps. Nobody really
 * waits: a schedule holds whatever comes after a pause back for as long as it likes.
 */
export class SimulatedTime {
  readonly #atWork = new AsyncLocalStorage<Waits>();
  #now = 1_000_000;

  readonly now = (): number => ++this.#now;

  /** Whether whoever asks is part of a simulation. */
  get isSimulated(): boolean {
    return this.#atWork.getStore() !== undefined;
  }

  /** In place of node:timers/promises. */
  readonly sleep = <T>(
    milliseconds = 0,
    value?: T,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T | undefined> => {
    const waits = this.#atWork.getStore();
    if (signal === undefined) {
      this.#now += milliseconds;
      return Promise.resolve(value);
    }
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    // Before a schedule begins and after it, every answer comes in time.
    const takeBack = waits?.mayEnd(() => resolve(value)) ?? (() => {});
    const abort = () => {
      takeBack();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    return promise;
  };

  restart(): void {
    this.#now = 1_000_000;
  }

  /** Runs the work of one of several actors. */
  as<T>(waits: Waits, work: () => Promise<T>): Promise<T> {
    return this.#atWork.run(waits, work);
  }
}

export const time = new SimulatedTime();
