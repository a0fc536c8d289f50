/** Runs a command of this project as an operator does: in a process, or on a terminal of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { eventually } from './secrets-lab-client.ts';

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that runs. What it writes is kept. */
export class RunningCommand {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // Who answers a command that has ended gets EPIPE: its output tells the rest.
    child.stdin.on('error', () => undefined);
  }

  /** All that it wrote so far, without colours and cursor movements. */
  get text(): string {
    return stripVTControlCharacters(this.stdout + this.stderr);
  }

  /** Waits for a text of its output, from where the last wait ended. */
  async says(wanted: string | RegExp): Promise<void> {
    await eventually(() => {
      if (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text)) return true;
      if (this.child.exitCode !== null) throw new Error(`It ended without saying ${wanted}:\n${this.text}`);
      return undefined;
    });
  }

  /** Types on its terminal. */
  type(text: string): void {
    this.child.stdin.write(text);
  }

  async ended(): Promise<CommandResult> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return { exitCode: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }
}

const ROTATION = fileURLToPath(new URL('../../scripts/rotation.ts', import.meta.url));

/** `rotation` against a lab. It ends with the test that started it, and remembers all that it ever wrote. */
export class RotationCommand implements AsyncDisposable {
  readonly #endpoint: string;
  readonly #runs: RunningCommand[] = [];

  constructor(lab: { readonly endpoint: string }) {
    this.#endpoint = lab.endpoint;
  }

  start(args: readonly string[], { env = {} }: CommandOptions = {}): RunningCommand {
    return this.#keep(spawn(process.execPath, [ROTATION, ...this.#withLab(args)], { env: environment(env) }));
  }

  async run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const running = this.start(args, options);
    running.child.stdin.end(options.stdin ?? '');
    return await running.ended();
  }

  /** In a shell, which fails where any part of the pipeline does. @param rest such as '| cat' or '> /dev/full'. */
  async piped(args: readonly string[], rest: string): Promise<CommandResult> {
    const words = [process.execPath, ROTATION, ...this.#withLab(args)].map(quoted).join(' ');
    const running = this.#keep(spawn('bash', ['-o', 'pipefail', '-c', `${words} ${rest}`], { env: environment({}) }));
    running.child.stdin.end();
    return await running.ended();
  }

  /** With --json. @returns what it answered, parsed. */
  async json(args: readonly string[], options: CommandOptions = {}) {
    const { exitCode, stdout } = await this.run([...args, '--json'], options);
    return { exitCode, answer: JSON.parse(stdout) };
  }

  /** On a terminal of its own, of util-linux's script. What it writes comes as stdout. */
  onTerminal(
    args: readonly string[],
    { env = {}, sized = true }: CommandOptions & { sized?: boolean } = {},
  ): RunningCommand {
    const words = [process.execPath, ROTATION, ...this.#withLab(args)].map(quoted).join(' ');
    // Made without a terminal around it, the new one has no size.
    const line = sized ? `stty cols 120 rows 40; exec ${words}` : words;
    return this.#keep(
      spawn('script', ['-qec', line, '/dev/null'], { env: environment({ TERM: 'xterm-256color', ...env }) }),
    );
  }

  /** Everything that was ever written, to be searched for secrets. */
  get written(): string {
    return this.#runs.map(({ stdout, stderr }) => stdout + stderr).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#runs) if (child.exitCode === null) child.kill('SIGKILL');
    await Promise.all(this.#runs.map((run) => run.ended()));
  }

  #keep(child: ChildProcessWithoutNullStreams): RunningCommand {
    const running = new RunningCommand(child);
    this.#runs.push(running);
    return running;
  }

  #withLab(args: readonly string[]): string[] {
    return [...args, '--endpoint-url', this.#endpoint, '--region', 'us-east-1'];
  }
}

/** None of the machine's own AWS configuration. */
function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: tmpdir(),
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...more,
  };
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
