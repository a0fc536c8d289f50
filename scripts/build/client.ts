/**
 * Builds what applications import, `postgres-secret-rotation/client`: client/ → dist/client/index.js and its types, as
 * Node strips none under node_modules. What it needs of others (pg, the SDK) stays an import.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const TSC = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');

/** @param folder to build to. Default: dist/client. @returns the paths of what was written, below it. */
export async function buildClient(folder = join(root, 'dist/client')): Promise<readonly string[]> {
  const [code, types] = await Promise.all([bundled(), declared()]);
  const files = new Map([['index.js', code], ...types]);
  // Each file is put in place at once, for whoever packs or imports them meanwhile.
  const fresh = `${folder}.${randomUUID()}`;
  await mkdir(folder, { recursive: true });
  await mkdir(fresh);
  for (const [path, text] of files) {
    await writeFile(join(fresh, path), text);
    await rename(join(fresh, path), join(folder, path));
  }
  await rm(fresh, { recursive: true });
  return [...files.keys()];
}

/** Readable, since it is read before it is trusted. */
async function bundled(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'client/index.ts')],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('esbuild was expected to make one file, and made none.');
  return file.text;
}

/** What index.d.ts exports and needs; parts marked @internal are left out. */
async function declared(): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'client-types-'));
  try {
    await promisify(execFile)(process.execPath, [TSC, '-p', join(root, 'client/tsconfig.json'), '--outDir', folder]);
    return await reachable(join(folder, 'client'), 'index.d.ts');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function reachable(folder: string, entry: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const wanted = [entry];
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (files.has(path)) continue;
    if (dirname(path) !== '.') throw new Error(`The client's types were to need none outside of it, and need ${path}.`);
    const text = await readFile(join(folder, path), 'utf8');
    files.set(
      path,
      text.replace(IMPORTED, (_, before: string, name: string) => `${before}${name}.js'`),
    );
    for (const [, , name = ''] of text.matchAll(IMPORTED)) wanted.push(`${name.replace(/^\.\//, '')}.d.ts`);
  }
  return files;
}

/** `from './errors.ts'` */
const IMPORTED = /(from ')(\.{1,2}\/[^']+)\.ts'/g;
