import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The folder of a package that is no dependency of ours, for its size or its build: RELEASE_LIBRARIES names a folder in
 * which npm has installed it, as .ci/run does.
 *
 * @returns undefined where it is missing, which it says.
 * @throws Error where it is missing and REQUIRE_RELEASE_LIBRARIES is 1.
 */
export function releaseLibrary(name: string): string | undefined {
  const folder = join(process.env.RELEASE_LIBRARIES ?? '', 'node_modules', name);
  if (process.env.RELEASE_LIBRARIES !== undefined && existsSync(folder)) return folder;
  if (process.env.REQUIRE_RELEASE_LIBRARIES === '1')
    throw new Error(`REQUIRE_RELEASE_LIBRARIES=1 asks for ${name} in RELEASE_LIBRARIES, where it is not installed.`);
  process.stdout.write(`${name} is not installed in RELEASE_LIBRARIES: the tests that need it are skipped.\n`);
  return undefined;
}
