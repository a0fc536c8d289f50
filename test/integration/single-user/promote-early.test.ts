/** PROMOTE=early: setSecret moves AWSCURRENT as soon as it has proven the new password. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { STEPS } from '../../../shared/rotation/event.ts';
import { arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { twins } from '../../support/twins.ts';

const environment = { PROMOTE: 'early' };
const MOVE = 'UpdateSecretVersionStage';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterEach(() => account.lab.faults.clear());
afterAll(() => account[Symbol.asyncDispose]());

const arrangeEarly = async (timeoutMs = 30_000) =>
  await arrange(account, await sharedServer(), { strategy: 'single-user', environment, timeoutMs });

/** Metrics that say that a rotation has succeeded. */
const counted = (since: number) =>
  account.output.objects.slice(since).filter((line) => Object.hasOwn(line, 'RotationSucceeded')).length;

test('AWSCURRENT logs in once setSecret has ended; what follows has nothing to do, and the rotation counts once', async () => {
  await using here = await arrangeEarly();
  const { server, role, secret } = here;
  const since = account.output.objects.length;
  const token = await secret.begin();
  await secret.step('createSecret', token);

  expect(await secret.step('setSecret', token)).toMatchObject({
    outcome: 'done',
    credential: 'current',
    promoted: true,
  });

  expect(await secret.labels()).toMatchObject({ AWSCURRENT: token, AWSPENDING: token });
  await expectWorking(here);
  expect(await accepted(server, role, [role.password])).toEqual([false]);
  expect(await secret.step('testSecret', token)).toMatchObject({ outcome: 'done' });
  expect(await secret.step('finishSecret', token)).toMatchObject({ outcome: 'already-current' });
  // Whoever comes to it late, and remembers nothing.
  for (const step of STEPS) {
    const anew = { environment: { ...environment, INSTANCE: step } };
    expect(await secret.step(step, token, anew)).toMatchObject({ outcome: 'already-current' });
  }
  expect(counted(since)).toBe(1);
  await expectWorking(here);
});

test('the service takes such a rotation for one that has succeeded, and the next one too', async () => {
  await using here = await arrangeEarly();
  const since = account.output.objects.length;
  for (let round = 1; round <= 2; round++) {
    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded', attempts: 1 });
    await expectWorking(here);
  }
  expect(counted(since)).toBe(2);
});

describe('where the label can not be moved', () => {
  test('the former password is put back, and AWSCURRENT works', async () => {
    await using here = await arrangeEarly();
    const { server, role, secret } = here;
    const since = account.output.objects.length;
    const type = 'AccessDeniedException';
    const denied = account.lab.faults.fail({ operation: MOVE, secret: secret.arn, type, message: 'not authorized' });
    const token = await secret.begin();

    const steps = await secret.stepsUntil('finishSecret', token);

    expect(denied.hits).toBe(1);
    expect(steps.at(-1)).toMatchObject({
      step: 'setSecret',
      error_code: 'PASSWORD_PUT_BACK',
      error_message: expect.stringMatching(
        /^AWSCURRENT had to be moved .*SECRET_ACCESS_DENIED.*AWSCURRENT logs in again\.$/,
      ),
      cause: 'SECRET_ACCESS_DENIED',
    });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
    await expectWorking(here);
    expect(counted(since)).toBe(0);
    expect((await secret.stepsUntil('finishSecret', token)).at(-1)).toMatchObject({ outcome: 'already-current' });
    await expectWorking(here);
    expect(counted(since)).toBe(1);
  });

  test('as the rotation is not wanted any more, it is put back too', async () => {
    await using here = await arrangeEarly();
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);
    // The second look, which comes when the password was set and proven, as often as it is repeated.
    let looks = 0;
    const type = 'ResourceNotFoundException';
    const when = ({ userAgent = '' }) => userAgent.includes('exec-env/AWS_Lambda') && ++looks >= 2;
    account.lab.faults.fail({ operation: 'DescribeSecret', secret: secret.arn, type, when, times: 6 });

    expect(await secret.step('setSecret', token)).toMatchObject({
      error_code: 'PASSWORD_PUT_BACK',
      cause: 'SECRET_NOT_FOUND',
    });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
    await expectWorking(here);
  });
});

describe('where the answer is lost', () => {
  test('it is looked at: AWSCURRENT was moved', async () => {
    await using here = await arrangeEarly();
    const { secret } = here;
    const cut = account.lab.faults.cut({ operation: MOVE, secret: secret.arn, point: 'after', times: 99 });
    const token = await secret.begin();
    const steps = await secret.stepsUntil('setSecret', token);
    expect(steps.at(-1)).toMatchObject({ step: 'setSecret', outcome: 'done' });
    expect(cut.hits).toBeGreaterThan(0);
    expect((await secret.labels()).AWSCURRENT).toBe(token);
    await expectWorking(here);
  });

  test('and where nobody can tell, the new password stays, the step says so, and the next attempt goes on', async () => {
    await using here = await arrangeEarly(9_000);
    const { server, role, secret } = here;
    const cut = account.lab.faults.cut({ operation: MOVE, secret: secret.arn, point: 'before', times: 99 });
    const token = await secret.begin();

    const failed = (await secret.stepsUntil('finishSecret', token)).at(-1);

    expect(cut.hits).toBeGreaterThan(0);
    expect(failed).toMatchObject({
      step: 'setSecret',
      error_code: 'PASSWORD_NOT_PUT_BACK',
      error_message: expect.stringContaining('could not be seen'),
    });
    const pending = await secret.password({ label: 'AWSPENDING' });
    expect(await accepted(server, role, [role.password, pending])).toEqual([false, true]);
    account.lab.faults.clear();
    const steps = await secret.stepsUntil('finishSecret', token);
    expect(steps.map(({ outcome }) => outcome)).toEqual(['already-done', 'already-done', 'done', 'already-current']);
    expect(steps[1]).toMatchObject({ promoted: true });
    await expectWorking(here);
  });
});

test('it is refused for what it is not for', async () => {
  await using scope = roleScope(await sharedServer());
  const app = await twins(account, scope, { environment });
  const failed = (await app.secret.rotate()).steps.at(-1);
  expect(failed).toMatchObject({ step: 'createSecret', error_code: 'INVALID_ENVIRONMENT', key: 'PROMOTE' });
  await using here = await arrange(account, await sharedServer(), {
    strategy: 'single-user',
    environment: { PROMOTE: 'Early' },
  });
  expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
    error_code: 'INVALID_ENVIRONMENT',
    key: 'PROMOTE',
  });
});
