import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { ApplicationProcess, installBeside, installClient, PACKAGE } from '../../support/installed-client.ts';
import { sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

const run = promisify(execFile);
const TSC = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');
/** What an application has beside it. */
const PEERS = ['pg', '@aws-sdk/client-secrets-manager', '@types/pg', '@types/node', 'undici-types'];

let account: TestAccount;
/** An application's folder, with the packed package installed in it. */
let folder: string;
let installed: string;
beforeAll(async () => {
  account = await TestAccount.open();
  folder = await mkdtemp(join(tmpdir(), 'application-'));
  installed = await installClient(folder);
  await installBeside(folder, PEERS);
}, 120_000);
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Logs in for every line that it gets, and says as what; at the end of its input it does nothing more. */
const APPLICATION = `
import { createInterface } from 'node:readline';
import { rotatingPool, secretLogin } from '${PACKAGE}/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 1, maxUses: 1, connectionTimeoutMillis: 10_000 });
for await (const line of createInterface({ input: process.stdin })) {
  const { rows } = await pool.query('SELECT current_user AS name');
  console.log(rows[0].name + ' ' + (await login.current()).stage);
}
`;

const TLS_SECRET = { engine: 'postgres', host: 'db.example.com', username: 'app', password: 'none-of-a-server' };
const TRUST = `
import { once } from 'node:events';
import { secretLogin } from '${PACKAGE}/client';

await once(process.stdin, 'data');
const { ssl } = await secretLogin({ secretId: process.env.SECRET_ID }).current();
console.log(JSON.stringify(ssl));
process.stdin.unref();
`;

/** A Lambda function with one pool in its module. */
const LAMBDA = `
import { rotatingPool, secretLogin } from '${PACKAGE}/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 1, maxUses: 1, connectionTimeoutMillis: 10_000 });
export async function handler() {
  const { rows } = await pool.query('SELECT current_user AS name');
  return { name: rows[0].name, stage: (await login.current()).stage, instance: process.pid };
}
`;

/** The Node that runs the tests, and the one that npm was started with, where that is another. */
async function nodes(): Promise<readonly string[]> {
  const { stdout } = await run('node', ['-p', 'process.execPath'], {
    env: {
      ...process.env,
      PATH: process.env.PATH?.split(':')
        .filter((path) => !path.includes('node_modules'))
        .join(':'),
    },
  });
  return [...new Set([process.execPath, stdout.trim()])];
}

describe('installed from its tarball', () => {
  test('it rides through a rotation on every Node that is here, and nothing of it keeps a process alive', async () => {
    await writeFile(join(folder, 'application.js'), APPLICATION);
    for (const node of await nodes()) {
      await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
      const environment = { SECRET_ID: here.secret.arn, AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint };
      await using application = new ApplicationProcess(node, ['application.js'], folder, environment);
      expect(await application.ask('')).toBe(`${here.role.name} AWSCURRENT`);
      const token = await here.secret.begin();
      await here.secret.stepsUntil('setSecret', token);
      expect(await application.ask('')).toBe(`${here.role.name} AWSPENDING`);
      await here.secret.step('testSecret', token);
      await here.secret.step('finishSecret', token);
      expect(await application.ask('')).toMatch(here.role.name);
      // The pool is not ended, and has no session left.
      expect(await application.end()).toBe(0);
    }
  });

  test('it knows whom to trust on every Node that is here', async () => {
    const secret = await account.store({ strategy: 'single-user' }, JSON.stringify(TLS_SECRET));
    await writeFile(join(folder, 'trust.js'), TRUST);
    for (const node of await nodes()) {
      const environment = { SECRET_ID: secret.arn, AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint };
      await using application = new ApplicationProcess(node, ['trust.js'], folder, environment);
      expect(JSON.parse(await application.ask(''))).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.2' });
      expect(await application.end()).toBe(0);
    }
  });

  test('it works in a Lambda function with one pool a module, whose instance is frozen while the secret is rotated', async () => {
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
    const bundle = join(folder, 'lambda.mjs');
    await writeFile(bundle, LAMBDA);
    const environment = { SECRET_ID: here.secret.arn, AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint };
    const arn = account.lab.functions.register({ name: 'shop', bundle, environment });
    const invoke = async () => {
      const result = await account.lab.functions.invoke(arn, {});
      if (!result.ok) throw new Error(result.errorMessage);
      return result.payload as { name: string; stage: string; instance: number };
    };
    const { instance, ...first } = await invoke();
    expect(first).toEqual({ name: here.role.name, stage: 'AWSCURRENT' });
    for (let rotations = 1; rotations <= 2; rotations++) {
      process.kill(instance, 'SIGSTOP');
      try {
        for (let rotation = 1; rotation <= rotations; rotation++)
          expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
      } finally {
        process.kill(instance, 'SIGCONT');
      }
      expect(await invoke()).toEqual({ ...first, instance });
    }
  });

  test('its types are those that its documentation shows, and need nothing that is not there', async () => {
    await writeFile(
      join(folder, 'application.ts'),
      `import type { Pool, QueryResult } from 'pg';
import { isRefusedPassword, LoginError, rotatingPool, secretLogin } from '${PACKAGE}/client';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const login = secretLogin({ secretId: 'prod/shop', client: new SecretsManagerClient({ region: 'eu-central-1' }) });
const pool: Pool = rotatingPool(login, { max: 20 });
const rows: Promise<QueryResult<{ one: number }>> = pool.query<{ one: number }>('SELECT 1 AS one');
const { username, password, host, port, dbname, ssl, versionId } = await login.current();
const text: string = username + password + host + dbname + versionId;
const again: boolean = await login.refused(versionId);
login.on('pendingUsed', ({ versionId, stage }) => console.log(versionId.length, stage.length));
login.on('refused', ({ again, error }) => console.log(again, error instanceof LoginError && error.remedy));
console.log(rows, text, again, port.toFixed(), ssl === false, isRefusedPassword(new Error()));
// @ts-expect-error the secret says who logs in
rotatingPool(login, { user: 'somebody' });
// @ts-expect-error there is no such event
login.on('rotated', () => {});
`,
    );
    const options = { module: 'nodenext', target: 'es2022', strict: true, noEmit: true, types: ['node'] };
    for (const skipLibCheck of [true, false]) {
      const compilerOptions = { ...options, exactOptionalPropertyTypes: skipLibCheck, skipLibCheck };
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['application.ts'] }));
      const { stdout } = await run(process.execPath, [TSC, '-p', folder]).catch((error) => error);
      expect(stdout).toBe('');
    }
  }, 120_000);

  test('it is JavaScript and types, and what it imports is asked of the application', async () => {
    const { peerDependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    const files = await readdir(join(installed, 'client'));
    expect(files.filter((name) => !/^[\w-]+\.d\.ts$/.test(name))).toEqual(['index.js']);
    const code = await readFile(join(installed, 'client/index.js'), 'utf8');
    const imported = [...code.matchAll(/^import .*?from "([^"]+)";$/gms)].map(([, name = '']) => name);
    const foreign = [...new Set(imported.filter((name) => !name.startsWith('node:')))];
    expect(foreign.sort()).toEqual(Object.keys(peerDependencies).sort());
  });
});
