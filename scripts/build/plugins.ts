import { readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

/** What is built into a file of its own beside index.mjs. */
export interface Beside {
  readonly file: string;
  /** What of the package our code uses, separated by commas. */
  readonly names: string;
}

/** Packages that are imported only when needed. */
const LOADED_WHEN_NEEDED: ReadonlyMap<string, Beside> = new Map([
  [
    '@aws-sdk/client-rds',
    { file: 'rds-client.mjs', names: 'RDSClient,DescribeDBInstancesCommand,DescribeDBClustersCommand' },
  ],
]);

const BUILTINS = new RegExp(`^(node:.*|${builtinModules.join('|')})$`);

/** Leaves Node's own modules out of the bundle; esbuild calls require() for them in CommonJS. */
export const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: BUILTINS }, ({ path, kind }) => {
      const id = path.replace(/^(node:)?/, 'node:');
      return kind === 'dynamic-import' ? { path: id, namespace: 'builtin' } : { path: id, external: true };
    });
    // import() would stay as it is, and load more than require() does.
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
  },
};

/** Makes imports of those packages imports of the files beside, and notes which were met. */
export function buildBeside(met: Map<string, Beside>): Plugin {
  return {
    name: 'build-beside',
    setup({ onResolve }) {
      for (const [packageName, beside] of LOADED_WHEN_NEEDED) {
        onResolve({ filter: new RegExp(`^${packageName}$`) }, () => {
          met.set(packageName, beside);
          return { path: `./${beside.file}`, external: true };
        });
      }
    },
  };
}

/** On Lambda the SDK's settings are in the environment and there is no ~/.aws/config to look for. */
export const settingsFromEnvironment: Plugin = {
  name: 'settings-from-environment',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/shared-ini-file-loader\/loadSharedConfigFiles$/ }, ({ path }) => ({
      path,
      namespace: 'no-files',
    }));
    onLoad({ filter: /.*/, namespace: 'no-files' }, () => ({
      contents: 'export const loadSharedConfigFiles = async () => ({ configFile: {}, credentialsFile: {} });',
    }));
  },
};

/** A part of a package that our code can't reach, though the package names it. */
interface UnusedPart {
  readonly path: RegExp;
  /** Where the import stands; default: anywhere. */
  readonly importer?: RegExp;
  /** What the package calls while it loads, as members of the class. */
  readonly members?: string;
}

/** Each is replaced by a class whose construction throws, so that a wrong guess would be heard of. */
const UNUSED: readonly UnusedPart[] = [
  // pg: we open one connection at a time, by its members, with a password; never a pool, a URL, ~/.pgpass or libpq.
  { path: /^pg-pool$/ },
  { path: /^pg-connection-string$/ },
  { path: /^pgpass$/ },
  { path: /^\.\/native$/, importer: /[\\/]pg[\\/]lib[\\/]/ },
  // pg: answers are texts, numbers, truth values and JSON, and come as text; and TLS is without channel binding.
  { path: /^\.\/lib\/binaryParsers$/, importer: /[\\/]pg-types[\\/]/, members: 'static init() {}' },
  { path: /^\.\/lib\/builtins$/, importer: /[\\/]pg-types[\\/]/ },
  { path: /^postgres-(array|bytea|interval|date)$/, importer: /[\\/]pg-types[\\/]/ },
  { path: /^\.\/cert-signatures$/, importer: /[\\/]pg[\\/]lib[\\/]crypto[\\/]/ },
  // SDK: no operation of RDS streams events.
  { path: /^@smithy\/core\/event-streams$/ },
  // SDK: on Lambda AWS_REGION is always set, and no instance's metadata service is there to ask for it.
  { path: /\/getInstanceMetadataRegion$/, members: 'static async getInstanceMetadataRegion() {}' },
  // SDK: addresses of buckets.
  { path: /^\.\.\/service-customizations$/, importer: /[\\/]middleware-endpoint[\\/]/ },
  // SDK: a hash in JavaScript for a Node without OpenSSL.
  { path: /^\.\/Sha256Js$/, importer: /Sha256Node\.js$/ },
  // SDK: the clients are made with the standard retry mode, whatever AWS_RETRY_MODE says.
  { path: /\/AdaptiveRetryStrategy$/, importer: /middleware-retry[\\/]configurations\.js$/ },
];

interface Partitions {
  readonly partitions: readonly { readonly regionRegex: string; readonly regions: Readonly<Record<string, object>> }[];
}

function withoutDescriptions({ partitions }: Partitions): Partitions {
  return {
    partitions: partitions.map((partition) => ({
      ...partition,
      regions: Object.fromEntries(
        Object.keys(partition.regions)
          .filter((region) => !new RegExp(partition.regionRegex).test(region))
          .map((region) => [region, {}]),
      ),
    })),
  };
}

const missing = (name: string) => `throw new Error('${name} is not in this bundle.');`;

export const leaveOutUnused: Plugin = {
  name: 'leave-out-unused',
  setup({ onResolve, onLoad }) {
    for (const { path, importer = /./, members = '' } of UNUSED) {
      onResolve({ filter: path }, (found) =>
        importer.test(found.importer) ? { path: found.path, namespace: 'unused', pluginData: members } : undefined,
      );
    }
    onLoad({ filter: /.*/, namespace: 'unused' }, ({ path, pluginData }) => ({
      contents: `module.exports = class { ${pluginData} constructor() { ${missing(path)} } };`,
    }));
    // SDK: signing of event streams, which the signer makes ready as it starts.
    onLoad({ filter: /[\\/]signature-v4[\\/]dist-es[\\/]HeaderFormatter\.js$/ }, () => ({
      contents: `export class HeaderFormatter { format() { ${missing('HeaderFormatter')} } }`,
    }));
    // A region of a partition that its pattern names anyhow adds a description, which nothing reads.
    onLoad({ filter: /[\\/]util-endpoints[\\/]lib[\\/]aws[\\/]partitions\.js$/ }, async ({ path }) => {
      const { partitionsInfo } = await import(pathToFileURL(path).href);
      return { contents: `export const partitionsInfo = ${JSON.stringify(withoutDescriptions(partitionsInfo))};` };
    });
    // Of its whole package.json an SDK client uses the version.
    onLoad({ filter: /@aws-sdk[\\/]client-[^\\/]+[\\/]package\.json$/ }, async ({ path }) => {
      const { default: description } = await import(pathToFileURL(path).href, { with: { type: 'json' } });
      return { contents: JSON.stringify({ version: description.version }), loader: 'json' };
    });
  },
};

/**
 * The driver's SCRAM by node:crypto. Its own asks WebCrypto, for browsers' sake, and so waits for a thread six times a login,
 * where only the rounds of PBKDF2 are worth one.
 */
export const scramByNode: Plugin = {
  name: 'scram-by-node',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]pg[\\/]lib[\\/]crypto[\\/]utils\.js$/ }, () => ({ contents: NODE_CRYPTO, loader: 'js' }));
  },
};

/** What pg/lib/crypto/utils.js exports, name by name. */
const NODE_CRYPTO = `
  const crypto = require('crypto');
  const { promisify } = require('util');
  const digest = (name, data) => crypto.createHash(name).update(data).digest();
  const md5 = async (text) => digest('md5', text).toString('hex');
  module.exports = {
    randomBytes: crypto.randomBytes,
    md5,
    postgresMd5PasswordHash: async (user, password, salt) =>
      'md5' + (await md5(Buffer.concat([Buffer.from(await md5(password + user)), salt]))),
    sha256: async (data) => digest('sha256', data),
    hashByName: async (name, data) => digest(name, data),
    hmacSha256: async (key, data) => crypto.createHmac('sha256', key).update(data).digest(),
    deriveKey: (password, salt, iterations) => promisify(crypto.pbkdf2)(password, salt, iterations, 32, 'sha256'),
  };`;

/** A file of the SDK, as all that an index.mjs asks of Secrets Manager needs it. */
interface SimplerFile {
  readonly path: RegExp;
  /** What the SDK's file must have in it, for what is said of it here to be true. */
  readonly expected: string;
  readonly contents: string;
}

/** For Secrets Manager, each of whose operations is a POST of JSON, made of texts, numbers, truth values and lists of them. */
const SIMPLER: readonly SimplerFile[] = [
  {
    // To the endpoint itself: nothing is in paths, headers or host names.
    path: /[\\/]submodules[\\/]protocols[\\/]HttpBindingNormalizedSchema\.js$/,
    expected: 'export class HttpBindingNormalizedSchema',
    contents: `
      export const getHttpOperationBindings = () => [];
      export class HttpBindingNormalizedSchema { static of() { ${missing('HttpBindingNormalizedSchema')} } }`,
  },
  {
    // The SDK's own writes bytes one by one, for requests that hold times, bytes or numbers beyond what JSON has.
    path: /[\\/]json[\\/]codec-v2[\\/]JsonShapeSerializer2\.js$/,
    expected: 'write(schema, value)',
    contents: `
      import { SerdeContextConfig } from "../../ConfigurableSerdeContext";
      export class JsonShapeSerializer2 extends SerdeContextConfig {
        write(schema, value) { this.text = JSON.stringify(value); }
        flush() { return this.text; }
      }`,
  },
  {
    // Numbers beyond JavaScript's are in no answer.
    path: /[\\/]protocols[\\/]json[\\/]needsReviver\.js$/,
    expected: 'ns.isBigIntegerSchema() || ns.isBigDecimalSchema()',
    contents: 'export const needsReviver = () => false;',
  },
  {
    // Of the SDK's extensions none is given; what asks for them hands the handler its time-out besides.
    path: /@aws-sdk[\\/]client-secrets-manager[\\/]dist-es[\\/]runtimeExtensions\.js$/,
    expected: 'extensions.forEach((extension) => extension.configure(extensionConfiguration))',
    contents: `
      import { getHttpHandlerExtensionConfiguration } from "@smithy/core/protocols";
      export const resolveRuntimeExtensions = (runtimeConfig) => {
        getHttpHandlerExtensionConfiguration(runtimeConfig);
        return runtimeConfig;
      };`,
  },
  {
    // There is no logger, and secret-store.ts removes what writes to it.
    path: /[\\/]middleware-logger[\\/]loggerMiddleware\.js$/,
    expected: 'clientStack.add(loggerMiddleware(), loggerMiddlewareOptions)',
    contents: `
      export const loggerMiddleware = undefined;
      export const loggerMiddlewareOptions = undefined;
      export const getLoggerPlugin = () => ({ applyToStack() {} });`,
  },
  {
    // A warning for Node before 22, which the functions are not built for.
    path: /@aws-sdk[\\/]core[\\/].+[\\/]emitWarningIfUnsupportedVersion\.js$/,
    expected: 'const vv = 22;',
    contents: `
      export const state = { warningEmitted: true };
      export const emitWarningIfUnsupportedVersion = () => {};`,
  },
];

/** Fails the build where the SDK's file is not met, or another than was expected. */
export function simplerForSecretsManager(): Plugin {
  return {
    name: 'simpler-for-secrets-manager',
    setup({ onLoad, onEnd }) {
      const unmet = new Set(SIMPLER);
      for (const part of SIMPLER) {
        onLoad({ filter: part.path }, async ({ path }) => {
          unmet.delete(part);
          if (!(await readFile(path, 'utf8')).includes(part.expected))
            throw new Error(`${path} was expected to have in it: ${part.expected}`);
          return { contents: part.contents, resolveDir: dirname(path) };
        });
      }
      onEnd(() => ({
        errors: Array.from(unmet, ({ path }) => ({ text: `${path.source} was expected in the bundle.` })),
      }));
    },
  };
}

/** SQL without the indentation that it has for us, which a minifier must keep; lines stay as they are. */
export const withoutIndentation: Plugin = {
  name: 'without-indentation',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]shared[\\/]database[\\/][^\\/]+\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/\n +/g, '\n'),
      loader: 'ts',
    }));
  },
};
