/** Moving many secrets from AWS's function to ours, and back, in one command each. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CancelRotateSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, describe, expect, it } from 'vitest';
import { mapLimited } from '../../../cli/map-limited.ts';
import { deploy, tag } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';

const { account, command, server } = await operator();

const folder = await mkdtemp(join(tmpdir(), 'records-'));
afterAll(async () => await rm(folder, { recursive: true }));

/** Takes every step for done and logs nothing: like AWS's, of which this command can tell nothing. */
const AWS_FUNCTION = 'SecretsManagerRDSPostgreSQLRotationSingleUser';
const aws = account.lab.functions.register({
  name: AWS_FUNCTION,
  bundle: fileURLToPath(new URL('../../support/functions/scripted-rotation.mjs', import.meta.url)),
  concurrency: 2,
  settings: { runtime: 'python3.10' },
});
const ours = deploy(account, 'single-user');
account.lab.resources.stacks.set('ours', { name: 'ours', outputs: { SingleUserFunctionArn: ours } });

const describeSecret = (SecretId: string) => account.client.send(new DescribeSecretCommand({ SecretId }));

/** Secrets of one login, attached to AWS's function, under a tag of their own. */
async function ofAws(group: string, count: number, role: { name: string; password: string; database: string }) {
  const arns = await mapLimited(Array.from({ length: count }), 10, async () => {
    const { arn } = await account.secretFor(server, role, { strategy: 'single-user' });
    await tag(account, arn, { group });
    const RotationRules = { ScheduleExpression: 'rate(10 days)', Duration: '3h' };
    await account.client.send(
      new RotateSecretCommand({ SecretId: arn, RotationLambdaARN: aws, RotationRules, RotateImmediately: false }),
    );
    await account.lab.settled(arn);
    return arn;
  });
  return {
    arns,
    all: ['attach', '--all', '--filter', `tag:group=${group}`, '--from', AWS_FUNCTION, '--stack', 'ours'],
  };
}

const functionsOf = async (arns: readonly string[]) =>
  new Set((await mapLimited(arns, 10, describeSecret)).map(({ RotationLambdaARN }) => RotationLambdaARN));

// Seven commands and more, each a process.
describe('attach --all', { timeout: 240_000 }, () => {
  it('moves what is sound, says what stays and why, and is undone by its record', async () => {
    await using scope = roleScope(server);
    const role = await scope.createAppRole();
    const { arns, all } = await ofAws('some', 4, role);
    const [one = '', other = '', wrong = '', cancelled = ''] = arns;
    const value = { engine: 'postgres', host: server.host, port: server.port, username: role.name, ssl: false };
    const SecretString = JSON.stringify({ ...value, password: 'not-what-the-server-has' });
    await account.client.send(new PutSecretValueCommand({ SecretId: wrong, SecretString }));
    await account.client.send(new CancelRotateSecretCommand({ SecretId: cancelled }));

    const dry = await command.run([...all, '--dry-run']);
    expect(dry.exitCode).toBe(4);
    expect(dry.stdout).toMatch(/^In account 123456789012, us-east-1: test-\S+, test-\S+\n/);
    expect(dry.stdout).toContain(`  2 secrets: ${AWS_FUNCTION} → rotation-SingleUserFunction\n`);
    expect(dry.stdout).toContain('  2 secrets: schedules stay as they are\n');
    expect(dry.stdout).toMatch(/Passed over, as their rotation was cancelled: test-\S+\n/);
    expect(dry.stdout).toMatch(/ {2}stays test-\S+ {2}PASSWORD_NOT_ACCEPTED: /);
    expect(await functionsOf(arns)).toEqual(new Set([aws]));

    const record = join(folder, 'some.jsonl');
    const moved = await command.run([...all, '--yes', '--record', record]);
    expect(moved).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('2 secrets: 2 done, 0 failed') });
    expect(moved.stdout).toContain(`To undo it: rotation attach --undo ${record}`);
    expect(await functionsOf([one, other])).toEqual(new Set([ours]));
    expect(await functionsOf([wrong, cancelled])).toEqual(new Set([aws]));
    expect(await readFile(record, 'utf8')).not.toContain(role.password);
    const kept = (await describeSecret(one)).RotationRules;
    expect(kept).toMatchObject({ ScheduleExpression: 'rate(10 days)', Duration: '3h' });
    // As after an interruption: it goes on where it ended.
    const again = await command.run([...all.filter((word) => word !== '--from' && word !== AWS_FUNCTION), '--dry-run']);
    expect(again.stdout).toContain('2 secrets there already');

    const undone = await command.run(['attach', '--undo', record, '--yes']);
    expect(undone).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('2 secrets: 2 done, 0 failed') });
    for (const arn of arns) await account.lab.settled(arn);
    expect(await functionsOf(arns)).toEqual(new Set([aws]));
    expect((await describeSecret(one)).RotationRules).toEqual(kept);
  });

  it('begins no more after so many failures', async () => {
    await using scope = roleScope(server);
    const { arns, all } = await ofAws('failing', 4, await scope.createAppRole());
    const denied = { operation: 'RotateSecret', times: Number.POSITIVE_INFINITY, type: 'AccessDeniedException' };
    const faults = arns.map((secret) => account.lab.faults.fail({ ...denied, secret, message: 'Not for you' }));
    const record = join(folder, 'failing.jsonl');
    const limits = ['--yes', '--no-login', '--stop-after', '2', '--at-once', '1', '--record', record];
    const { exitCode, answer } = await command.json([...all, ...limits]);
    for (const fault of faults) fault.remove();
    expect({ exitCode, counts: answer.counts }).toEqual({
      exitCode: 3,
      counts: { done: 0, failed: 2, unproven: 0, notStarted: 2 },
    });
    expect(await functionsOf(arns)).toEqual(new Set([aws]));
  });

  it.each([
    [['--all'], /--stack or --function was needed with --all/],
    [['a', '--all', '--stack', 'ours'], /One of a secret, --all or --undo/],
    [['a', '--from', 'x'], /--from goes with --all/],
    [['--undo', '/nope.jsonl'], /nope\.jsonl can't be read \(ENOENT\)/],
    [['--undo', 'package.json'], /package\.json can't be read/],
  ])('makes no sense of %j', async (args, words) => {
    expect(await command.run(['attach', ...args])).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(words) });
  });

  it('moves 300 secrets over, spread over hours, and back, in one command each', { timeout: 900_000 }, async () => {
    await using scope = roleScope(server);
    const { arns, all } = await ofAws('fleet', 300, await scope.createAppRole());
    const record = join(folder, 'fleet.jsonl');
    const when = ['--schedule', 'cron(0 2 ? * SUN *)', '--spread', '6'];
    const over = await command.json([...all, ...when, '--yes', '--record', record, '--at-once', '10']);
    const { counts, refused } = over.answer;
    expect({ exitCode: over.exitCode, counts, refused }).toEqual({
      exitCode: 0,
      refused: [],
      counts: { done: 300, failed: 0, unproven: 0, notStarted: 0 },
    });
    const moved = await mapLimited(arns, 10, describeSecret);
    expect(new Set(moved.map(({ RotationLambdaARN }) => RotationLambdaARN))).toEqual(new Set([ours]));
    const hours = moved.map(({ RotationRules }) =>
      Number(/cron\(0 (\d+) /.exec(RotationRules?.ScheduleExpression ?? '')?.[1]),
    );
    for (const hour of [2, 3, 4, 5, 6, 7]) expect(hours.filter((each) => each === hour)).toHaveLength(50);

    const back = await command.json(['attach', '--undo', record, '--yes', '--at-once', '10']);
    expect({ exitCode: back.exitCode, done: back.answer.counts.done }).toEqual({ exitCode: 0, done: 300 });
    await mapLimited(arns, 10, (arn) => account.lab.settled(arn));
    const restored = await mapLimited(arns, 10, describeSecret);
    expect(new Set(restored.map(({ RotationLambdaARN }) => RotationLambdaARN))).toEqual(new Set([aws]));
    expect(new Set(restored.map(({ RotationRules }) => RotationRules?.ScheduleExpression))).toEqual(
      new Set(['rate(10 days)']),
    );
  });
});
