import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The folder of a package that is no dependency of ours, for its size or its build: RELEASE_LIBRARIES names a folder in
 * which npm has installed it.
 *
 * @returns undefined where it is missing, which it says.
 */
export function releaseLibrary(name: string): string | undefined {
  const folder = join(process.env.RELEASE_LIBRARIES ?? '', 'node_modules', name);
  if (process.env.RELEASE_LIBRARIES !== undefined && existsSync(folder)) return folder;
  process.stdout.write(`${name} is not installed in RELEASE_LIBRARIES: the tests that need it are skipped.\n`);
  return undefined;
}
