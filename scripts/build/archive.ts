import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type Zippable, zipSync } from 'fflate';

/** ZIP knows no time zone and nothing before this: the same files make the same bytes wherever and whenever. */
const THE_SAME_TIME = new Date(1980, 0, 1);
/** Readable by everybody, as Lambda needs it; in the upper half, as Unix writes it. */
const MODE = { os: 3, attrs: 0o100_644 << 16 };

/** @param files contents by path. @returns a ZIP archive that depends on nothing else. */
export function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries: Zippable = Object.fromEntries(sorted.map(([path, bytes]) => [path, [bytes, MODE]]));
  return zipSync(entries, { level: 9, mtime: THE_SAME_TIME });
}

/** @returns contents by path below the folder, of the files that are wanted. */
export async function filesOf(
  folder: string,
  isWanted: (path: string) => boolean,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found
    .filter((each) => each.isFile())
    .map((each) => relative(folder, join(each.parentPath, each.name)).split(sep).join('/'))
    .filter(isWanted);
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, path))] as const)));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
