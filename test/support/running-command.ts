import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { waitFor } from '../../scripts/lab/database/wait.ts';

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. What it writes is kept. */
export class RunningCommand<Child extends ChildProcess & { readonly stdout: Readable; readonly stderr: Readable }> {
  readonly child: Child;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<unknown>;

  constructor(child: Child) {
    this.child = child;
    this.#closed = once(child, 'close');
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // Who answers a command that has ended gets EPIPE: its output tells the rest.
    child.stdin?.on('error', () => undefined);
  }

  /** All that it wrote so far, without colours and cursor movements. */
  get text(): string {
    return stripVTControlCharacters(this.stdout + this.stderr);
  }

  /** Waits for a text of its output. */
  async says(wanted: string | RegExp): Promise<void> {
    await this.#until(wanted, () => this.text);
  }

  /** Waits for a text on its stdout. @returns all of stdout so far. */
  async printed(wanted: string | RegExp): Promise<string> {
    await this.#until(wanted, () => this.stdout);
    return this.stdout;
  }

  /** Types on its terminal. */
  type(text: string): void {
    this.child.stdin?.write(text);
  }

  async ended(): Promise<CommandResult> {
    await this.#closed;
    return { exitCode: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  /** Once it has ended. */
  async exitCode(): Promise<number | null> {
    return (await this.ended()).exitCode;
  }

  async #until(wanted: string | RegExp, output: () => string): Promise<void> {
    const probe = () => {
      if (typeof wanted === 'string' ? output().includes(wanted) : wanted.test(output())) return true;
      if (this.child.exitCode !== null) throw new Error(`It ended without saying ${wanted}:\n${this.text}`);
      return undefined;
    };
    await waitFor(`the command to say ${wanted}`, probe, { timeoutMs: 50_000 });
  }
}
