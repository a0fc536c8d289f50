import { relative, resolve } from 'node:path';
import type { Metafile } from 'esbuild';

/** What one built file holds. */
export interface BuiltFile {
  /** Path below the folder. */
  readonly path: string;
  readonly bytes: number;
  /** Bytes by npm package, largest first; "(own)" is this project. */
  readonly packages: ReadonlyMap<string, number>;
}

/** @returns every .mjs file that esbuild wrote, by what it says about itself. */
export function builtFiles(metafile: Metafile | undefined, folder: string): readonly BuiltFile[] {
  return Object.entries(metafile?.outputs ?? {})
    .filter(([path]) => path.endsWith('.mjs'))
    .map(([path, { bytes, inputs }]) => {
      const packages = new Map<string, number>();
      for (const [source, { bytesInOutput }] of Object.entries(inputs)) {
        const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? '(own)';
        packages.set(name, (packages.get(name) ?? 0) + bytesInOutput);
      }
      const largestFirst = Array.from(packages).sort(([, a], [, b]) => b - a);
      return { path: relative(folder, resolve(path)), bytes, packages: new Map(largestFirst) };
    });
}
