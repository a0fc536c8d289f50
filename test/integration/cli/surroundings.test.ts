/** The command and what is around it: the shell, the AWS configuration, a service that does not answer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelRotateSecretCommand, CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, describe, expect, it } from 'vitest';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { RotationCommand } from '../../support/command.ts';
import { DeafService } from '../../support/deaf-service.ts';
import { operator } from '../../support/operator.ts';
import { freshName } from '../../support/secrets-lab-client.ts';

const { account, command, server } = await operator();

const STRATEGY = { strategy: 'single-user' } as const;

async function attached(named: string): Promise<Arrangement> {
  const here = await arrange(account, server, STRATEGY, { named });
  await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
  return here;
}

const isCancelled = async ({ secret }: Arrangement) =>
  await account.client.send(new CancelRotateSecretCommand({ SecretId: secret.arn }));

describe('what is written', () => {
  it('is all there where a pipe takes it, however much it is', async () => {
    const names = Array.from({ length: 300 }, () => freshName(`a-name-that-is-rather-long-${'x'.repeat(100)}`));
    const value = { SecretString: '{"no":"login"}' };
    await Promise.all(names.map((Name) => account.client.send(new CreateSecretCommand({ Name, ...value }))));
    const { exitCode, stdout } = await command.piped(['status', ...names, '--json'], '| cat');
    expect(stdout.length).toBeGreaterThan(100_000);
    expect({ exitCode, names: JSON.parse(stdout).secrets.map((each: { secret: string }) => each.secret) }).toEqual({
      exitCode: 0,
      names,
    });
  });

  it('is an error where it can not be written', async () => {
    await using here = await attached('full');
    expect(await command.piped(['status', here.secret.arn, '--json'], '> /dev/full')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('ENOSPC'),
    });
  });
});

describe('whom AWS is asked as', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aws-configuration-'));
  afterAll(async () => await rm(folder, { recursive: true }));
  const credentials = join(folder, 'credentials');
  await writeFile(credentials, '[other]\naws_access_key_id = of-the-profile\naws_secret_access_key = s\n');
  const files = { AWS_SHARED_CREDENTIALS_FILE: credentials };
  const noKeys = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };

  // As the AWS CLI does: botocore, create_credential_resolver.
  it.each<[string, Readonly<Record<string, string>>, string[], string]>([
    ['keys of the environment', {}, [], 'test'],
    ['those keys before AWS_PROFILE', { AWS_PROFILE: 'other' }, [], 'test'],
    ['--profile before those keys', {}, ['--profile', 'other'], 'of-the-profile'],
    ['AWS_PROFILE without keys', { ...noKeys, AWS_PROFILE: 'other' }, [], 'of-the-profile'],
  ])('is: %s', async (_, env, args, key) => {
    await using service = await DeafService.start({ answers: true });
    const { stderr } = await new RotationCommand(service).run(['status', 'a', ...args], { env: { ...files, ...env } });
    expect(stderr).not.toContain('WARNING');
    expect(new Set(service.accessKeys)).toEqual(new Set([key]));
  });

  it('is nobody where the profile does not exist, and it is named', async () => {
    const { exitCode, stderr } = await command.run(['status', 'a', '--profile', 'misspelt'], { env: files });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/there is no profile misspelt .*\n.*aws configure list-profiles/);
  });

  it("follows a secret's ARN to its region", async () => {
    const { stderr } = await command.run(['status', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf']);
    expect(stderr).toContain("can't find the specified secret");
    const requests = account.lab.requests.all().filter(({ region }) => region === 'eu-west-1');
    expect(requests).not.toEqual([]);
  });
});

describe('a service that does not answer', () => {
  const once = { AWS_MAX_ATTEMPTS: '1' };

  it('is told after a while', async () => {
    await using service = await DeafService.start({ answers: false });
    const { exitCode, stderr } = await new RotationCommand(service).run(['status', 'a'], { env: once });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('AWS could not be reached') });
  });

  it('does not hold up Ctrl-C', async () => {
    await using service = await DeafService.start({ answers: false });
    const running = new RotationCommand(service).start(['status', 'a']);
    await service.asked();
    const begun = performance.now();
    running.child.kill('SIGINT');
    expect((await running.ended()).exitCode).toBe(130);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it('does not outlast the time that a rotation is watched', async () => {
    await using here = await attached('deaf');
    account.lab.faults.delay({ operation: 'PutSecretValue', secret: here.secret.arn, ms: 2_500 });
    const running = command.start(['now', here.secret.arn, '--timeout', '1']);
    await running.says('Rotating');
    const silence = { operation: 'DescribeSecret', secret: here.secret.arn, times: Number.POSITIVE_INFINITY };
    const fault = account.lab.faults.delay({ ...silence, ms: 60_000, when: isOfCommand });
    const { exitCode, stdout } = await running.ended();
    fault.remove();
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: expect.stringContaining('The time to watch is up') });
    await account.lab.settled(here.secret.arn);
  });
});

const isOfCommand = ({ userAgent }: { readonly userAgent?: string | undefined }) =>
  userAgent?.includes('exec-env/AWS_Lambda') === false;

describe('a rotation that somebody has cancelled', () => {
  it('is not turned on again without being told to', async () => {
    await using here = await attached('cancelled');
    await isCancelled(here);
    const before = await here.secret.labels();
    const { exitCode, stderr } = await command.run(['now', here.secret.arn]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: expect.stringMatching(/cancelled.*\n.*--turn-on/) });
    expect(await here.secret.labels()).toEqual(before);
    expect((await command.run(['now', here.secret.arn, '--turn-on'])).exitCode).toBe(0);
    expect(await here.secret.labels()).not.toEqual(before);
  });

  it('is passed over by --all, which says so', async () => {
    await using here = await attached('passed');
    await using other = await attached('rotated');
    for (const { secret } of [here, other]) await tag(account, secret.arn, { team: 'cancelled' });
    await isCancelled(here);
    const before = await here.secret.labels();
    const args = ['now', '--all', '--filter', 'tag:team=cancelled', '--yes'];
    const { exitCode, stdout } = await command.run(args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^In account 123456789012, us-east-1: test-\S+\n/);
    expect(stdout).toMatch(/Passed over, as their rotation was cancelled: test-\S+\n/);
    expect(stdout).toContain('1 secret: 1 rotated, 0 failed, 0 not known.');
    expect(await here.secret.labels()).toEqual(before);
    const { answer } = await command.json(args);
    expect(answer.passedOver).toMatchObject([{ arn: here.secret.arn, why: 'cancelled' }]);
  });
});

it.each([
  ['status', []],
  ['now', ['--yes']],
])('%s --all that finds nothing says where, and is no success', async (subcommand, more) => {
  const args = [subcommand, '--all', '--filter', 'tag:team=nobody', ...more];
  const { exitCode, stderr, stdout } = await command.run(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toContain('none was found in account 123456789012, us-east-1.');
});
