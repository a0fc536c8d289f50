/** The warm instances of one function: one invocation at a time in each, more instances while they are busy. */
import type { FunctionLogLine } from '../events.ts';
import { FunctionProcess, type FunctionSettings } from './function-process.ts';
import type { Invocation, InvocationResult } from './protocol.ts';

export type { InvocationResult } from './protocol.ts';

export interface PoolSettings extends Omit<FunctionSettings, 'logStream' | 'onLog'> {
  concurrency: number;
  onLog: (line: FunctionLogLine) => void;
}

type MaybeProcess = FunctionProcess | undefined;

export class FunctionPool {
  readonly #settings: PoolSettings;
  readonly #idle: FunctionProcess[] = [];
  readonly #all = new Set<FunctionProcess>();
  readonly #waiting: ((process: MaybeProcess | Promise<MaybeProcess>) => void)[] = [];
  #closed = false;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
  }

  async invoke(event: unknown): Promise<InvocationResult> {
    const process = await this.#take();
    if (!process) return { ok: false, errorType: 'Lab.Closed', errorMessage: 'The lab was closed.', trace: [] };
    const { arn, timeoutMs } = this.#settings;
    const invocation: Invocation = { requestId: crypto.randomUUID(), functionArn: arn, event, timeoutMs };
    try {
      return await process.invoke(invocation);
    } finally {
      this.#giveBack(process);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#waiting.splice(0)) wake(undefined);
    await Promise.all([...this.#all].map((process) => process.kill()));
  }

  #take(): MaybeProcess | Promise<MaybeProcess> {
    if (this.#closed) return undefined;
    for (let warm = this.#idle.pop(); warm; warm = this.#idle.pop()) {
      if (warm.isUsable) return warm;
      this.#all.delete(warm);
    }
    if (this.#all.size < this.#settings.concurrency) {
      return this.#start();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Each instance writes a log stream of its own. */
  #start(): FunctionProcess {
    const { onLog, ...settings } = this.#settings;
    const logStream = `lab/[$LATEST]${crypto.randomUUID().replaceAll('-', '')}`;
    const process = new FunctionProcess({ ...settings, logStream, onLog: (line) => onLog({ ...line, logStream }) });
    this.#all.add(process);
    return process;
  }

  #giveBack(process: FunctionProcess): void {
    if (!process.isUsable) this.#all.delete(process);
    const next = this.#waiting.shift();
    if (process.isUsable) {
      if (next) next(process);
      else this.#idle.push(process);
    } else if (next) {
      next(this.#take());
    }
  }
}
