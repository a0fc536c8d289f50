/**
 * Builds each function for Lambda's nodejs24.x and nodejs22.x: functions/<name>.ts → dist/<name>/index.mjs, `export const handler`,
 * minified twice, with a source map beside it. `--analyze` prints what is in each file, by package. Then what applications
 * import: client/ → dist/client/.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type BuildOptions, build } from 'esbuild';
import { type BuiltFile, builtFiles } from './build/built-files.ts';
import { buildClient } from './build/client.ts';
import { minifyAgain } from './build/minify.ts';
import {
  type Beside,
  buildBeside,
  leaveOutUnused,
  requireBuiltins,
  scramByNode,
  settingsFromEnvironment,
  simplerForSecretsManager,
  withoutIndentation,
} from './build/plugins.ts';
import { withoutUnusedMembers } from './build/unused-members.ts';
import { readArguments, understood } from './lab/command/command-line.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What makes a function start sooner. `npm run bench -- cold` measures each by building without it. */
export const LEVERS = [
  'minified',
  'ES modules',
  'built-ins by require()',
  'credentials from the environment only',
  'settings from the environment only',
  'RDS client beside',
  'unused parts left out',
  'minified again',
  'SCRAM by node:crypto',
] as const;
export type Lever = (typeof LEVERS)[number];

export interface BuildChoice {
  /** The folder to build to, which is emptied. Default: dist. */
  readonly folder?: string;
  /** Levers not to pull. Default: none. */
  readonly without?: readonly Lever[];
}

const OPTIONS = {
  bundle: true,
  platform: 'node',
  // The older of the two runtimes that they are for.
  target: 'node22',
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  // V8 keeps a text of Latin-1 in half the memory, and reads it sooner.
  charset: 'ascii',
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** For CommonJS in an ES module; nothing but Node's own modules is left to require. */
const REQUIRE = 'const require=id=>process.getBuiltinModule(id);';

/** Builds every function of functions/. */
export async function buildFunctions(choice: BuildChoice = {}): Promise<readonly BuiltFile[]> {
  const { folder = join(root, 'dist'), without = [] } = choice;
  const sources = (await readdir(join(root, 'functions'))).filter((file) => file.endsWith('.ts'));
  // Built beside and put in place at once, for whoever runs the functions meanwhile.
  const fresh = `${folder}.${randomUUID()}`;
  const built = await Promise.all(sources.map((file) => buildFunction(basename(file, '.ts'), fresh, without)));
  const stale = `${fresh}.old`;
  if (existsSync(folder)) await rename(folder, stale);
  await rename(fresh, folder);
  await rm(stale, { recursive: true, force: true });
  return built.flat();
}

async function buildFunction(name: string, folder: string, without: readonly Lever[]): Promise<readonly BuiltFile[]> {
  const met = new Map<string, Beside>();
  const common = optionsFor(without);
  const beside = without.includes('RDS client beside') ? [] : [buildBeside(met)];
  // What is left out file by file are files of ES modules.
  const isWhole = without.some((lever) => lever === 'unused parts left out' || lever === 'ES modules');
  const leftOut = isWhole ? [] : [simplerForSecretsManager(), withoutUnusedMembers()];
  const index = await build({
    ...common,
    ...formatFor('handler', without),
    plugins: [...common.plugins, ...beside, ...leftOut],
    entryPoints: [join(root, 'functions', `${name}.ts`)],
    outfile: join(folder, name, 'index.mjs'),
  });
  const others = Array.from(met, ([packageName, { file, names }]) =>
    build({
      ...common,
      ...formatFor(names, without),
      stdin: { contents: `export { ${names} } from '${packageName}';`, resolveDir: root },
      outfile: join(folder, name, file),
    }),
  );
  const files = [index, ...(await Promise.all(others))].flatMap(({ metafile }) => builtFiles(metafile, folder));
  if (without.includes('minified') || without.includes('minified again')) return files;
  return Promise.all(files.map(async (file) => ({ ...file, bytes: await minifyAgain(join(folder, file.path)) })));
}

/**
 * CommonJS in the shell of an ES module, so that Node's own modules come by require(): an ESM import of, say, node:http
 * runs all of the module's lazy getters, and with them loads undici, which nothing here uses (BENCHMARKS.md, cold start).
 */
function formatFor(names: string, without: readonly Lever[]): BuildOptions {
  if (without.includes('built-ins by require()')) return { format: 'esm', banner: { js: REQUIRE } };
  // Names of their own, so that they meet none of the bundle's.
  const exported = names.split(',').map((name) => ({ name, as: `exported_${name}` }));
  const picked = exported.map(({ name, as }) => `${name}:${as}`);
  const given = exported.map(({ name, as }) => `${as} as ${name}`);
  return {
    format: 'cjs',
    banner: { js: `${REQUIRE}const module={};` },
    footer: { js: `const{${picked}}=module.exports;export{${given}};` },
  };
}

function optionsFor(without: readonly Lever[]) {
  const pull = (lever: Lever) => !without.includes(lever);
  return {
    ...OPTIONS,
    minify: pull('minified'),
    // The SDK's ways for a browser's bodies: what node:http gives and takes is none of these.
    define: pull('unused parts left out') ? { ReadableStream: 'undefined', Blob: 'undefined' } : {},
    mainFields: pull('ES modules') ? ['module', 'main'] : ['main', 'module'],
    alias: pull('credentials from the environment only')
      ? { '@aws-sdk/credential-provider-node': join(root, 'scripts/build/lambda-credentials.ts') }
      : {},
    plugins: [
      ...(pull('built-ins by require()') ? [requireBuiltins] : []),
      ...(pull('settings from the environment only') ? [settingsFromEnvironment] : []),
      ...(pull('unused parts left out') ? [leaveOutUnused] : []),
      ...(pull('SCRAM by node:crypto') ? [scramByNode] : []),
      ...(pull('minified') ? [withoutIndentation] : []),
    ],
  };
}

if (import.meta.main) {
  const program = new Command('npm run build --')
    .description('Builds both functions and the client to dist/.')
    .option('--analyze', 'print what is in each file of the functions, by package');
  const read = () => readArguments(program, process.argv.slice(2)).opts<{ analyze?: true }>();
  const { analyze } = understood('npm run build', read);
  for (const { path, bytes, packages } of await buildFunctions()) {
    console.log(`dist/${path}  ${Math.round(bytes / 1000)} KB`);
    if (!analyze) continue;
    for (const [name, size] of packages) console.log(`${size.toString().padStart(9)}  ${name}`);
  }
  for (const path of await buildClient()) console.log(`dist/client/${path}`);
}
