/** A rotation function under test: a process of its own that answers one event per line. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Step } from '../../shared/rotation/event.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { cpuOfGroup } from './process-cpu.ts';

export interface StepEvent {
  readonly SecretId: string;
  readonly ClientRequestToken: string;
  readonly Step: Step;
}

/** How to start one. */
export interface Implementation {
  readonly name: string;
  command(strategy: StrategyName): { readonly file: string; readonly args: readonly string[] };
}

const SERVER = fileURLToPath(new URL('./function-server.mjs', import.meta.url));

/** @param folder that the functions were built to. */
export const bundleOf = (strategy: StrategyName, folder: string) => join(folder, strategy, 'index.mjs');

/** Our own bundles. @param folder that they were built to. */
export function ours(folder: string): Implementation {
  return {
    name: 'ours',
    command: (strategy) => ({ file: process.execPath, args: [SERVER, bundleOf(strategy, folder)] }),
  };
}

/** @param command of the shell; `{scheme}` in it becomes `single` or `multi`. */
export function against(command: string): Implementation {
  return {
    name: 'against',
    command: (strategy) => ({
      file: '/bin/sh',
      args: ['-c', command.replaceAll('{scheme}', strategy === 'single-user' ? 'single' : 'multi')],
    }),
  };
}

export class Contender implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #startedAt = performance.now();
  readonly #name: string;

  constructor(implementation: Implementation, strategy: StrategyName, environment: Readonly<Record<string, string>>) {
    const { file, args } = implementation.command(strategy);
    this.#name = implementation.name;
    this.#child = spawn(file, args, {
      // In a process group of its own, to be ended and measured together with what it starts.
      detached: true,
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', process.env.BENCH_LOGS === undefined ? 'ignore' : 'inherit'],
    });
    this.#child.stdin.on('error', () => undefined); // EPIPE: the missing answer tells
    this.#child.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Since its start, in ms. */
  get age(): number {
    return performance.now() - this.#startedAt;
  }

  /** CPU time used so far by it and what it started, in ms; NaN where the system does not tell. */
  cpu(): number {
    return cpuOfGroup(this.#child.pid ?? 0);
  }

  /** @returns ms from the question to the answer. @throws Error with the function's own words where it failed. */
  async run(event: StepEvent): Promise<number> {
    const from = performance.now();
    this.#child.stdin.write(`${JSON.stringify(event)}\n`);
    const { value, done } = await this.#answers.next();
    const ms = performance.now() - from;
    if (done) throw new Error(`${this.#name} was to answer ${event.Step}, and ended (BENCH_LOGS=1 shows why).`);
    const error = failureIn(value);
    if (error !== undefined) throw new Error(`${this.#name} failed in ${event.Step}: ${error}`);
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin.end();
    const polite = setTimeout(() => process.kill(-pid, 'SIGKILL'), 2_000);
    await exited;
    clearTimeout(polite);
  }
}

/** @returns undefined for `{"ok":true}`. */
export function failureIn(answer: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    return `the answer was to be JSON, and was: ${answer.slice(0, 200)}`;
  }
  if (typeof value === 'object' && value !== null) {
    if ('ok' in value && value.ok === true) return undefined;
    if ('error' in value) return String(value.error);
  }
  return `the answer was to be {"ok":true} or {"error":"…"}, and was: ${answer.slice(0, 200)}`;
}
