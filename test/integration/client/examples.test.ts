import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { ApplicationProcess, installBeside, installClient } from '../../support/installed-client.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { psycopgIsHere } from '../../support/psycopg.ts';
import { ridesThroughRotations } from '../../support/rides-through.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { SecretMembers, TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples/applications', import.meta.url));
const run = promisify(execFile);

/** What the examples are written for: some 400 MB, so only test:soak installs them, or finds them where it is told. */
const LIBRARIES = {
  '@prisma/adapter-pg': '7.10.0',
  '@prisma/client': '7.10.0',
  'drizzle-orm': '0.45.4',
  knex: '3.3.0',
  kysely: '0.29.9',
  postgres: '3.4.9',
  prisma: '7.10.0',
  sequelize: '6.37.8',
  typeorm: '1.1.1',
} as const;
const WITH_PG_ALONE = ['pg.js', 'pg-client.js'];
const withLibraries = process.env.SOAK_MINUTES !== undefined || process.env.CLIENT_LIBRARIES !== undefined;

const hasPsycopg = psycopgIsHere();

/** The same as the next, in Python. */
const PYTHON_DRIVER = `
import sys
from concurrent.futures import ThreadPoolExecutor
import psycopg3
for line in iter(sys.stdin.readline, ""):
    with ThreadPoolExecutor(int(line)) as threads:
        users = set(threads.map(lambda _: psycopg3.current_user(), range(int(line))))
    print(",".join(users), flush=True)
psycopg3.close()
`;

/** One login without a pool, which would try again for 30 s. */
const ONE_LOGIN = 'import psycopg3; print(psycopg3.Connection.connect().info.dbname)';

/** Answers a number with the users that so many statements at one time have run as. */
const DRIVER = `
import { createInterface } from 'node:readline';
const { currentUser, close } = await import('./' + process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const users = await Promise.all(Array.from({ length: Number(line) }, () => currentUser()));
  console.log([...new Set(users)].join());
}
await close();
`;

let account: TestAccount;
let folder: string;
beforeAll(async () => {
  account = await TestAccount.open();
  folder = await mkdtemp(join(tmpdir(), 'examples-'));
  await cp(EXAMPLES, folder, { recursive: true });
  await writeFile(join(folder, 'driver.js'), DRIVER);
  await writeFile(join(folder, 'driver.py'), PYTHON_DRIVER);
  if (withLibraries) await installLibraries(folder);
  else await installBeside(folder, ['pg', '@aws-sdk/client-secrets-manager']);
  await installClient(folder);
}, 300_000);
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** CLIENT_LIBRARIES names a folder whose node_modules they are in already. */
async function installLibraries(at: string): Promise<void> {
  const ready = process.env.CLIENT_LIBRARIES;
  if (ready === undefined) {
    const { default: pg } = await import('pg/package.json', { with: { type: 'json' } });
    const wanted = Object.entries({ ...LIBRARIES, pg: pg.version }).map(([name, exact]) => `${name}@${exact}`);
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...wanted, SDK], { cwd: at });
  } else {
    await mkdir(join(at, 'node_modules'));
    for (const name of await readdir(join(ready, 'node_modules')))
      await symlink(join(ready, 'node_modules', name), join(at, 'node_modules', name));
  }
  // Prisma's own binary is for migrations, and would be downloaded.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath };
  const prisma = join(at, 'node_modules/prisma/build/index.js');
  await run(process.execPath, [prisma, 'generate', '--schema', 'prisma/schema.prisma'], { cwd: at, env });
}

const SDK = '@aws-sdk/client-secrets-manager@3.1164.0';

function start([command, ...args]: readonly [string, ...string[]], secret: TestSecret): ApplicationProcess {
  const lab = { AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint, AWS_DEFAULT_REGION: 'us-east-1' };
  return new ApplicationProcess(command, args, folder, { ...lab, SECRET_ID: secret.arn });
}

async function ridesThrough(example: string, secret: TestSecret, user: string): Promise<void> {
  const [command, driver] = example.endsWith('.py') ? ['python3', 'driver.py'] : [process.execPath, 'driver.js'];
  await using application = start([command, driver, example], secret);
  await ridesThroughRotations(application, secret, user);
}

test('every example is run here, and every library has one', async () => {
  const files = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.js'));
  expect(files.sort()).toEqual([...WITH_PG_ALONE, ...WITH_LIBRARIES].sort());
});

const WITH_LIBRARIES = ['drizzle', 'knex', 'kysely', 'postgres-js', 'prisma', 'sequelize', 'typeorm'].map(
  (name) => `${name}.js`,
);

describe.each([
  ...WITH_PG_ALONE,
  ...(withLibraries ? WITH_LIBRARIES : []),
  ...(hasPsycopg ? ['psycopg3.py'] : []),
])('examples/applications/%s rides through rotations of', (example) => {
  test('a single user', async () => {
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
    await ridesThrough(example, here.secret, here.role.name);
  });

  test('alternating users', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope);
    await ridesThrough(example, app.secret, app.base.name);
  });
});

describe.skipIf(!hasPsycopg)('examples/applications/psycopg3.py, while the server refuses AWSCURRENT,', () => {
  /** AWSPREVIOUS has the right password, and names no database. @returns the session's database. */
  async function sessionWhere(members: SecretMembers): Promise<string> {
    const options = { members: { dbname: undefined } };
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' }, options);
    await here.secret.put({ password: 'anything', ...members });
    await using application = start(['python3', '-c', ONE_LOGIN], here.secret);
    return await application.ask('');
  }

  test.each([
    ['spelt out', { dbname: 'postgres' }],
    ['as null', { dbname: null }],
  ])('has AWSPREVIOUS open a session where AWSCURRENT names the same database, %s', async (_, members) => {
    expect(await sessionWhere(members)).toBe('postgres');
  });

  test('opens none in a database that AWSCURRENT alone names', async () => {
    await expect(sessionWhere({ dbname: 'template1' })).rejects.toThrow('password authentication failed');
  });
});
