/** A program that runs in the command's place, on the same terminal. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { CommandError, usage } from './failures.ts';

/**
 * Runs a program to its end. Ctrl-C is the program's own (in psql it cancels a query): the terminal sends it to both,
 * and this process takes no notice of it; what is sent to this process alone is passed on.
 *
 * @returns its exit code, or 128 and the number of the signal that ended it, as shells have it.
 */
export async function runChild(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(command, [...args], { stdio: 'inherit', env });
  const restore = withoutListeners('SIGINT', () => undefined);
  const restores = (['SIGTERM', 'SIGHUP'] as const).map((name) => withoutListeners(name, () => void child.kill(name)));
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } catch (error) {
    const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : '';
    if (code === 'ENOENT') throw usage(`A program ${command} was needed, and there is none on PATH.`);
    throw new CommandError('NOT_STARTED', `${command} was to be run, and could not be (${code}).`, { exitCode: 1 });
  } finally {
    restore();
    for (const each of restores) each();
  }
}

/** @returns a function that puts the listeners back. */
function withoutListeners(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP', instead: () => void): () => void {
  const before = process.listeners(name);
  process.removeAllListeners(name);
  process.on(name, instead);
  return () => {
    process.removeListener(name, instead);
    for (const listener of before) process.on(name, listener);
  };
}
