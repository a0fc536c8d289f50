/** Stands in for Lambda: runs invocations of one function, at most so many at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { StepEvent } from './contender.ts';

const HOST = fileURLToPath(new URL('./function-host.mjs', import.meta.url));

interface Host {
  readonly process: ChildProcess;
  /** Its instances, idle ones included. */
  instances: number;
  /** Those of them that have an invocation. */
  running: number;
}

/** On Lambda nobody else takes an instance's CPU, least of all the server that it wakes by a message. */
function goesFirst({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_HIGH);
  } catch {
    // Not everybody may; the figures are those of a busier machine then.
  }
}

export class FunctionHosts implements AsyncDisposable {
  readonly #hosts: readonly Host[];
  readonly #answers = new Map<number, { readonly host: Host; answer(error: string | undefined): void }>();
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
    settings: { readonly concurrency: number; readonly processes: number },
  ): Promise<FunctionHosts> {
    const { concurrency, processes } = settings;
    const all = Array.from({ length: processes }, () =>
      fork(HOST, [bundle], {
        env: { ...environment },
        execArgv: [],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      }),
    );
    all.forEach(goesFirst);
    const starts = all.map(async (each) => {
      const first = await Promise.race([once(each, 'message'), once(each, 'exit').then(() => undefined)]);
      if (first === undefined) throw new Error(`A process for functions of ${bundle} was to answer, and ended.`);
    });
    const hosts = new FunctionHosts(all, concurrency);
    try {
      await Promise.all(starts);
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(processes: readonly ChildProcess[], concurrency: number) {
    this.#hosts = processes.map((process) => ({ process, instances: 0, running: 0 }));
    this.#limit = concurrency;
    for (const host of this.#hosts) {
      host.process.setMaxListeners(0);
      host.process.on('message', ({ id, error }: { id: number; error?: string }) =>
        this.#answers.get(id)?.answer(error),
      );
      host.process.on('exit', () => {
        for (const lost of this.#answers.values())
          if (lost.host === host) lost.answer('HOST_ENDED: its answer was lost.');
      });
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
    const ended = this.#hosts.map(async ({ process }) => {
      if (!process.connected) return;
      const exited = once(process, 'exit');
      process.disconnect();
      await exited;
    });
    await Promise.all(ended);
  }

  #send(event: StepEvent): Promise<string | undefined> {
    const id = ++this.#invocations;
    const host = this.#next();
    if (host === undefined) return Promise.resolve('HOST_ENDED: none is left.');
    host.running++;
    host.instances = Math.max(host.instances, host.running);
    return new Promise((resolve) => {
      const answer = (error: string | undefined) => {
        this.#answers.delete(id);
        host.running--;
        resolve(error);
      };
      this.#answers.set(id, { host, answer });
      host.process.send({ id, event });
    });
  }

  /** As Lambda does: any instance that is idle; a new one, in the process that has fewest, only if none is. */
  #next(): Host | undefined {
    const hosts = this.#hosts.filter(({ process }) => process.connected);
    const idle = hosts.flatMap((host) => Array<Host>(host.instances - host.running).fill(host));
    const [fewest] = hosts.toSorted((a, b) => a.instances - b.instances);
    return idle[Math.floor(Math.random() * idle.length)] ?? fewest;
  }
}
