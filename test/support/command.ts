/** Runs a command of this project as an operator does: in a process, or on a terminal of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type CommandResult, RunningCommand } from './running-command.ts';

export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** With pipes for stdin, stdout and stderr. */
type Running = RunningCommand<ChildProcessWithoutNullStreams>;

const ROTATION = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** `rotation` against a lab. It ends with the test that started it, and remembers all that it ever wrote. */
export class RotationCommand implements AsyncDisposable {
  readonly #endpoint: string;
  readonly #runs: Running[] = [];

  constructor(lab: { readonly endpoint: string }) {
    this.#endpoint = lab.endpoint;
  }

  start(args: readonly string[], { env = {} }: CommandOptions = {}): Running {
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
    { env = {}, sized = true, columns = 120 }: CommandOptions & { sized?: boolean; columns?: number } = {},
  ): Running {
    const words = [process.execPath, ROTATION, ...this.#withLab(args)].map(quoted).join(' ');
    // Made without a terminal around it, the new one has no size.
    const line = sized ? `stty cols ${columns} rows 40; exec ${words}` : words;
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

  #keep(child: ChildProcessWithoutNullStreams): Running {
    const running = new RunningCommand(child);
    this.#runs.push(running);
    return running;
  }

  #withLab(args: readonly string[]): string[] {
    return [...args, '--endpoint-url', this.#endpoint, '--region', 'us-east-1'];
  }
}

const { COVERAGE_FOLDER } = process.env;

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
    // What `npm run test:coverage` sets.
    ...(COVERAGE_FOLDER !== undefined && { NODE_V8_COVERAGE: COVERAGE_FOLDER }),
    ...more,
  };
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
