import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Binaries, serverEnvironment } from './binaries.ts';
import { type SystemUser, spawnAs } from './server-user.ts';
import { waitFor } from './wait.ts';

const SCRIPT = new URL('./supervisor.sh', import.meta.url);

export interface SupervisorOptions {
  /** Made for `user`, and removed with everything in it when this process ends, however it ends. */
  readonly folder: string;
  readonly binaries: Binaries;
  readonly user: SystemUser | undefined;
  /** The program that makes FOLDER/data, and its arguments. */
  readonly initialiser: readonly string[];
}

/** The shell process that runs initdb and the server for us (see supervisor.sh for what it understands). */
export class Supervisor {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: string[] = [];
  #serverRuns = false;

  static async start({ folder, binaries, user, initialiser }: SupervisorOptions): Promise<Supervisor> {
    const script = await readFile(SCRIPT, 'utf8');
    const child = spawn('/bin/sh', ['-c', script, 'postgres-supervisor', folder, binaries.postgres, ...initialiser], {
      cwd: '/',
      env: serverEnvironment(binaries),
      stdio: ['pipe', 'pipe', 'ignore'],
      // A process group of its own: Ctrl-C on the terminal is for us, and the server goes only after our sessions have.
      detached: true,
      ...spawnAs(user),
    });
    await once(child, 'spawn');
    const supervisor = new Supervisor(child);
    await supervisor.#answer('ready', 10_000);
    return supervisor;
  }

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('exited ')) this.#serverRuns = false;
      else this.#answers.push(line);
    });
    child.stdin.on('error', () => undefined); // EPIPE: whoever waits for an answer finds the child gone
    // A server that somebody forgot to close must not keep this process alive: it goes when we go.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as unknown as { unref(): void }).unref();
  }

  get serverRuns(): boolean {
    return this.#serverRuns;
  }

  /** @returns the initialiser's exit status. */
  async initialise(): Promise<number> {
    this.#send('initialise');
    return Number((await this.#answer('initialised ', 120_000)).split(' ')[1]);
  }

  startServer(): void {
    this.#serverRuns = true;
    this.#send('start');
  }

  async stopServer(): Promise<void> {
    this.#send('stop');
    await this.#answer('stopped', 60_000);
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    await waitFor('the PostgreSQL server to stop', () => this.#gone() || undefined, {
      timeoutMs: 60_000,
      intervalMs: 5,
    });
  }

  #send(command: 'initialise' | 'start' | 'stop'): void {
    this.#child.stdin.write(`${command}\n`);
  }

  #answer(start: string, timeoutMs: number): Promise<string> {
    const probe = () => {
      if (this.#gone())
        throw new Error(
          'The supervisor of the PostgreSQL server should be running, and has ended (is there room in the temporary folder?).',
        );
      const index = this.#answers.findIndex((line) => line.startsWith(start));
      return index === -1 ? undefined : this.#answers.splice(index, 1)[0];
    };
    return waitFor(`the answer "${start.trim()}" of the PostgreSQL server's supervisor`, probe, {
      timeoutMs,
      intervalMs: 5,
    });
  }

  #gone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
