/**
 * Builds each function for Lambda's nodejs24.x: functions/<name>.ts → dist/<name>/index.mjs, `export const handler`,
 * minified, with a source map beside it.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

/** Packages that are imported only when needed, each by the file beside index.mjs that it is built into. */
const LOADED_WHEN_NEEDED: ReadonlyMap<string, string> = new Map([['@aws-sdk/client-rds', 'rds-client.mjs']]);

const OPTIONS: BuildOptions = {
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
};

/** Builds every function of functions/. @returns the size of each file, in bytes, by its path below dist/. */
export async function buildFunctions(): Promise<ReadonlyMap<string, number>> {
  const sources = (await readdir(join(root, 'functions'))).filter((file) => file.endsWith('.ts'));
  await rm(dist, { recursive: true, force: true });
  const files = (await Promise.all(sources.map((file) => buildFunction(basename(file, '.ts'))))).flat();
  return new Map(await Promise.all(files.map(async (file) => [file, (await stat(join(dist, file))).size] as const)));
}

/** @returns the files built, as paths below dist/. */
async function buildFunction(name: string): Promise<string[]> {
  const met = new Set<string>();
  const index = join(name, 'index.mjs');
  await build({
    ...OPTIONS,
    entryPoints: [join(root, 'functions', `${name}.ts`)],
    outfile: join(dist, index),
    plugins: [leaveOut(met)],
  });
  const others = Array.from(met, async (file) => {
    const packageName = Array.from(LOADED_WHEN_NEEDED.keys()).find((key) => LOADED_WHEN_NEEDED.get(key) === file);
    await build({
      ...OPTIONS,
      stdin: { contents: `export * from '${packageName}';`, resolveDir: root },
      outfile: join(dist, name, file),
    });
    return join(name, file);
  });
  return [index, ...(await Promise.all(others))];
}

/** Makes imports of those packages imports of the files beside, and notes which were met. */
function leaveOut(met: Set<string>): Plugin {
  return {
    name: 'leave-out',
    setup({ onResolve }) {
      for (const [packageName, file] of LOADED_WHEN_NEEDED) {
        onResolve({ filter: new RegExp(`^${packageName}$`) }, () => {
          met.add(file);
          return { path: `./${file}`, external: true };
        });
      }
    },
  };
}

if (import.meta.main) {
  for (const [file, size] of await buildFunctions()) console.log(`dist/${file}  ${Math.round(size / 1024)} KB`);
}
