/** Other releases of Node than the one that runs the tests, for what is published to run on. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The newest of each line that npm has a build of. The functions' runtimes are the last two. */
const RELEASES = { 20: '20.20.2', 22: '22.23.3', 24: process.versions.node } as const;
export type NodeLine = keyof typeof RELEASES;
export const NODE_LINES = [20, 22, 24] as const satisfies readonly NodeLine[];

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/nodes', import.meta.url));

/**
 * The program of a line, installed where npm can be reached; REQUIRE_NODES=1 insists on it.
 *
 * @returns undefined where it can't be had, which it says.
 */
export function nodeOf(line: NodeLine): string | undefined {
  if (process.versions.node.startsWith(`${line}.`)) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(CACHE, `${line}`);
  const program = join(folder, 'node_modules', name, 'bin/node');
  const options = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  try {
    if (!existsSync(program)) {
      execFileSync('npm', ['install', ...options, `${name}@${RELEASES[line]}`], { stdio: 'pipe' });
    }
    return program;
  } catch (error) {
    if (process.env.REQUIRE_NODES === '1') throw new Error(`REQUIRE_NODES=1 asks for Node ${line}.`, { cause: error });
    process.stdout.write(`Node ${line} could not be installed: its tests are skipped (REQUIRE_NODES=1 insists).\n`);
    return undefined;
  }
}
