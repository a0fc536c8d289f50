import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { RunningCommand } from '../../support/running-command.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** One of the project's commands, as npm starts it, in a process group and with a temporary folder of its own. */
export class ProjectCommand extends RunningCommand<Child> implements AsyncDisposable {
  readonly #folder: string;

  /** @param script such as 'scripts/demo.ts'. */
  static async start(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    return await ProjectCommand.#spawn(process.execPath, [script, ...args], env);
  }

  /** @param script one of package.json's, such as 'lab'. */
  static async startByNpm(script: string, args: readonly string[] = []) {
    return await ProjectCommand.#spawn('npm', ['run', '--silent', script, '--', ...args], {
      // npm's own, which it would leave in the temporary folder.
      NODE_DISABLE_COMPILE_CACHE: '1',
    });
  }

  static async #spawn(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    const folder = await mkdtemp(join(tmpdir(), 'command-'));
    // Like the system's own: root's PostgreSQL runs as another user.
    await chmod(folder, 0o1777);
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    return new ProjectCommand(folder, child);
  }

  private constructor(folder: string, child: Child) {
    super(child);
    this.#folder = folder;
  }

  /** As the terminal does it with Ctrl-C: for the whole process group. @returns the exit code. */
  async interrupt(): Promise<number | null> {
    process.kill(-(this.child.pid ?? 0), 'SIGINT');
    return await this.exitCode();
  }

  /** As a service manager does it: for the process alone. @returns the exit code. */
  async terminate(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return await this.exitCode();
  }

  /** What is there still: in the temporary folder, processes that name it, others of the process group. */
  async leftovers(): Promise<string[]> {
    // Not what is in its folders, too: those may be deleted while they are listed.
    const files = await readdir(this.#folder);
    const { stdout } = await run('ps', ['-A', '-o', 'pgid=,args=']);
    const group = `${this.child.pid} `;
    const processes = stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.includes(this.#folder) || line.startsWith(group));
    return [...files, ...processes];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) process.kill(-(this.child.pid ?? 0), 'SIGKILL');
    await this.ended();
    await waitFor('a command to leave nothing behind', async () => (await this.leftovers()).length === 0 || undefined);
    await rm(this.#folder, { recursive: true });
  }
}

/** Whatever looks like one of the passwords that lab and functions make: 24 or 32 characters of these alphabets. */
export function passwordsIn(text: string): string[] {
  const withoutUrlsAndArns = text.replaceAll(/\b(arn:aws|https?):\S+/g, '');
  return withoutUrlsAndArns.match(/"password"|[\w.~-]{24,}/g) ?? [];
}
