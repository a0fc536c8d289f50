import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  type RotateSecretCommandInput,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, startClock } from '../../../scripts/lab/clock.ts';
import { type LabEvent, trailEvent } from '../../../scripts/lab/events.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, eventually, freshName, newToken, refusal } from '../../support/secrets-lab-client.ts';

const BUNDLE = fileURLToPath(new URL('../../support/functions/scripted-rotation.mjs', import.meta.url));
const INCOMPLETE = {
  name: 'InvalidRequestException',
  message: "A previous rotation isn't complete. That rotation will be reattempted.",
};

let folder: string;
let shared: Account;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-rotation-'));
  shared = await startAccount();
});
afterAll(async () => {
  await shared.close();
  await rm(folder, { recursive: true });
});

type Account = Awaited<ReturnType<typeof startAccount>>;

/** A lab, a client and secrets with functions that behave as told. */
async function startAccount(clock?: Clock) {
  const lab: SecretsLab = await startSecretsManager({ retries: 2, retryDelayMs: 50, ...(clock && { clock }) });
  const client: SecretsManagerClient = clientOf(lab);
  const events: LabEvent[] = [];
  lab.on((event) => events.push(event));

  async function secret(behaviour: Record<string, string> = {}, timeoutMs = 10_000) {
    const Name = freshName('rotated');
    const RECORD_FILE = join(folder, Name);
    const functionArn = lab.functions.register({
      name: Name,
      bundle: BUNDLE,
      timeoutMs,
      environment: { RECORD_FILE, ...behaviour },
    });
    const { ARN = '', VersionId: v1 = '' } = await client.send(new CreateSecretCommand({ Name, SecretString: 'v1' }));
    const calls = async () => {
      const text = await readFile(RECORD_FILE, 'utf8').catch(() => '');
      return text.split('\n').flatMap((line): Record<string, unknown>[] => (line ? [JSON.parse(line)] : []));
    };
    const steps = async () => (await calls()).map((call) => call.Step);
    return {
      Name,
      ARN,
      v1,
      functionArn,
      rotate: async (input: Partial<RotateSecretCommandInput> = {}) => {
        const answer = await client.send(
          new RotateSecretCommand({ SecretId: Name, RotationLambdaARN: functionArn, ...input }),
        );
        return answer.VersionId ?? '';
      },
      describe: () => client.send(new DescribeSecretCommand({ SecretId: Name })),
      stages: async () => (await client.send(new DescribeSecretCommand({ SecretId: Name }))).VersionIdsToStages,
      read: (VersionStage = 'AWSCURRENT') => client.send(new GetSecretValueCommand({ SecretId: Name, VersionStage })),
      cancel: () => client.send(new CancelRotateSecretCommand({ SecretId: Name })),
      settled: () => lab.settled(Name),
      calls,
      steps,
      /** Resolves once the function is in that step. */
      reached: (step: string) => eventually(async () => ((await steps()).includes(step) ? true : undefined)),
      /** Lets a function go on that waits. */
      go: () => writeFile(`${RECORD_FILE}.go`, ''),
      news: () => events.flatMap((event) => ('secretName' in event && event.secretName === Name ? [event] : [])),
    };
  }

  async function close(): Promise<void> {
    client.destroy();
    await lab.close();
  }

  return { lab, client, secret, close, [Symbol.asyncDispose]: close };
}

/** A clock that stands still, and whose alarms go off when told. */
function alarmClock() {
  const now = new Date();
  const alarms = new Set<() => void>();
  const clock: Clock = {
    now: () => now,
    callAt(_, callback) {
      alarms.add(callback);
      return { cancel: () => alarms.delete(callback) };
    },
  };
  return {
    clock,
    ring: () => {
      for (const alarm of [...alarms]) alarm();
    },
  };
}

const ALL_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];

describe('a rotation', () => {
  it('calls the four steps with the full ARN, one token and a RotationToken, and cleans up after itself', async () => {
    const { v1, ARN, rotate, settled, calls, stages, describe: show, read } = await shared.secret();
    const before = Date.now();
    const version = await rotate({ RotationRules: { AutomaticallyAfterDays: 30 } });
    await settled();

    const seen = await calls();
    expect(seen.map((call) => call.Step)).toEqual(ALL_STEPS);
    for (const call of seen)
      expect(call).toMatchObject({ SecretId: ARN, ClientRequestToken: version, hasRotationToken: true });
    expect(new Set(seen.map((call) => call.pid)).size).toBe(1);
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [version]: ['AWSCURRENT'] });
    expect((await read()).SecretString).toBe(`value of ${version}`);
    const described = await show();
    expect(described).toMatchObject({ RotationEnabled: true, RotationRules: { AutomaticallyAfterDays: 30 } });
    expect(described.LastRotatedDate?.getTime()).toBeGreaterThanOrEqual(before - 1);
    const next = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000 + 31 * 86_400_000 - 1000);
    expect(described.NextRotationDate).toEqual(next);
  });

  it('with a schedule tells the days up to the next one too, once it has succeeded', async () => {
    const { rotate, settled, describe: show } = await shared.secret();
    await rotate({ RotationRules: { ScheduleExpression: 'rate(9 days)', Duration: '2h' }, RotateImmediately: false });
    await settled();
    expect((await show()).RotationRules).toEqual({ ScheduleExpression: 'rate(9 days)', Duration: '2h' });
    await rotate();
    await settled();
    expect((await show()).RotationRules).toEqual({
      ScheduleExpression: 'rate(9 days)',
      Duration: '2h',
      AutomaticallyAfterDays: 9,
    });
  });

  it('uses the token it is given as the version id, and answers before the function has been called', async () => {
    const { rotate, settled, stages, read } = await shared.secret({ BEHAVIOUR_createSecret: 'hang' }, 500);
    const token = newToken();
    expect(await rotate({ ClientRequestToken: token })).toBe(token);
    expect((await stages())?.[token]).toEqual(['AWSPENDING']);
    expect(await refusal(read('AWSPENDING'))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    });
    await settled();
  });

  it('registers a version that has its label and no value, by label, by id and by both', async () => {
    const { rotate, settled, Name, cancel } = await shared.secret({ BEHAVIOUR_createSecret: 'hang' }, 500);
    const VersionId = await rotate();
    const read = (which: { VersionId?: string; VersionStage?: string }) =>
      refusal(shared.client.send(new GetSecretValueCommand({ SecretId: Name, ...which })));
    const byId = {
      name: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for VersionId: ${VersionId}`,
    };
    expect(await read({ VersionId })).toEqual(byId);
    expect(await read({ VersionId, VersionStage: 'AWSPENDING' })).toEqual(byId);
    expect((await read({ VersionId, VersionStage: 'AWSCURRENT' })).name).toBe('InvalidRequestException');
    await cancel();
    expect(await read({ VersionId, VersionStage: 'AWSPENDING' })).toEqual(byId);
    await settled();
  });

  it('again and again, with what is configured already', async () => {
    const { rotate, settled, stages, Name } = await shared.secret();
    const first = await rotate();
    await settled();
    const { VersionId: second = '' } = await shared.client.send(new RotateSecretCommand({ SecretId: Name }));
    await settled();
    expect(await stages()).toEqual({ [first]: ['AWSPREVIOUS'], [second]: ['AWSCURRENT'] });
  });

  it('tells its story as events that hold no value and no RotationToken', async () => {
    const { rotate, settled, news } = await shared.secret();
    const version = await rotate();
    await settled();
    expect(news().map((event) => event.type)).toEqual([
      'rotation-started',
      ...ALL_STEPS.flatMap(() => ['step-started', 'step-ended']),
      'rotation-succeeded',
    ]);
    expect(JSON.stringify(news())).not.toContain(`value of ${version}`);
    expect(JSON.stringify(news())).not.toContain('RotationToken');
  });

  it('with the token of a rotation that has succeeded does nothing more', async () => {
    const { rotate, settled, steps } = await shared.secret();
    const token = await rotate();
    await settled();
    await rotate({ ClientRequestToken: token });
    await settled();
    expect(await steps()).toEqual(ALL_STEPS);
  });
});

describe('RotateSecret refuses', () => {
  it('a secret without a function', async () => {
    const { Name } = await shared.secret();
    expect(await refusal(shared.client.send(new RotateSecretCommand({ SecretId: Name })))).toEqual({
      name: 'InvalidRequestException',
      message: 'No Lambda rotation function ARN is associated with this secret.',
    });
  });

  it('a function that cannot be invoked, and configures nothing', async () => {
    const { rotate, describe: show, v1 } = await shared.secret();
    expect(await refusal(rotate({ RotationLambdaARN: 'arn:aws:lambda:us-east-1:123456789012:function:none' }))).toEqual(
      {
        name: 'AccessDeniedException',
        message:
          'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
      },
    );
    const described = await show();
    expect(described.RotationEnabled).toBeUndefined();
    expect(described.VersionIdsToStages).toEqual({ [v1]: ['AWSCURRENT'] });
  });

  it.each([
    [
      'days and a schedule',
      { AutomaticallyAfterDays: 1, ScheduleExpression: 'rate(1 day)' },
      'You cannot specify both rotation frequency and schedule expression together.',
    ],
    ['1001 days', { AutomaticallyAfterDays: 1001 }, 'RotationRules.AutomaticallyAfterDays must be within 1-1000.'],
    ['every hour', { ScheduleExpression: 'rate(1 hour)' }, '4 hours'],
  ])('%s', async (_, RotationRules, message) => {
    const { rotate, describe: show } = await shared.secret();
    const refused = await refusal(rotate({ RotationRules }));
    expect(refused.name).toBe('InvalidParameterException');
    expect(refused.message).toContain(message);
    expect((await show()).RotationEnabled).toBeUndefined();
  });

  it('a secret that is scheduled for deletion, and one that does not exist', async () => {
    const { Name, rotate } = await shared.secret();
    await shared.client.send(new DeleteSecretCommand({ SecretId: Name }));
    expect((await refusal(rotate())).name).toBe('InvalidRequestException');
    expect((await refusal(rotate({ SecretId: 'missing' }))).name).toBe('ResourceNotFoundException');
  });
});

describe('a failed rotation', () => {
  it('is tried again from the start with the same token', async () => {
    const { rotate, settled, steps, calls, stages, news } = await shared.secret({ BEHAVIOUR_testSecret: 'fail-once' });
    const version = await rotate();
    await settled();
    expect(await steps()).toEqual(['createSecret', 'setSecret', 'testSecret', ...ALL_STEPS]);
    expect(new Set((await calls()).map((call) => call.ClientRequestToken))).toEqual(new Set([version]));
    expect((await stages())?.[version]).toEqual(['AWSCURRENT']);
    expect(news().find((event) => event.type === 'rotation-failed')).toMatchObject({
      willRetry: true,
      error: { errorType: 'ScriptedError', errorMessage: 'told to fail once' },
    });
  });

  it.each([
    ['throws', { BEHAVIOUR_setSecret: 'fail' }, ['createSecret', 'setSecret'], 'ScriptedError', 10_000],
    ['ends its process', { BEHAVIOUR_setSecret: 'crash' }, ['createSecret', 'setSecret'], 'Runtime.ExitError', 10_000],
    ['is busy at its deadline', { BEHAVIOUR_createSecret: 'hang' }, ['createSecret'], 'Sandbox.Timedout', 500],
  ])('keeps AWSPENDING and refuses a new one, which sets off the old one, where the function %s', async (_, behaviour, tried, errorType, timeoutMs) => {
    const { v1, rotate, settled, steps, stages, news } = await shared.secret(behaviour, timeoutMs);
    const version = await rotate();
    await settled();
    expect(await steps()).toEqual([...tried, ...tried, ...tried]);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'], [version]: ['AWSPENDING'] });
    expect(news().at(-1)).toMatchObject({
      type: 'rotation-failed',
      willRetry: false,
      attempt: 3,
      error: { errorType },
    });

    expect(await refusal(rotate())).toEqual(INCOMPLETE);
    await settled();
    expect(await steps()).toHaveLength(6 * tried.length);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'], [version]: ['AWSPENDING'] });
  });

  it('is one whose finishSecret does not move AWSCURRENT', async () => {
    const { rotate, settled, stages, news } = await shared.secret({ BEHAVIOUR_finishSecret: 'nothing' });
    const version = await rotate();
    await settled();
    expect((await stages())?.[version]).toEqual(['AWSPENDING']);
    expect(news().at(-1)).toMatchObject({ type: 'rotation-failed', willRetry: false });
  });

  it('makes room for a new one once AWSPENDING is taken off', async () => {
    const { Name, v1, rotate, settled, stages } = await shared.secret({ BEHAVIOUR_setSecret: 'fail' });
    const stuck = await rotate();
    await settled();
    await shared.client.send(
      new UpdateSecretVersionStageCommand({ SecretId: Name, VersionStage: 'AWSPENDING', RemoveFromVersionId: stuck }),
    );
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'] });
    shared.lab.functions.register({ name: Name, bundle: BUNDLE });
    const fresh = await rotate();
    await settled();
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [fresh]: ['AWSCURRENT'] });
  });

  it('is given up when AWSPENDING is taken off in the middle', async () => {
    const { Name, rotate, settled, steps, reached, go, news } = await shared.secret({ BEHAVIOUR_setSecret: 'wait' });
    const version = await rotate();
    await reached('setSecret');
    await shared.client.send(
      new UpdateSecretVersionStageCommand({ SecretId: Name, VersionStage: 'AWSPENDING', RemoveFromVersionId: version }),
    );
    await go();
    await settled();
    expect(await steps()).toEqual(['createSecret', 'setSecret', 'testSecret']);
    expect(news().at(-1)).toMatchObject({ type: 'rotation-abandoned' });
  });
});

describe('CancelRotateSecret', () => {
  it('stops before the next step, turns rotation off and leaves AWSPENDING, so that a new rotation is refused', async () => {
    const account = await shared.secret({ BEHAVIOUR_setSecret: 'wait' });
    const { rotate, settled, steps, stages, cancel, reached, go, v1 } = account;
    const version = await rotate({ RotationRules: { AutomaticallyAfterDays: 1 } });
    await reached('setSecret');
    expect((await cancel()).VersionId).toBe(version);
    await go();
    await settled();
    expect(await steps()).toEqual(['createSecret', 'setSecret']);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'], [version]: ['AWSPENDING'] });
    const described = await account.describe();
    expect(described.RotationEnabled).toBe(false);
    expect(described.NextRotationDate).toBeUndefined();
    expect(await refusal(rotate())).toEqual(INCOMPLETE);
    await settled();
    expect(await steps()).toHaveLength(2);
  });

  it('is undone by RotateSecret', async () => {
    const { rotate, settled, cancel, describe: show } = await shared.secret();
    await rotate({ RotationRules: { AutomaticallyAfterDays: 10 } });
    await settled();
    await cancel();
    await rotate();
    await settled();
    expect(await show()).toMatchObject({ RotationEnabled: true, RotationRules: { AutomaticallyAfterDays: 10 } });
  });

  it('refuses a secret that was never configured', async () => {
    const { cancel } = await shared.secret();
    expect((await refusal(cancel())).name).toBe('InvalidRequestException');
  });
});

describe('RotateImmediately=false', () => {
  const later = { RotateImmediately: false, RotationRules: { AutomaticallyAfterDays: 7 } };

  it('calls testSecret alone, on a version with the current value that is gone afterwards', async () => {
    const {
      v1,
      rotate,
      settled,
      steps,
      stages,
      describe: show,
      news,
      lab,
    } = { ...(await shared.secret()), lab: shared.lab };
    lab.requests.clear();
    await rotate(later);
    await settled();
    expect(await steps()).toEqual(['testSecret']);
    const read = shared.lab.requests.all().find((request) => request.operation === 'GetSecretValue');
    expect(read).toMatchObject({ versionStage: 'AWSPENDING', status: 200 });
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'] });
    expect((await show()).RotationEnabled).toBe(true);
    expect((await show()).LastRotatedDate).toBeUndefined();
    expect((await show()).NextRotationDate?.getTime()).toBeGreaterThan(Date.now() + 6 * 86_400_000);
    expect(news().at(-1)).toMatchObject({ type: 'rotation-succeeded', kind: 'test' });
  });

  it('takes the version away also when the test fails', async () => {
    const { v1, rotate, settled, stages, news } = await shared.secret({ BEHAVIOUR_testSecret: 'fail' });
    await rotate(later);
    await settled();
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'] });
    expect(news().at(-1)).toMatchObject({ type: 'rotation-failed', kind: 'test', willRetry: false });
  });
});

describe('a schedule', () => {
  it('rotates by itself when the window opens, once in each', async () => {
    // An hour passes in a quarter of a second: four hours are a second.
    await using account = await startAccount(startClock({ timeScale: 14_400 }));
    const { rotate, settled, describe: show, news } = await account.secret();
    const first = await rotate({ RotationRules: { ScheduleExpression: 'rate(4 hours)' } });
    await settled();
    const FOUR_HOURS = 4 * 3_600_000;
    const next = (await show()).NextRotationDate?.getTime() ?? 0;
    expect(next % FOUR_HOURS).toBe(3_600_000 - 1_000);
    const started = await eventually(() => {
      const all = news().filter((event) => event.type === 'rotation-started');
      return all.length >= 4 ? all : undefined;
    });
    const windows = started.map((event) => Math.floor(event.at.getTime() / FOUR_HOURS));
    expect(windows).toEqual([...new Set(windows)].sort((a, b) => a - b));
    expect(new Set(started.map((event) => event.versionId)).size).toBe(started.length);
    expect(started[0]?.versionId).toBe(first);
  });

  it('counts days from a value that was put by hand', async () => {
    // A day passes in a quarter of a second.
    await using account = await startAccount(startClock({ timeScale: 4 * 86_400 }));
    const { Name, rotate, settled, describe: show } = await account.secret();
    await rotate({ RotationRules: { AutomaticallyAfterDays: 500 } });
    await settled();
    const before = (await show()).NextRotationDate?.getTime() ?? 0;
    const twoDaysOn = account.lab.clock.now().getTime() + 2 * 86_400_000;
    await eventually(() => (account.lab.clock.now().getTime() > twoDaysOn ? true : undefined));
    await account.client.send(new PutSecretValueCommand({ SecretId: Name, SecretString: 'by hand' }));
    expect((await show()).NextRotationDate?.getTime()).toBeGreaterThan(before);
  });

  it('reattempts a rotation that is stuck in window after window, with its token', async () => {
    await using account = await startAccount(startClock({ timeScale: 14_400 }));
    const { rotate, settled, stages, news } = await account.secret({ BEHAVIOUR_setSecret: 'fail' });
    const version = await rotate({ RotationRules: { ScheduleExpression: 'rate(4 hours)' } });
    await settled();
    await eventually(() => (news().filter((event) => event.type === 'rotation-started').length > 6 ? true : undefined));
    await account.client.send(new CancelRotateSecretCommand({ SecretId: news()[0]?.secretName }));
    await settled();
    expect(new Set(news().map((event) => event.versionId))).toEqual(new Set([version]));
    expect((await stages())?.[version]).toEqual(['AWSPENDING']);
  });

  it('is told when AWS would refuse the rotation, and the lab goes on', async () => {
    const { clock, ring } = alarmClock();
    await using account = await startAccount(clock);
    const { Name, v1, rotate, settled, news, read } = await account.secret();
    await rotate({ RotationRules: { ScheduleExpression: 'rate(4 hours)' }, RotateImmediately: false });
    await settled();
    for (let label = 1; label <= 19; label++) {
      const labelled = { SecretId: Name, VersionStage: `L${label}`, MoveToVersionId: v1 };
      await account.client.send(new UpdateSecretVersionStageCommand(labelled));
    }
    ring();
    expect(news().at(-1)).toMatchObject({
      type: 'rotation-failed',
      kind: 'rotation',
      error: { errorType: 'LimitExceededException' },
    });
    expect((await read()).SecretString).toBe('v1');
  });

  it('in days or rate() does not call off the window planned before, where nothing is rotated at once', async () => {
    const { rotate, settled, describe: show } = await shared.secret();
    await rotate({ RotationRules: { ScheduleExpression: 'rate(2 days)' } });
    await settled();
    const planned = (await show()).NextRotationDate;
    const later = { RotateImmediately: false };
    await rotate({ ...later, RotationRules: { ScheduleExpression: 'rate(90 days)' } });
    await settled();
    expect((await show()).NextRotationDate).toEqual(planned);
    await rotate({ ...later, RotationRules: { AutomaticallyAfterDays: 60 } });
    await settled();
    expect((await show()).NextRotationDate).toEqual(planned);
    await rotate({ ...later, RotationRules: { ScheduleExpression: 'cron(0 0 1 JAN ? *)' } });
    await settled();
    const firstOfJanuary = (await show()).NextRotationDate;
    expect(firstOfJanuary?.toISOString().slice(5, 10)).toBe('01-01');
    await rotate({ RotationRules: { AutomaticallyAfterDays: 900 } });
    await settled();
    expect((await show()).NextRotationDate?.getTime()).toBeGreaterThan(firstOfJanuary?.getTime() ?? 0);
  });
});

describe('what CloudTrail would record', () => {
  const recorded = (events: readonly LabEvent[]) => events.flatMap((event) => trailEvent(event) ?? []);

  it('of a rotation, its retries and its test', async () => {
    const { rotate, settled, news } = await shared.secret();
    await rotate({ RotateImmediately: false });
    await settled();
    await rotate();
    await settled();
    expect(recorded(news())).toEqual([
      'TestRotationStarted',
      'TestRotationSucceeded',
      'RotationStarted',
      'RotationSucceeded',
    ]);
    const failing = await shared.secret({ BEHAVIOUR_testSecret: 'fail' });
    await failing.rotate({ RotateImmediately: false });
    await failing.settled();
    expect(recorded(failing.news())).toEqual(['TestRotationStarted', 'TestRotationFailed']);
  });

  it('where AWSPENDING is taken off while nothing runs: RotationAbandoned, once', async () => {
    const { Name, rotate, settled, news } = await shared.secret({ BEHAVIOUR_setSecret: 'fail' });
    const version = await rotate();
    await settled();
    const off = { SecretId: Name, VersionStage: 'AWSPENDING', RemoveFromVersionId: version };
    await shared.client.send(new UpdateSecretVersionStageCommand(off));
    const [started, failed] = ['RotationStarted', 'RotationFailed'];
    const attempts = [started, failed, started, failed, started, failed];
    expect(recorded(news())).toEqual([...attempts, 'RotationAbandoned']);
  });
});
