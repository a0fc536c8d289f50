/** The ways to read a secret that docs/applications.md lists, as far as they are no service of AWS's: who is let in when. */
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRefusedPassword } from '../../../client/index.ts';
import { arrange } from '../../support/arrangement.ts';
import { labLogin, logInByHand } from '../../support/login-clients.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(async () => await account[Symbol.asyncDispose]());

type Read = () => Promise<string>;

async function logIn(read: Read): Promise<void> {
  const { username: user, password, host, port, dbname: database = 'postgres' } = JSON.parse(await read());
  const client = new pg.Client({ user, password, host, port, database, ssl: false });
  client.on('error', () => {});
  await client.connect();
  await client.end();
}

async function isLetIn(attempt: () => Promise<void>): Promise<boolean> {
  try {
    await attempt();
    return true;
  } catch (error) {
    if (isRefusedPassword(error)) return false;
    throw error;
  }
}

/** By their rows in the table. A cache is one whose time is not over, as that of the extension, the agent or Powertools. */
async function readersOf(secret: TestSecret) {
  const fromSdk: Read = async () =>
    (await account.client.send(new GetSecretValueCommand({ SecretId: secret.arn }))).SecretString ?? '';
  const atStart = await fromSdk();
  let cached = atStart;
  const login = labLogin(account.lab, secret.arn);
  const readers = {
    client: () => logInByHand(login),
    sdk: () => logIn(fromSdk),
    cache: () => logIn(async () => cached),
    environment: () => logIn(async () => atStart),
  };
  return {
    async letIn() {
      const found: string[] = [];
      for (const [name, attempt] of Object.entries(readers)) if (await isLetIn(attempt)) found.push(name);
      return found;
    },
    async expireCache() {
      cached = await fromSdk();
    },
  };
}

test('single user: between setSecret and finishSecret the client alone is let in, then who reads again', async () => {
  await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
  const readers = await readersOf(here.secret);
  expect(await readers.letIn()).toEqual(['client', 'sdk', 'cache', 'environment']);
  const token = await here.secret.begin();
  await here.secret.stepsUntil('setSecret', token);
  expect(await readers.letIn()).toEqual(['client']);
  await here.secret.step('testSecret', token);
  await here.secret.step('finishSecret', token);
  expect(await readers.letIn()).toEqual(['client', 'sdk']);
  await readers.expireCache();
  expect(await readers.letIn()).toEqual(['client', 'sdk', 'cache']);
});

test('alternating users: everybody is let in until the next rotation, and who reads at start only no longer', async () => {
  await using scope = roleScope(await sharedServer());
  const app = await twins(account, scope);
  const readers = await readersOf(app.secret);
  const token = await app.secret.begin();
  await app.secret.stepsUntil('setSecret', token);
  expect(await readers.letIn()).toEqual(['client', 'sdk', 'cache', 'environment']);
  await app.secret.step('testSecret', token);
  await app.secret.step('finishSecret', token);
  expect(await readers.letIn()).toEqual(['client', 'sdk', 'cache', 'environment']);
  await readers.expireCache();
  await app.rotate();
  expect(await readers.letIn()).toEqual(['client', 'sdk', 'cache']);
});
