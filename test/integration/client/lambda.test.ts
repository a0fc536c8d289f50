import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { ApplicationProcess, installBeside, installClient } from '../../support/installed-client.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { psycopgIsHere } from '../../support/psycopg.ts';
import { TestAccount } from '../../support/test-account.ts';
import { toolIsHere } from '../../support/tools.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url));
const pythonIsHere = psycopgIsHere();
const awsCliIsHere = toolIsHere('The AWS CLI', ['aws', '--version'], 'REQUIRE_AWS_CLI');

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

const HANDLERS: readonly (readonly [file: string, command: string, driver: string])[] = [
  ['handler.ts', process.execPath, 'driver.mjs'],
  ...(pythonIsHere ? [['handler.py', 'python3', 'driver.py'] as const] : []),
];

/** The lines of the walk, as docs/applications.md has them. */
async function walk(): Promise<string> {
  const text = await readFile(new URL('../../../docs/applications.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n## From the secret to a Lambda function\n');
  const [, lines] = /```sh\n(.+?)```/s.exec(section) ?? [];
  if (lines === undefined) throw new Error('docs/applications.md was expected to have the lines of the walk.');
  return lines;
}

test.skipIf(!awsCliIsHere)('the walk: stored, attached and read with the AWS CLI, then read by functions', async () => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const role = await scope.createAppRole();
  account.leaks.keepSecret(role.password);
  const { host, port } = server;
  const login = { engine: 'postgres', host, port, username: role.name, password: role.password, ssl: false };
  await writeFile(join(folder, 'login.json'), JSON.stringify(login));
  const environment = {
    PATH: process.env.PATH,
    HOME: folder,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: account.lab.endpoint,
    FUNCTION_ARN: account.function({ strategy: 'single-user' }),
  };
  const options = { cwd: folder, env: environment };
  const { stdout } = await promisify(execFile)('bash', ['-euc', await walk()], options);
  const { ARN = '', VersionIdsToStages = {} } = await account.client.send(
    new DescribeSecretCommand({ SecretId: 'prod/shop' }),
  );
  await account.lab.settled(ARN);
  const read = /^([0-9a-f-]{36})\n$/m.exec(stdout)?.[1] ?? '';
  expect(Object.keys(VersionIdsToStages)).toContain(read);
  expect(stdout.includes(role.password)).toBe(false);
  // Lambda sets both.
  const region = { AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' };
  const lab = { AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint, ...region };
  for (const [, command, driver] of HANDLERS) {
    await using instance = new ApplicationProcess(command, [driver], folder, { ...lab, SECRET_ID: 'prod/shop' });
    expect(await instance.ask('1')).toBe(role.name);
    expect(await instance.end()).toBe(0);
  }
});

describe.each(HANDLERS)('examples/lambda/%s', (_, command, driver) => {
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
