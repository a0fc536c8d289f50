import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Step } from '../../../shared/rotation/event.ts';
import { arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { countLogins, followLog, newestVersion, postgresVersions, sharedServer } from '../../support/postgres.ts';
import { holdRole } from '../../support/role-hold.ts';
import { linesOf } from '../../support/role-log.ts';
import { TestAccount } from '../../support/test-account.ts';

const ANOTHER_INSTANCE = { environment: { INSTANCE: 'another' } };
const PENDING = { label: 'AWSPENDING' };

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const arrangeOn = async (version: number) =>
  await arrange(account, await sharedServer(version), { strategy: 'single-user' });

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test('each step may run twice', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const token = await secret.begin();

    expect(await secret.step('createSecret', token)).toMatchObject({ outcome: 'done' });
    const password = await secret.password(PENDING);
    expect(await secret.step('createSecret', token)).toMatchObject({ outcome: 'already-done' });
    expect(await secret.password(PENDING)).toBe(password);
    expect(await secret.step('setSecret', token)).toMatchObject({ outcome: 'done', credential: 'current' });
    expect(await secret.step('setSecret', token)).toMatchObject({ outcome: 'already-done', credential: 'pending' });
    expect(await secret.step('testSecret', token)).toMatchObject({ outcome: 'done' });
    expect(await secret.step('testSecret', token)).toMatchObject({ outcome: 'done' });
    expect(await secret.step('finishSecret', token)).toMatchObject({ outcome: 'done' });
    expect(await secret.step('finishSecret', token)).toMatchObject({ outcome: 'already-current' });

    expect(await secret.password()).toBe(password);
    expect(await accepted(server, role, [role.password, password])).toEqual([false, true]);
    await expectWorking(here);
  });

  test('finishSecret before setSecret does not promote a password that does not work', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const before = await secret.labels();
    const token = await secret.begin();
    await secret.step('createSecret', token);

    expect(await secret.step('finishSecret', token)).toMatchObject({
      outcome: 'failed',
      error_code: 'PASSWORD_NOT_ACCEPTED',
      credential: 'pending',
    });

    expect(await secret.labels()).toEqual({ ...before, AWSPENDING: token });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
    const rest = (['setSecret', 'finishSecret'] as const).map((step) => () => secret.step(step, token));
    for (const step of rest) expect(await step()).toMatchObject({ outcome: 'done' });
    await expectWorking(here);
  });

  test('finishSecret logs in once where this very instance has not tested the version, and never else', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.stepsUntil('testSecret', token);

    const logins = await countLogins(server);
    expect(await secret.step('finishSecret', token, ANOTHER_INSTANCE)).toMatchObject({ outcome: 'done' });
    expect(await logins(role.name)).toEqual({ accepted: 1, failed: 0 });

    const next = await secret.begin();
    await secret.stepsUntil('testSecret', next);
    const loginsAfterTest = await countLogins(server);
    expect(await secret.step('finishSecret', next)).toMatchObject({ outcome: 'done' });
    expect(await loginsAfterTest(role.name)).toEqual({ accepted: 0, failed: 0 });
    await expectWorking(here);
  });

  test('four setSecrets at once all succeed, one after the other', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const token = await secret.begin();
    const fourTimes = async (step: Step) => await Promise.all([1, 2, 3, 4].map(() => secret.step(step, token)));
    await fourTimes('createSecret'); // so that all four instances are warm
    const logged = await followLog(server);

    await using hold = await holdRole(server, role);
    const steps = fourTimes('setSecret');
    await hold.waiting(4);
    await hold.release();
    const results = await steps;

    expect(results.map(({ error_code }) => error_code)).toEqual([undefined, undefined, undefined, undefined]);
    expect(linesOf(await logged(), role.name)).not.toContain('concurrently updated');
    expect(await accepted(server, role, [role.password, await secret.password(PENDING)])).toEqual([false, true]);
    await secret.stepsUntil('finishSecret', token);
    await expectWorking(here);
  });
});

describe('whatever the version', () => {
  const newest = newestVersion();

  test('two createSecrets at once agree on one password', async () => {
    await using here = await arrangeOn(newest);
    const { secret } = here;
    const token = await secret.begin();

    const results = await Promise.all([1, 2, 3].map(() => secret.step('createSecret', token)));

    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['already-done', 'already-done', 'done']);
    await secret.stepsUntil('finishSecret', token);
    await expectWorking(here);
  });

  test('two finishSecrets at once both succeed', async () => {
    await using here = await arrangeOn(newest);
    const { secret } = here;
    const token = await secret.begin();
    await secret.stepsUntil('testSecret', token);

    const results = await Promise.all([1, 2].map(() => secret.step('finishSecret', token)));

    expect(results.map(({ error_code }) => error_code)).toEqual([undefined, undefined]);
    expect(await secret.labels()).toMatchObject({ AWSCURRENT: token });
    await expectWorking(here);
  });

  test.each<Step>([
    'setSecret',
    'testSecret',
    'finishSecret',
  ])('%s before createSecret changes nothing', async (step) => {
    await using here = await arrangeOn(newest);
    const { server, role, secret } = here;
    const before = await secret.labels();
    const token = await secret.begin();
    const logins = await countLogins(server);

    expect(await secret.step(step, token)).toMatchObject({
      outcome: 'failed',
      error_code: 'SECRET_HAS_NO_VALUE',
      credential: 'pending',
    });

    expect(await logins(role.name)).toEqual({ accepted: 0, failed: 0 });
    expect(await secret.labels()).toEqual({ ...before, AWSPENDING: token });
  });

  test('testSecret before setSecret says that the password is not accepted', async () => {
    await using here = await arrangeOn(newest);
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);

    expect(await secret.step('testSecret', token)).toMatchObject({
      outcome: 'failed',
      error_code: 'PASSWORD_NOT_ACCEPTED',
      host: server.host,
      port: server.port,
      username: role.name,
    });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
  });

  test('once the version is current every step succeeds, and neither writes nor logs in', async () => {
    await using here = await arrangeOn(newest);
    const { server, role, secret } = here;
    const { token } = await secret.rotate();
    const [calls, labels] = [secret.calls.length, await secret.labels()];
    const logins = await countLogins(server);

    for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const)
      expect(await secret.step(step, token, ANOTHER_INSTANCE)).toMatchObject({ outcome: 'already-current' });

    const reads = ['DescribeSecret', 'GetSecretValue'];
    expect(secret.calls.slice(calls).filter(({ operation }) => !reads.includes(operation))).toEqual([]);
    expect(await secret.labels()).toEqual(labels);
    expect(await logins(role.name)).toEqual({ accepted: 0, failed: 0 });
  });
});
