/** Stands in for Lambda: runs invocations of one function, at most so many at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StepEvent } from './contender.ts';

const HOST = fileURLToPath(new URL('./function-host.mjs', import.meta.url));

export class FunctionHosts implements AsyncDisposable {
  readonly #processes: readonly ChildProcess[];
  readonly #answers = new Map<number, (error: string | undefined) => void>();
  readonly #waiting: (() => void)[] = [];
  readonly #limit: number;
  #running = 0;
  #peak = 0;
  #invocations = 0;
  /** ms of all invocations together: what Lambda bills. */
  #billed = 0;

  static async start(
    bundle: string,
    environment: Readonly<Record<string, string>>,
    settings: { readonly concurrency: number; readonly processes: number; readonly timeoutMs: number },
  ): Promise<FunctionHosts> {
    const { concurrency, processes, timeoutMs } = settings;
    const all = Array.from({ length: processes }, () =>
      fork(HOST, [bundle, String(timeoutMs)], {
        env: { ...environment },
        execArgv: [],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      }),
    );
    await Promise.all(all.map((each) => once(each, 'message')));
    return new FunctionHosts(all, concurrency);
  }

  private constructor(processes: readonly ChildProcess[], concurrency: number) {
    this.#processes = processes;
    this.#limit = concurrency;
    for (const each of processes) {
      each.setMaxListeners(0);
      each.on('message', ({ id, error }: { id: number; error?: string }) => this.#answers.get(id)?.(error));
    }
  }

  /** The most that ran at one time. */
  get peak(): number {
    return this.#peak;
  }

  get invocations(): number {
    return this.#invocations;
  }

  get billedMs(): number {
    return this.#billed;
  }

  /** @returns undefined, or the error that the function threw. */
  async invoke(event: StepEvent): Promise<string | undefined> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    this.#peak = Math.max(this.#peak, this.#running);
    const from = performance.now();
    try {
      return await this.#send(event);
    } finally {
      this.#billed += performance.now() - from;
      // The place goes to whoever waits longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#processes.map(async (each) => {
      const exited = once(each, 'exit');
      each.disconnect();
      await exited;
    });
    await Promise.all(ended);
  }

  #send(event: StepEvent): Promise<string | undefined> {
    const id = ++this.#invocations;
    // Which instance gets a step is up to Lambda: any of them.
    const host = this.#processes[Math.floor(Math.random() * this.#processes.length)];
    return new Promise((resolve) => {
      this.#answers.set(id, (error) => {
        this.#answers.delete(id);
        resolve(error);
      });
      host?.send({ id, event });
    });
  }
}
