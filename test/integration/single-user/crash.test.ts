import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { CrashPoint } from '../../support/crash-point.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { newestVersion, postgresVersions, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open({ retries: 1 });
});
afterAll(() => account[Symbol.asyncDispose]());

/** Rotates with a function whose process is killed once, and which the service then starts again from createSecret. */
async function rotateThroughCrash(version: number, at: string, crashes: string): Promise<void> {
  const crash = new CrashPoint(at);
  const choice = { strategy: 'single-user', environment: crash.environment } as const;
  await using here = await arrange(account, await sharedServer(version), choice);
  const { server, role, secret } = here;

  const { outcome, attempts, steps, token } = await secret.rotate();

  expect(crash.happened).toBe(true);
  expect(steps.filter((step) => step.outcome === 'crashed').map(({ step }) => step)).toEqual([crashes]);
  expect({ outcome, attempts }).toEqual({ outcome: 'succeeded', attempts: 2 });
  expect(await secret.labels()).toMatchObject({ AWSCURRENT: token });
  await expectWorking(here);
  expect(await accepted(server, role, [role.password])).toEqual([false]);
}

describe.each(postgresVersions())('on PostgreSQL %i a rotation survives a crash', (version) => {
  test.each([
    ['before ALTER ROLE', 'send:ALTER ROLE'],
    ['before the verifier is sent', 'send:CREATE TEMP TABLE rotation'],
    // What setSecret sends next: it proves the new password by a second login.
    ['after ALTER ROLE', 'answer:CREATE TEMP TABLE rotation'],
  ])('%s', async (_, at) => {
    await rotateThroughCrash(version, at, 'setSecret');
  });
});

describe('a rotation survives a crash', () => {
  test.each([
    ['before', 'createSecret', 'send:secretsmanager.PutSecretValue'],
    ['after', 'createSecret', 'answer:secretsmanager.PutSecretValue'],
    ['before', 'finishSecret', 'send:secretsmanager.UpdateSecretVersionStage'],
    ['after', 'finishSecret', 'answer:secretsmanager.UpdateSecretVersionStage'],
  ])('%s what %s writes', async (_, step, at) => {
    await rotateThroughCrash(newestVersion(), at, step);
  });
});
