/**
 * Builds each function for Lambda's nodejs24.x: functions/<name>.ts → dist/<name>/index.mjs, `export const handler`,
 * minified, with a source map beside it.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Source files of the functions, by the name of the folder that each is built into. */
async function functionSources(): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(join(root, 'functions'))).filter((file) => file.endsWith('.ts'));
  return new Map(files.map((file) => [basename(file, '.ts'), join(root, 'functions', file)]));
}

/** @returns the size of each bundle, in bytes, by function name. */
export async function buildFunctions(): Promise<ReadonlyMap<string, number>> {
  const sources = await functionSources();
  await rm(join(root, 'dist'), { recursive: true, force: true });
  const sizes = new Map<string, number>();
  for (const [name, source] of sources) {
    const outfile = join(root, 'dist', name, 'index.mjs');
    await build({
      entryPoints: [source],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      minify: true,
      sourcemap: true,
      sourcesContent: false,
      legalComments: 'none',
      // pg and its parts are CommonJS and call require() for Node's own modules.
      banner: {
        js: "import{createRequire as rotationRequire}from'node:module';const require=rotationRequire(import.meta.url);",
      },
      // pg's optional C binding, which is never loaded.
      external: ['pg-native'],
      logLevel: 'warning',
    });
    sizes.set(name, (await stat(outfile)).size);
  }
  return sizes;
}

if (import.meta.main) {
  for (const [name, size] of await buildFunctions()) {
    console.log(`dist/${name}/index.mjs  ${Math.round(size / 1024)} KB`);
  }
}
