import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { ApplicationProcess, installBeside, installClient } from '../../support/installed-client.ts';
import { sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { toolIsHere } from '../../support/tools.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url));
const pythonIsHere = toolIsHere(
  "Python's psycopg, psycopg_pool and boto3",
  ['python3', '-c', 'import boto3, psycopg, psycopg_pool'],
  'REQUIRE_PSYCOPG',
);

/** Each line of input is an invocation of one warm instance. */
const NODE = `
import { createInterface } from 'node:readline';
const { handler } = await import('./handler.ts');
for await (const _ of createInterface({ input: process.stdin })) console.log((await handler()).user);
process.exit(0);
`;
const PYTHON = `
import sys, handler, psycopg3
for _ in iter(sys.stdin.readline, ""):
    print(handler.handler({}, None)["user"], flush=True)
psycopg3.close()
`;

let account: TestAccount;
let folder: string;
beforeAll(async () => {
  account = await TestAccount.open();
  folder = await mkdtemp(join(tmpdir(), 'lambda-'));
  await cp(join(EXAMPLES, 'lambda'), folder, { recursive: true });
  await cp(join(EXAMPLES, 'applications/psycopg3.py'), join(folder, 'psycopg3.py'));
  await writeFile(join(folder, 'driver.mjs'), NODE);
  await writeFile(join(folder, 'driver.py'), PYTHON);
  await installBeside(folder, ['pg', '@aws-sdk/client-secrets-manager']);
  await installClient(folder);
}, 300_000);
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe.each<readonly [file: string, command: string, driver: string]>([
  ['handler.ts', process.execPath, 'driver.mjs'],
  ...(pythonIsHere ? [['handler.py', 'python3', 'driver.py'] as const] : []),
])('examples/lambda/%s', (_, command, driver) => {
  test('reads before, in the middle of and after a rotation', async () => {
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
    const lab = { AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint, AWS_DEFAULT_REGION: 'us-east-1' };
    await using instance = new ApplicationProcess(command, [driver], folder, { ...lab, SECRET_ID: here.secret.arn });
    expect(await instance.ask('1')).toBe(here.role.name);
    const token = await here.secret.begin();
    await here.secret.stepsUntil('setSecret', token);
    expect(await instance.ask('1')).toBe(here.role.name);
    await here.secret.step('testSecret', token);
    await here.secret.step('finishSecret', token);
    expect(await instance.ask('1')).toBe(here.role.name);
    expect(await instance.end()).toBe(0);
  });
});
