import { randomUUID } from 'node:crypto';
import {
  CancelRotateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { secretStore } from '../../../shared/aws/secret-store.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { arrange } from '../../support/arrangement.ts';
import { EndpointRecorder } from '../../support/endpoint-recorder.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { closedPort, SilentServer } from '../../support/network.ts';
import { countLogins, sharedServer } from '../../support/postgres.ts';
import { clientOf } from '../../support/secrets-lab-client.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterEach(() => account.lab.faults.clear());
afterAll(() => account[Symbol.asyncDispose]());

const arrangeWith = async (environment: Readonly<Record<string, string>> = {}, timeoutMs = 30_000) =>
  await arrange(account, await sharedServer(), { strategy: 'single-user', environment, timeoutMs });

describe('what Secrets Manager is told', () => {
  test('goes to SECRETS_MANAGER_ENDPOINT, with the RotationToken where the contract wants it and nowhere else', async () => {
    await using recorder = await EndpointRecorder.start(account.lab);
    await using here = await arrangeWith({ SECRETS_MANAGER_ENDPOINT: recorder.endpoint });
    const rotationToken = `rotation-token-${randomUUID()}`;
    const token = await here.secret.begin();

    await here.secret.step('createSecret', token, {}, rotationToken);
    await here.secret.step('setSecret', token, {}, rotationToken);
    await here.secret.step('testSecret', token, {}, rotationToken);
    await here.secret.step('finishSecret', token, {}, rotationToken);

    await expectWorking(here);
    expect(recorder.calls).toHaveLength(8);
    const put = recorder.calls.filter(({ operation }) => operation === 'PutSecretValue');
    expect(put.map(({ body }) => ({ ...body, SecretString: typeof body.SecretString }))).toEqual([
      {
        SecretId: here.secret.arn,
        ClientRequestToken: token,
        RotationToken: rotationToken,
        SecretString: 'string',
        VersionStages: ['AWSPENDING'],
      },
    ]);
    const others = recorder.calls.filter(({ operation }) => operation !== 'PutSecretValue');
    expect(JSON.stringify(others)).not.toContain(rotationToken);
    const labels = others.filter(({ operation }) => operation === 'UpdateSecretVersionStage');
    expect(labels.map(({ body }) => body)).toEqual([
      {
        SecretId: here.secret.arn,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: token,
        RemoveFromVersionId: (await here.secret.labels()).AWSPREVIOUS,
      },
    ]);
  });

  test('goes without a RotationToken where the service gives none', async () => {
    await using recorder = await EndpointRecorder.start(account.lab);
    await using here = await arrangeWith({ SECRETS_MANAGER_ENDPOINT: recorder.endpoint });
    const token = await here.secret.begin();

    for (const step of STEPS) expect(await here.secret.step(step, token, {}, null)).toMatchObject({ outcome: 'done' });

    expect(recorder.calls.filter(({ body }) => Object.hasOwn(body, 'RotationToken'))).toEqual([]);
    await expectWorking(here);
  });
});

describe('a rotation succeeds', () => {
  test.each([
    'DescribeSecret',
    'GetSecretValue',
    'PutSecretValue',
    'UpdateSecretVersionStage',
  ])('although %s is throttled, fails and is cut', async (operation) => {
    await using here = await arrangeWith();
    const { faults } = account.lab;
    const secret = here.secret.arn;
    const all = [
      faults.throttle({ operation, secret }),
      faults.fail({ operation, secret }),
      faults.cut({ operation, secret, point: 'after' }),
    ];

    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded', attempts: 1 });

    expect(all.map((fault) => fault.hits)).toEqual([1, 1, 1]);
    await expectWorking(here);
    expect(await accepted(here.server, here.role, [here.role.password])).toEqual([false]);
  });

  test('although a new version is not visible at first', async () => {
    await using here = await arrangeWith();
    const hidden = account.lab.faults.hideNewVersions({ reads: 3, secret: here.secret.arn });

    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(hidden.hits).toBe(1);
    const reads = here.secret.calls.filter(({ operation }) => operation === 'GetSecretValue');
    expect(reads.filter(({ status }) => status !== 200)).toHaveLength(3);
    await expectWorking(here);
  });

  test('although neither the secret nor AWSCURRENT is found at first, in each step', async () => {
    await using here = await arrangeWith();
    const { faults } = account.lab;
    const secret = here.secret.arn;
    const type = 'ResourceNotFoundException';
    const token = await here.secret.begin();
    for (const step of STEPS) {
      const lost = ['DescribeSecret', 'GetSecretValue'].map((operation) => faults.fail({ operation, secret, type }));
      expect(await here.secret.step(step, token)).toMatchObject({ outcome: 'done' });
      if (step === 'createSecret') expect(lost.map(({ hits }) => hits)).toEqual([1, 1]);
      faults.clear();
    }
    await expectWorking(here);
  });

  test('although another finishSecret moves the label at the same moment', async () => {
    await using here = await arrangeWith();
    const { secret } = here;
    const token = await secret.begin();
    await secret.stepsUntil('testSecret', token);
    const from = (await secret.labels()).AWSCURRENT ?? '';

    const slow = account.lab.faults.delay({ operation: 'UpdateSecretVersionStage', secret: secret.arn, ms: 300 });
    const step = secret.step('finishSecret', token);
    await waitFor('finishSecret to ask', () => slow.hits || undefined);
    await secret.moveLabel('AWSCURRENT', from, token);

    expect(await step).toMatchObject({ outcome: 'already-current' });
  });
});

describe('a step fails', () => {
  test('with LABEL_MOVED where somebody moves AWSCURRENT elsewhere meanwhile', async () => {
    await using here = await arrangeWith();
    const { secret } = here;
    const token = await secret.begin();
    await secret.stepsUntil('testSecret', token);

    const slow = account.lab.faults.delay({ operation: 'UpdateSecretVersionStage', secret: secret.arn, ms: 300 });
    const step = secret.step('finishSecret', token);
    await waitFor('finishSecret to ask', () => slow.hits || undefined);
    const byHand = await secret.put({ note: 'by hand' }, ['AWSCURRENT']);

    expect(await step).toMatchObject({ outcome: 'failed', error_code: 'LABEL_MOVED' });
    expect(await secret.labels()).toMatchObject({ AWSCURRENT: byHand, AWSPENDING: token });
  });

  test.each<[string, string, string]>([
    ['AccessDeniedException', 'Access to KMS is not allowed', 'SECRET_ACCESS_DENIED'],
    ['DecryptionFailure', 'The key is disabled.', 'SECRET_KEY_UNUSABLE'],
    ['LimitExceededException', 'Too many.', 'SECRET_LIMIT_EXCEEDED'],
    ['InvalidParameterException', 'Wrong.', 'SECRETS_MANAGER_FAILED'],
  ])('where the service answers %s', async (type, message, code) => {
    await using here = await arrangeWith({ AWS_MAX_ATTEMPTS: '1' });
    account.lab.faults.fail({ operation: 'GetSecretValue', secret: here.secret.arn, type, message, times: 9 });

    expect((await here.secret.rotate()).steps).toMatchObject([
      { step: 'createSecret', error_code: code, reason: type, secret_arn: here.secret.arn },
    ]);
  });

  test('where AWSCURRENT may not be moved: it is refused from setSecret on, until somebody allows it', async () => {
    await using here = await arrangeWith();
    const denied = { operation: 'UpdateSecretVersionStage', type: 'AccessDeniedException', times: 99 };
    account.lab.faults.fail({ ...denied, secret: here.secret.arn });

    const token = await here.secret.begin();
    const steps = await here.secret.stepsUntil('finishSecret', token);

    expect(steps.at(-1)).toMatchObject({ step: 'finishSecret', error_code: 'SECRET_ACCESS_DENIED' });
    const passwords = [here.role.password, await here.secret.password({ label: 'AWSPENDING' })];
    expect(await accepted(await sharedServer(), here.role, passwords)).toEqual([false, true]);
    account.lab.faults.clear();
    for (const step of STEPS) await here.secret.step(step, token);
    await expectWorking(here);
  });

  test('where the service throttles for good', async () => {
    await using here = await arrangeWith({ AWS_MAX_ATTEMPTS: '2' });
    const throttled = account.lab.faults.throttle({ secret: here.secret.arn, operation: 'PutSecretValue', times: 99 });

    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'SECRETS_MANAGER_THROTTLED',
    });
    expect(throttled.hits).toBe(2);
  });

  test('where rotation was turned off', async () => {
    await using here = await arrangeWith();
    const token = await here.secret.begin();
    await account.client.send(new CancelRotateSecretCommand({ SecretId: here.secret.arn }));

    for (const step of STEPS)
      expect(await here.secret.step(step, token)).toMatchObject({ error_code: 'ROTATION_NOT_ENABLED' });
  });

  test('where its version is unknown, was replaced or lost its label', async () => {
    await using here = await arrangeWith();
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);
    // A label of its own keeps a version known.
    await account.client.send(
      new UpdateSecretVersionStageCommand({ SecretId: secret.arn, VersionStage: 'MINE', MoveToVersionId: token }),
    );
    await secret.unlabel('AWSPENDING', token);
    const logins = await countLogins(server);

    for (const step of STEPS) {
      expect(await secret.step(step, randomUUID())).toMatchObject({ error_code: 'VERSION_UNKNOWN' });
      expect(await secret.step(step, token)).toMatchObject({ error_code: 'VERSION_NOT_PENDING' });
    }
    expect(await logins(role.name)).toEqual({ accepted: 0, failed: 0 });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
  });

  test('where the secret is marked for deletion, or gone', async () => {
    await using here = await arrangeWith();
    const { secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);
    await account.client.send(new DeleteSecretCommand({ SecretId: secret.arn, RecoveryWindowInDays: 7 }));
    expect(await secret.step('setSecret', token)).toMatchObject({ error_code: 'SECRET_IN_WRONG_STATE' });

    await account.client.send(new DeleteSecretCommand({ SecretId: secret.arn, ForceDeleteWithoutRecovery: true }));
    await waitFor('the secret to be gone', async () => {
      const { error_code } = await secret.step('setSecret', token);
      return error_code === 'SECRET_NOT_FOUND' || undefined;
    });
  });

  test('where the secret is marked for deletion while setSecret is at work: nothing is changed, and it goes on once restored', async () => {
    await using here = await arrangeWith();
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);
    const slow = account.lab.faults.delay({ operation: 'DescribeSecret', secret: secret.arn, ms: 300 });
    const step = secret.step('setSecret', token);
    await waitFor('setSecret to ask its guard', () => slow.hits || undefined);
    await account.client.send(new DeleteSecretCommand({ SecretId: secret.arn, RecoveryWindowInDays: 7 }));

    expect(await step).toMatchObject({
      error_code: 'SECRET_IN_WRONG_STATE',
      remedy: expect.stringContaining('restore-secret'),
    });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
    await account.client.send(new RestoreSecretCommand({ SecretId: secret.arn }));
    expect((await secret.stepsUntil('finishSecret', token)).at(-1)).toMatchObject({ outcome: 'done' });
    await expectWorking(here);
  });

  test('where nothing listens at the endpoint', async () => {
    const endpoint = `http://127.0.0.1:${await closedPort()}`;
    await using here = await arrangeWith({ SECRETS_MANAGER_ENDPOINT: endpoint }, 8_000);
    expect((await here.secret.rotate()).steps).toMatchObject([
      {
        step: 'createSecret',
        error_code: 'SECRETS_MANAGER_UNREACHABLE',
        remedy: expect.stringContaining('route'),
        waited_for: 'SECRETS_MANAGER_UNREACHABLE',
      },
    ]);
  });

  test('a second before its deadline where the endpoint is silent', async () => {
    await using silent = await SilentServer.start();
    const endpoint = `http://${silent.host}:${silent.port}`;
    await using here = await arrangeWith({ SECRETS_MANAGER_ENDPOINT: endpoint }, 10_000);
    const [step] = (await here.secret.rotate()).steps;
    expect(step).toMatchObject({ step: 'createSecret', error_code: 'SECRETS_MANAGER_TIMEOUT' });
    expect(step?.duration_ms).toBeLessThan(9_000);
  });
});

test('a value that somebody stored as AWSPENDING by hand is kept', async () => {
  await using here = await arrangeWith();
  const { secret } = here;
  const token = await secret.begin();
  const SecretString = JSON.stringify({ ...JSON.parse(await secret.text()), password: 'chosen-by-hand-and-stored' });
  const byHand = { SecretId: secret.arn, ClientRequestToken: token, SecretString, VersionStages: ['AWSPENDING'] };
  await account.client.send(new PutSecretValueCommand(byHand));

  expect(await secret.step('createSecret', token)).toMatchObject({ outcome: 'already-done' });
  await secret.stepsUntil('finishSecret', token);

  expect(await secret.password()).toBe('chosen-by-hand-and-stored');
  await expectWorking(here);
});

/** The signal's timer and the clock may disagree by less than a millisecond; here by so much that nobody can miss it. */
class SignalBeforeClock extends Deadline {
  override signal(): AbortSignal {
    return AbortSignal.timeout(50);
  }
}

test('a call that the deadline ends is a time-out, and not an unreachable service, even if the clock lags behind', async () => {
  await using silent = await SilentServer.start();
  const client = clientOf({ endpoint: `http://${silent.host}:${silent.port}` });
  const deadline = new SignalBeforeClock(60_000);
  const store = secretStore(client, { secretArn: 'app', versionId: randomUUID() }, deadline);

  const error = await store.describe().catch((thrown: unknown) => thrown);

  client.destroy();
  expect(deadline.passed).toBe(false);
  expect(error).toMatchObject({ code: 'SECRETS_MANAGER_TIMEOUT' });
});
