/**
 * Builds the operator's command for any Node from 20 up, with all that it needs: cli/main.ts → rotation.mjs, and beside
 * it in parts what only some subcommands load.
 */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type BuiltFile, builtFiles } from './built-files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** For the CommonJS within; process.getBuiltinModule, as the functions have it, came with Node 20.16. */
const REQUIRE = `import{createRequire as toRequire}from'node:module';const require=toRequire(import.meta.url);`;

/** @param folder to build to, which is to be empty. */
export async function buildCommand(folder: string): Promise<readonly BuiltFile[]> {
  const { metafile } = await build({
    entryPoints: { rotation: join(root, 'cli/main.ts') },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'part-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    minify: true,
    define: {
      // Without the warnings that ECharts has for its developers.
      'process.env.NODE_ENV': '"production"',
      // Nobody updates the SDK in a bundle: that its later versions need a later Node is for us to know.
      'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': '"true"',
    },
    legalComments: 'none',
    charset: 'utf8',
    banner: { js: REQUIRE },
    metafile: true,
    logLevel: 'warning',
    absWorkingDir: root,
    plugins: [onlyWhatIsUsed, plainKeys, versionsOnly, withoutUnused],
  });
  return builtFiles(metafile, folder);
}

/** What a client is used by; the aggregated class, such as EC2, has every operation. */
const NAMED = /(?:Client|Command|Exception)$|^paginate/;

/** Of an SDK client that is loaded when it is needed, what the file names that loads it: all of EC2 would be a megabyte. */
const onlyWhatIsUsed: Plugin = {
  name: 'only-what-is-used',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@aws-sdk\/client-/ }, ({ path, kind, importer, resolveDir }) =>
      kind === 'dynamic-import'
        ? { path, suffix: `?${relative(root, importer)}`, namespace: 'used', pluginData: { importer, resolveDir } }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'used' }, async ({ path, pluginData: { importer, resolveDir } }) => {
      const words = new Set((await readFile(importer, 'utf8')).match(/\w+/g));
      const used = Object.keys(await import(path)).filter((name) => words.has(name) && NAMED.test(name));
      return { contents: `export { ${used.join(', ')} } from '${path}';`, resolveDir };
    });
  },
};

/**
 * The SDK's descriptions of operations have computed keys, `{ [_n]: … }`, for which esbuild keeps those of no use too. And
 * RDS has a class for each of its 150 errors: without it an error is of RDS's common class, by the same name or its code.
 */
const plainKeys: Plugin = {
  name: 'plain-keys',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]schemas_\d+\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const names = new Map(Array.from(text.matchAll(/^const (_\w+) = ("[^"]*");$/gm), ([, id, name]) => [id, name]));
      const plain = text.replaceAll(/\[(_\w+)\]:/g, (key, id: string) => `${names.get(id) ?? key}:`);
      const isOfRds = /[\\/]client-rds[\\/]/.test(path);
      return { contents: isOfRds ? plain.replaceAll(/^n0_registry\.registerError\(.*\);$/gm, '') : plain };
    });
  },
};

/** Of a whole package.json, the command and the SDK use the version. */
const versionsOnly: Plugin = {
  name: 'versions-only',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]package\.json$/ }, async ({ path }) => {
      const { default: description } = await import(pathToFileURL(path).href, { with: { type: 'json' } });
      return { contents: JSON.stringify({ version: description.version }), loader: 'json' };
    });
  },
};

/** pg looks for a driver in C, which nobody here asks for; the SDK takes a browser's user agent apart, where there is one. */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:pg-native|bowser)$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => ({
      contents: `throw Object.assign(new Error('${path} is not in this bundle.'), { code: 'MODULE_NOT_FOUND' });`,
    }));
  },
};
