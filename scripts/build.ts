/**
 * Builds each function for Lambda's nodejs24.x: functions/<name>.ts → dist/<name>/index.mjs, `export const handler`,
 * minified, with a source map beside it. `--analyze` prints what is in each file, by package.
 */
import { readdir, rm } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

/** Packages that are imported only when needed, each by the file beside index.mjs that it is built into. */
const LOADED_WHEN_NEEDED: ReadonlyMap<string, string> = new Map([['@aws-sdk/client-rds', 'rds-client.mjs']]);

/**
 * Node's own modules come through require(): an ESM import of, say, node:http runs the module's lazy getters, and with
 * them loads what is never used (BENCHMARKS.md, cold start).
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:.*|${builtinModules.join('|')})$`) }, ({ path, kind, namespace }) =>
      kind === 'import-statement' && namespace !== 'builtin'
        ? { path: path.replace(/^(node:)?/, 'node:'), namespace: 'builtin' }
        : { path: path.replace(/^(node:)?/, 'node:'), external: true },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
  },
};

const OPTIONS = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'],
  minify: true,
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  alias: { '@aws-sdk/credential-provider-node': join(root, 'scripts/build/lambda-credentials.ts') },
  // pg and its parts are CommonJS and call require() for Node's own modules.
  banner: {
    js: "import{createRequire as rotationRequire}from'node:module';const require=rotationRequire(import.meta.url);",
  },
  // pg's optional C binding, which is never loaded.
  external: ['pg-native'],
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** What one file of dist/ holds. */
export interface BuiltFile {
  /** Path below dist/. */
  readonly path: string;
  readonly bytes: number;
  /** Bytes by npm package, largest first; "(own)" is this project. */
  readonly packages: ReadonlyMap<string, number>;
}

/** Builds every function of functions/. */
export async function buildFunctions(): Promise<readonly BuiltFile[]> {
  const sources = (await readdir(join(root, 'functions'))).filter((file) => file.endsWith('.ts'));
  await rm(dist, { recursive: true, force: true });
  return (await Promise.all(sources.map((file) => buildFunction(basename(file, '.ts'))))).flat();
}

async function buildFunction(name: string): Promise<readonly BuiltFile[]> {
  const met = new Map<string, string>();
  const index = await build({
    ...OPTIONS,
    entryPoints: [join(root, 'functions', `${name}.ts`)],
    outfile: join(dist, name, 'index.mjs'),
    plugins: [requireBuiltins, leaveOut(met)],
  });
  const beside = Array.from(met, ([packageName, file]) =>
    build({
      ...OPTIONS,
      stdin: { contents: `export * from '${packageName}';`, resolveDir: root },
      outfile: join(dist, name, file),
      plugins: [requireBuiltins],
    }),
  );
  return [index, ...(await Promise.all(beside))].map(({ metafile }) => builtFile(metafile));
}

/** Makes imports of those packages imports of the files beside, and notes which were met. */
function leaveOut(met: Map<string, string>): Plugin {
  return {
    name: 'leave-out',
    setup({ onResolve }) {
      for (const [packageName, file] of LOADED_WHEN_NEEDED) {
        onResolve({ filter: new RegExp(`^${packageName}$`) }, () => {
          met.set(packageName, file);
          return { path: `./${file}`, external: true };
        });
      }
    },
  };
}

function builtFile({ outputs }: Metafile): BuiltFile {
  const [path, output] = Object.entries(outputs).find(([file]) => file.endsWith('.mjs')) ?? [];
  if (path === undefined || output === undefined) throw new Error('esbuild was expected to write an .mjs file');
  const packages = new Map<string, number>();
  for (const [source, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? '(own)';
    packages.set(name, (packages.get(name) ?? 0) + bytesInOutput);
  }
  const largestFirst = Array.from(packages).sort(([, a], [, b]) => b - a);
  return { path: relative('dist', path), bytes: output.bytes, packages: new Map(largestFirst) };
}

if (import.meta.main) {
  for (const { path, bytes, packages } of await buildFunctions()) {
    console.log(`dist/${path}  ${Math.round(bytes / 1000)} KB`);
    if (!process.argv.includes('--analyze')) continue;
    for (const [name, size] of packages) console.log(`${size.toString().padStart(9)}  ${name}`);
  }
}
