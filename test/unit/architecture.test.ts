/** Who may import whom: the order of the rooms, and what never meets. Each rule is shown to catch what breaks it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ROOMS, RULES, type Rule, roomOf } from '../support/import-rules.ts';
import { importsOf, type SourceFiles, waysFrom } from '../support/source-imports.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = ['.ci', 'bin', 'cli', 'client', 'examples', 'functions', 'scripts', 'shared', 'test'];

/** Small worlds, each of which breaks one rule. */
const PLANTED: readonly (readonly [
  rule: keyof typeof RULES,
  found: string,
  files: Readonly<Record<string, string>>,
])[] = [
  ['all of shared/ stands in one of its rooms', 'shared/util.ts', { 'shared/util.ts': '' }],
  ['all of shared/ stands in one of its rooms', 'shared/helpers/text.ts', { 'shared/helpers/text.ts': '' }],
  [
    'shared/ imports nothing outside shared/',
    'shared/lambda/a.ts → scripts/lab/lab.ts',
    { 'shared/lambda/a.ts': `import type { Lab } from '../../scripts/lab/lab.ts';` },
  ],
  [
    'a room of shared/ imports only rooms before it',
    'shared/secret/a.ts → shared/rotation/steps.ts',
    { 'shared/secret/a.ts': `import { runStep } from '../rotation/steps.ts';` },
  ],
  [
    'a room of shared/ imports only rooms before it',
    'shared/rotation/a.ts → shared/database/session.ts',
    { 'shared/rotation/a.ts': `import type { SqlSession } from '../database/session.ts';` },
  ],
  [
    'a room of shared/ imports only rooms before it',
    'shared/database/a.ts → shared/lambda/config.ts',
    { 'shared/database/a.ts': `export type { Config } from '../lambda/config.ts';` },
  ],
  [
    'a room of shared/ imports only rooms before it',
    'shared/aws/a.ts → shared/database/tls.ts',
    { 'shared/aws/a.ts': `const tls = await import('../database/tls.ts');` },
  ],
  [
    'a room of shared/ imports only rooms before it',
    'shared/errors.ts → shared/rotation/event.ts',
    { 'shared/errors.ts': `import {\n  type Step,\n} from './rotation/event.ts';` },
  ],
  [
    'a room of shared/ imports only rooms before it',
    'shared/iam/a.ts → shared/terminal/text.ts',
    { 'shared/iam/a.ts': `import { bold } from '../terminal/text.ts';` },
  ],
  [
    'a room of shared/ knows the packages of its own trade only',
    'shared/rotation/a.ts → pg',
    { 'shared/rotation/a.ts': `import { Client } from 'pg';` },
  ],
  [
    'a room of shared/ knows the packages of its own trade only',
    'shared/database/a.ts → @aws-sdk/client-rds',
    { 'shared/database/a.ts': `type Rds = typeof import('@aws-sdk/client-rds/dist-types');` },
  ],
  [
    'nothing that runs on Lambda reaches terminal/, schedule/ or iam/',
    'shared/lambda/handler.ts → shared/rotation/steps.ts → shared/terminal/text.ts',
    {
      'functions/a.ts': `import { handler } from '../shared/lambda/handler.ts';`,
      'shared/lambda/handler.ts': `import '../rotation/steps.ts';`,
      'shared/rotation/steps.ts': `export * from '../terminal/text.ts';`,
    },
  ],
  [
    'cli/ never reaches the lab',
    'cli/a.ts → scripts/seed.ts → scripts/lab/lab.ts',
    {
      'cli/a.ts': `import { seed } from '../scripts/seed.ts';`,
      'scripts/seed.ts': `import type { Lab } from './lab/lab.ts';`,
    },
  ],
  [
    'the lab never reaches cli/',
    'scripts/lab/a.ts → cli/main.ts',
    { 'scripts/lab/a.ts': `const run = new URL('../../cli/main.ts', import.meta.url);` },
  ],
  [
    'products import neither scripts/ nor test/',
    'bin/rotation.mjs → scripts/rotation.ts',
    { 'bin/rotation.mjs': `await import("../scripts/rotation.ts");` },
  ],
  [
    'products import neither scripts/ nor test/',
    'client/pool.ts → test/support/twins.ts',
    { 'client/pool.ts': `import { twins } from '../test/support/twins.ts';` },
  ],
  [
    'no product imports another, but for the one that bin/ starts',
    'cli/login.ts → client/login.ts',
    { 'cli/login.ts': `import { login } from '../client/login.ts';` },
  ],
  [
    'no product imports another, but for the one that bin/ starts',
    'bin/rotation.mjs → functions/single-user.ts',
    { 'bin/rotation.mjs': `await import('../functions/single-user.ts');` },
  ],
  [
    "client/ imports the secret's JSON of all in shared/, and only packages that applications bring",
    'client/pool.ts → shared/errors.ts',
    { 'client/pool.ts': `import { RotationError } from '../shared/errors.ts';` },
  ],
  [
    "client/ imports the secret's JSON of all in shared/, and only packages that applications bring",
    'client/pool.ts → @aws-lambda-powertools/logger',
    { 'client/pool.ts': `import { Logger } from '@aws-lambda-powertools/logger';` },
  ],
  [
    'examples import no file of the project but their own',
    'examples/applications/pg.js → client/index.ts',
    { 'examples/applications/pg.js': `import { secretLogin } from '../../client/index.ts';` },
  ],
  [
    'only tests import test/',
    'scripts/bench.ts → test/support/leaks.ts',
    { 'scripts/bench.ts': `import { leaks } from '../test/support/leaks.ts';` },
  ],
  [
    'no files import each other in a circle',
    'scripts/a.ts → scripts/b.ts → scripts/c.ts → scripts/a.ts',
    {
      'scripts/a.ts': `import type { B } from './b.ts';`,
      'scripts/b.ts': `import { c } from './c.ts';`,
      'scripts/c.ts': `type A = import('./a.ts').A;`,
    },
  ],
];

describe('a rule', () => {
  it.each(PLANTED)('"%s" catches %s', (rule, found, planted) => {
    const files = new Map(Object.entries(planted));
    expect(RULES[rule](importsOf(files), files)).toContain(found);
  });

  it('is shown to catch something, each of them', () => {
    expect(new Set(PLANTED.map(([rule]) => rule))).toEqual(new Set(Object.keys(RULES)));
  });
});

describe('in this project', () => {
  const files = projectFiles();
  const imports = importsOf(files);

  it('every room is lived in, and imports are seen', () => {
    const lived = new Set([...files.keys()].filter((path) => path.startsWith('shared/')).map(roomOf));
    expect([...lived].sort()).toEqual(Object.keys(ROOMS).sort());
    expect([...waysFrom('functions/alternating-users.ts', imports).keys()]).toContain('shared/database/session.ts');
    expect([...waysFrom('bin/rotation.mjs', imports).keys()]).toContain('@aws-sdk/client-lambda');
    expect([...waysFrom('client/index.ts', imports).keys()]).toContain('shared/secret/database-secret.ts');
    expect([...waysFrom('examples/applications/pg.js', imports).keys()]).toContain('postgres-secret-rotation');
  });

  it.each(Object.entries(RULES))('%s', (_, broken: Rule) => {
    expect(broken(imports, files)).toEqual([]);
  });
});

function projectFiles(): SourceFiles {
  const paths = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { encoding: 'utf8', recursive: true }).map((path) => join(folder, path)),
  );
  return new Map(
    paths
      .filter((path) => /\.(?:ts|mjs|js)$/.test(path))
      .map((path) => [path.split(sep).join('/'), readFileSync(join(ROOT, path), 'utf8')]),
  );
}
