import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import type { LoggedStep } from '../../support/function-output.ts';
import { sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

const STRATEGY = 'single-user';
const STEP_NAMES = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** What the functions write while `work` runs. */
async function outputOf(
  work: () => Promise<unknown>,
): Promise<{ lines: readonly string[]; objects: readonly LoggedStep[] }> {
  const before = [account.output.lines.length, account.output.objects.length];
  await work();
  return { lines: account.output.lines.slice(before[0]), objects: account.output.objects.slice(before[1]) };
}

/** Metrics in CloudWatch's embedded format: dimensions and values by name. */
function metricsIn(objects: readonly LoggedStep[]) {
  return objects.filter((line) => Object.hasOwn(line, '_aws')).map(({ _aws: _, service: __, ...members }) => members);
}

test('a step says when it starts and when it ends, as JSON', async () => {
  await using here = await arrange(account, await sharedServer(), { strategy: STRATEGY });

  const { lines, objects } = await outputOf(async () => await here.secret.rotate());

  const said = objects.filter((line) => Object.hasOwn(line, 'message'));
  const facts = {
    strategy: STRATEGY,
    secret_arn: here.secret.arn,
    version_id: (await here.secret.labels()).AWSCURRENT,
  };
  expect(said).toMatchObject(
    STEP_NAMES.flatMap((step) => [
      { level: 'INFO', step, ...facts },
      { level: 'INFO', step, ...facts, outcome: 'done', duration_ms: expect.any(Number) },
    ]),
  );
  expect(lines).toHaveLength(objects.length);
});

test('a rotation is measured by step, and counted', async () => {
  await using here = await arrange(account, await sharedServer(), { strategy: STRATEGY });

  const { objects } = await outputOf(async () => await here.secret.rotate());

  const metrics = metricsIn(objects);
  expect(metrics.filter((metric) => Object.hasOwn(metric, 'StepDuration'))).toEqual(
    STEP_NAMES.map((step) => ({ strategy: STRATEGY, step, StepDuration: expect.anything() })),
  );
  expect(metrics.filter((metric) => Object.hasOwn(metric, 'RotationSucceeded'))).toEqual([
    { strategy: STRATEGY, RotationSucceeded: expect.anything() },
  ]);
  expect(metrics.filter((metric) => Object.hasOwn(metric, 'StepFailed'))).toEqual([]);
});

test('a failure is logged with its facts and counted by step and code', async () => {
  const members = { dbname: 'nowhere' };
  await using here = await arrange(account, await sharedServer(), { strategy: STRATEGY }, { members });
  const { server, role, secret } = here;

  const { objects } = await outputOf(async () => await secret.rotate());

  const errors = objects.filter((line) => line.level === 'ERROR');
  expect(errors).toMatchObject([
    {
      strategy: STRATEGY,
      step: 'createSecret',
      secret_arn: secret.arn,
      outcome: 'failed',
      error_code: 'DATABASE_NOT_FOUND',
      reason: '3D000',
      credential: 'current',
      duration_ms: expect.any(Number),
      host: server.host,
      port: server.port,
      username: role.name,
      database: 'nowhere',
      remedy: expect.any(String),
      error_message: expect.stringMatching(/^A session with .* was needed, but .*\.$/),
    },
  ]);
  // Only a fault of ours is told by where it is in the code.
  expect(errors[0]).not.toHaveProperty('stack');
  const counted = metricsIn(objects).filter((metric) => Object.hasOwn(metric, 'StepFailed'));
  expect(counted).toEqual([
    { strategy: STRATEGY, step: 'createSecret', code: 'DATABASE_NOT_FOUND', StepFailed: expect.anything() },
  ]);
  expect(metricsIn(objects).filter((metric) => Object.hasOwn(metric, 'RotationSucceeded'))).toEqual([]);
});

test('POWERTOOLS_LOG_LEVEL=ERROR leaves only failures', async () => {
  const environment = { POWERTOOLS_LOG_LEVEL: 'ERROR' };
  await using here = await arrange(account, await sharedServer(), { strategy: STRATEGY, environment });
  const { objects } = await outputOf(async () => expect((await here.secret.rotate()).outcome).toBe('succeeded'));
  expect(objects.filter((line) => Object.hasOwn(line, 'level'))).toEqual([]);
});

describe('what can go wrong before a step begins', () => {
  const invoke = (event: unknown, environment: Readonly<Record<string, string>> = {}) =>
    account.lab.functions.invoke(account.function({ strategy: STRATEGY, environment }), event);

  test('an event that is not one is refused, and nothing of it is written', async () => {
    const needle = 'never-to-be-written';
    const { lines } = await outputOf(async () => {
      for (const event of [
        null,
        needle,
        { Step: needle, RotationToken: needle },
        { Step: 'setSecret', SecretId: [needle] },
      ])
        expect(await invoke(event)).toMatchObject({ ok: false, errorType: 'RotationError' });
    });
    expect(lines.filter((line) => line.includes('INVALID_EVENT')).length).toBeGreaterThanOrEqual(4);
    expect(lines.filter((line) => line.includes(needle))).toEqual([]);
  });

  test('a variable that cannot be read fails the step with its name, and no call is made', async () => {
    await using here = await arrange(account, await sharedServer(), {
      strategy: STRATEGY,
      environment: { PASSWORD_LENGTH: 'long' },
    });
    expect((await here.secret.rotate()).steps).toMatchObject([
      { step: 'createSecret', error_code: 'INVALID_ENVIRONMENT', key: 'PASSWORD_LENGTH' },
    ]);
    expect(here.secret.calls).toEqual([]);
  });

  test('the error that the service gets says what the log says', async () => {
    const event = { Step: 'createSecret', SecretId: 'nowhere', ClientRequestToken: randomUUID() };
    const { objects } = await outputOf(async () => {
      const result = await invoke(event);
      expect(result).toMatchObject({ ok: false, errorType: 'RotationError' });
    });
    expect(objects.find((line) => line.level === 'ERROR')).toMatchObject({ error_code: 'SECRET_NOT_FOUND' });
  });
});
