import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildPackage } from '../../scripts/build/package.ts';
import { pack } from '../../scripts/build/release.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const PACKAGE = 'postgres-secret-rotation';

/** Packs this package and unpacks it where npm would install it. @returns the installed package's folder. */
export async function installClient(folder: string): Promise<string> {
  const laidOut = join(folder, 'package');
  await buildPackage(laidOut);
  const installed = join(folder, 'node_modules', PACKAGE);
  await rm(installed, { recursive: true, force: true });
  await mkdir(installed, { recursive: true });
  const tarball = join(folder, await pack(laidOut, folder));
  await rm(laidOut, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  await rm(tarball);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'application', type: 'module', private: true }));
  return installed;
}

/** Packages of ours that an application has beside it. */
export async function installBeside(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const at = join(folder, 'node_modules', name);
    await mkdir(dirname(at), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), at);
  }
}

/** A process of an application that answers each line of its input with one of its output. */
export class ApplicationProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #answers: AsyncIterator<string>;
  #complaints = '';

  /** @param environment besides credentials for the lab. */
  constructor(node: string, args: readonly string[], folder: string, environment: Readonly<Record<string, string>>) {
    const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', NODE_NO_WARNINGS: '1' };
    this.#child = spawn(node, args, {
      cwd: folder,
      env: { ...process.env, ...credentials, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin.on('error', () => {}); // EPIPE: the missing answer tells
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#complaints += chunk.toString();
    });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** @throws Error with what the application has complained of, where it has ended. */
  async ask(question: string): Promise<string> {
    this.#child.stdin.write(`${question}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`The application was to answer, and ended: ${this.#complaints}`);
    return value;
  }

  /** Ends its input. @returns its exit code, once it has ended by itself. */
  async end(): Promise<unknown> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin.end();
    const [code] = await exited;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
