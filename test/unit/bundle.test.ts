import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuiltFile } from '../../scripts/build/built-files.ts';
import { buildCommand } from '../../scripts/build/command.ts';
import { buildFunctions } from '../../scripts/build.ts';
import { bundledPackages, LICENCES_FILE, licencesText, PERMISSIVE } from '../../scripts/licences.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a function may hold: its direct dependencies and, by them, theirs. A new one is a decision, made here. */
const ALLOWED = {
  'index.mjs': [
    ...['@aws-lambda-powertools/commons', '@aws-lambda-powertools/logger', '@aws-lambda-powertools/metrics'],
    ...['@aws-sdk/client-secrets-manager', '@aws-sdk/core', '@aws-sdk/credential-provider-env'],
    ...[
      '@aws/lambda-invoke-store',
      '@smithy/core',
      '@smithy/node-http-handler',
      '@smithy/signature-v4',
      '@smithy/types',
    ],
    ...['pg', 'pg-cloudflare', 'pg-protocol', 'pg-types'],
  ],
  'rds-client.mjs': [
    ...['@aws-sdk/client-rds', '@aws-sdk/core', '@aws-sdk/credential-provider-env', '@aws-sdk/xml-builder'],
    ...[
      '@aws/lambda-invoke-store',
      '@smithy/core',
      '@smithy/node-http-handler',
      '@smithy/signature-v4',
      '@smithy/types',
    ],
  ],
} as const satisfies Record<string, readonly string[]>;

let folder: string;
let files: readonly BuiltFile[];
let command: readonly BuiltFile[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  files = await buildFunctions({ folder: join(folder, 'functions') });
  command = await buildCommand(join(folder, 'command'));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('each function is one file, and RDS is asked by another beside the one that may need it', () => {
  expect(files.map(({ path }) => path).sort()).toEqual([
    'alternating-users/index.mjs',
    'alternating-users/rds-client.mjs',
    'single-user/index.mjs',
  ]);
});

describe.each([
  'alternating-users/index.mjs',
  'alternating-users/rds-client.mjs',
  'single-user/index.mjs',
])('%s', (path) => {
  const built = () => files.find((file) => file.path === path);

  test('holds the packages that it may, and no others', () => {
    const allowed: readonly string[] = path.endsWith('/index.mjs') ? ALLOWED['index.mjs'] : ALLOWED['rds-client.mjs'];
    const packages = [...(built()?.packages.keys() ?? [])].filter((name) => name !== '(own)');
    expect(packages.toSorted()).toEqual([...allowed].sort());
  });

  test('holds no line of the tests or of the lab', async () => {
    const map: { sources: string[] } = JSON.parse(await readFile(join(folder, 'functions', `${path}.map`), 'utf8'));
    const own = map.sources
      .filter((source) => !source.includes('node_modules/') && !/^[\w-]+:/.test(source))
      .map((source) => resolve(join(folder, 'functions', path, '..'), source).slice(root.length))
      .filter((source) => !source.endsWith('<stdin>'));
    const foreign = own.filter((source) => !/^(functions|shared|scripts\/build)\//.test(source));
    expect(foreign).toEqual([]);
    if (path.endsWith('/index.mjs')) expect(own).toContain('shared/rotation/steps.ts');
  });
});

test('every dependency is asked for at one exact version', async () => {
  const { dependencies, devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const versions: string[] = Object.values({ ...dependencies, ...devDependencies });
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});

test('docs/licences.md lists what is bundled, all of it under permissive licences', async () => {
  const packages = await bundledPackages([...files, ...command]);
  expect(packages.filter(({ licence }) => !PERMISSIVE.includes(licence))).toEqual([]);
  expect(await readFile(LICENCES_FILE, 'utf8'), 'npm run licences writes it anew').toBe(
    await licencesText({ functions: files, command }),
  );
});
