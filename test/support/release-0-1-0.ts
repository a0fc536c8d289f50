import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import type { StrategyName } from '../../shared/rotation/strategy.ts';

/** Functions of another release, unpacked for as long as a test runs. */
export interface ReleasedFunctions extends AsyncDisposable {
  /** @returns the absolute path of the function's module. */
  bundleOf(strategy: StrategyName): string;
}

/** What 0.1.0 deployed; functions-0.1.0/README.md says how it was made. */
export async function functionsOf010(): Promise<ReleasedFunctions> {
  const folder = await mkdtemp(join(tmpdir(), 'functions-0.1.0-'));
  for (const strategy of ['single-user', 'alternating-users'] as const) {
    const archive = await readFile(new URL(`./functions-0.1.0/${strategy}.zip`, import.meta.url));
    await mkdir(join(folder, strategy));
    for (const [path, bytes] of Object.entries(unzipSync(archive)))
      await writeFile(join(folder, strategy, path), bytes);
  }
  return {
    bundleOf: (strategy) => join(folder, strategy, 'index.mjs'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
