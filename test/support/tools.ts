import { spawnSync } from 'node:child_process';

/** Whether a tool that is no npm package is here; what needs it is skipped where it is not, unless `insist` is set to 1. */
export function toolIsHere(
  name: string,
  [command, ...args]: readonly [string, ...string[]],
  insist: string,
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  const { status } = spawnSync(command, args, { stdio: 'ignore', env });
  if (status === 0) return true;
  if (process.env[insist] === '1') throw new Error(`${insist}=1 asks for ${name}, which is not installed.`);
  process.stdout.write(`${name} is not installed: the tests that need it are skipped (${insist}=1 insists).\n`);
  return false;
}

/** Runs a tool to its end. @throws Error with its output where it fails. */
export function run(command: string, args: readonly string[], input = ''): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    input,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${command} ended with ${status ?? error?.message}:\n${stdout}\n${stderr}`);
  return stdout;
}
