import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StrategyName } from '../../shared/rotation/strategy.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = ['functions', 'shared', 'scripts/build.ts', 'scripts/build', 'package-lock.json'];

/** What is deployed, by strategy: the files that `npm run build` makes. */
const BUNDLES: Readonly<Record<StrategyName, string>> = {
  'single-user': join(ROOT, 'dist/single-user/index.mjs'),
  'alternating-users': join(ROOT, 'dist/alternating-users/index.mjs'),
};

/** Builds the functions where that was not done, or was done before their sources changed. */
export async function builtFunctions(): Promise<Readonly<Record<StrategyName, string>>> {
  const [built, sources] = await Promise.all([
    Promise.all(Object.values(BUNDLES).map(changedAt)),
    Promise.all(SOURCES.map((source) => newestBelow(join(ROOT, source)))),
  ]);
  if (Math.min(...built) < Math.max(...sources)) await build();
  return BUNDLES;
}

/** Loads the bundler only where it is needed, and ends its process, which would stay as long as ours. */
async function build(): Promise<void> {
  const [{ buildFunctions }, { stop }] = await Promise.all([import('../build.ts'), import('esbuild')]);
  try {
    await buildFunctions();
  } finally {
    await stop();
  }
}

async function newestBelow(path: string): Promise<number> {
  if (!(await isFolder(path))) return await changedAt(path);
  const files = await readdir(path, { recursive: true });
  return Math.max(...(await Promise.all(files.map((file) => changedAt(join(path, file))))));
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** @returns milliseconds since 1970; 0 for a file that is not there. */
async function changedAt(path: string): Promise<number> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
