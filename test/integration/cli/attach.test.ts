import { DescribeSecretCommand, UpdateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { deploy } from '../../support/attached.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';
import { toolIsHere } from '../../support/tools.ts';
import { twins } from '../../support/twins.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const { account, command, server } = await operator();
const single = deploy(account, 'single-user');
const alternating = deploy(account, 'alternating-users');
const outputs = { SingleUserFunctionArn: single, AlternatingUsersFunctionArn: alternating };
account.lab.resources.stacks.set('my-rotation', { name: 'my-rotation', outputs });
account.lab.resources.stacks.set('other', { name: 'other', outputs: {} });

const unattached = () => arrange(account, server, { strategy: 'single-user' });
const describeSecret = (SecretId: string) => account.client.send(new DescribeSecretCommand({ SecretId }));
const STACK = ['--stack', 'my-rotation', '--yes'];

it('attaches to the function of the stack, has it log in, and rotates nothing', async () => {
  await using here = await unattached();
  const before = await here.secret.labels();
  const { exitCode, stdout } = await command.run(['attach', here.secret.arn, ...STACK]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`function  none → ${single}`);
  expect(stdout).toContain('schedule  none → rate(30 days)');
  expect(stdout).toMatch(/Attached test-\S+: the function logs in with its password\.\n$/);
  expect(await describeSecret(here.secret.arn)).toMatchObject({
    RotationEnabled: true,
    RotationLambdaARN: single,
    RotationRules: { ScheduleExpression: 'rate(30 days)' },
  });
  expect(await here.secret.labels()).toEqual(before);
  expect(command.written).not.toContain(here.role.password);
});

it('takes the alternating-users function for a secret that names a superuser secret', async () => {
  await using scope = roleScope(server);
  const pair = await twins(account, scope);
  const { exitCode, answer } = await command.json(['attach', pair.secret.arn, ...STACK]);
  expect(exitCode).toBe(0);
  expect(answer).toMatchObject({
    strategy: 'alternating-users',
    function: alternating,
    outcome: 'attached',
    test: { outcome: 'succeeded' },
  });
  expect(answer.findings).toContainEqual(expect.objectContaining({ check: 'superuser secret', state: 'ok' }));
});

it('moves a superuser, whom alternating users refuse, to single user as the remedy says', async () => {
  await using scope = roleScope(server);
  const { secret } = await twins(account, scope, { attributes: 'SUPERUSER' });
  const { steps } = await secret.rotate();
  expect(steps.at(-1)).toMatchObject({
    error_code: 'APPLICATION_USER_IS_SUPERUSER',
    remedy: expect.stringMatching(/to the single-user function, AWSPENDING taken off first \(rotation doctor --fix/),
  });
  const move = ['attach', secret.arn, '--function', single, '--strategy', 'single-user', '--yes'];
  expect((await command.run(move)).stdout).toContain('Refused: labels');
  const { stdout } = await command.run(['doctor', secret.arn, '--fix', '--yes']);
  expect(stdout).toContain('Fixed: AWSPENDING is off.');
  expect(stdout).toMatch(/\nNext: [^\n]*[^.;]; then: rotation doctor /);
  expect((await command.run(move)).exitCode).toBe(0);
  expect((await command.run(['now', secret.arn])).exitCode).toBe(0);
});

it('rotates at once where told to, by the schedule and window given', async () => {
  await using here = await unattached();
  const when = ['--schedule', 'cron(0 4 ? * SUN *)', '--window', '2h', '--rotate-immediately'];
  const { exitCode, stdout } = await command.run(['attach', here.secret.arn, ...STACK, ...when]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('it was rotated');
  expect((await describeSecret(here.secret.arn)).RotationRules).toEqual({
    ScheduleExpression: 'cron(0 4 ? * SUN *)',
    Duration: '2h',
    AutomaticallyAfterDays: expect.any(Number),
  });
  await expectWorking(here);
});

it('changes nothing where there is nothing to change, and only what is told where there is', async () => {
  await using here = await unattached();
  await command.run(['attach', here.secret.arn, ...STACK]);
  const again = await command.json(['attach', here.secret.arn]);
  expect(again).toMatchObject({ exitCode: 0, answer: { outcome: 'unchanged', changes: [] } });
  const { answer } = await command.json(['attach', here.secret.arn, '--schedule', 'rate(12 hours)', '--yes']);
  expect(answer.changes).toEqual([{ what: 'schedule', before: 'rate(30 days)', after: 'rate(12 hours)' }]);
});

it('keeps a schedule that the service tells in days too, once it has rotated, and its window', async () => {
  await using here = await unattached();
  await command.run(['attach', here.secret.arn, ...STACK, '--window', '3h', '--rotate-immediately']);
  const rules = { ScheduleExpression: 'rate(30 days)', Duration: '3h' };
  expect((await describeSecret(here.secret.arn)).RotationRules).toEqual({ ...rules, AutomaticallyAfterDays: 30 });
  const again = await command.json(['attach', here.secret.arn]);
  expect(again).toMatchObject({ exitCode: 0, answer: { outcome: 'unchanged', rules } });
  const doctor = await command.json(['doctor', here.secret.arn, '--no-login']);
  expect(doctor.answer.findings).toContainEqual(expect.objectContaining({ check: 'schedule', state: 'ok' }));

  const { answer } = await command.json(['attach', here.secret.arn, '--schedule', 'rate(5 days)', '--yes']);
  expect(answer.rules).toEqual({ ScheduleExpression: 'rate(5 days)', Duration: '3h' });
});

it('waits for what the log tells late', async () => {
  await using here = await unattached();
  account.lab.resources.logDelayMs = 4_000;
  const { exitCode, answer } = await command.json(['attach', here.secret.arn, ...STACK]);
  account.lab.resources.logDelayMs = 0;
  expect({ exitCode, test: answer.test }).toEqual({ exitCode: 0, test: { outcome: 'succeeded' } });
});

it('says what the function will do only where it will do it', async () => {
  await using here = await unattached();
  const plan = 'The function logs in with the current password now';
  expect((await command.run(['attach', here.secret.arn, ...STACK])).stdout).toContain(plan);
  const again = await command.run(['attach', here.secret.arn]);
  expect(again.stdout).toContain('Nothing is to be changed.');
  expect(again.stdout).not.toContain(plan);
});

it('refuses a function that Secrets Manager may not invoke, with the command that would allow it', async () => {
  await using here = await unattached();
  const functionArn = deploy(account, 'single-user', { named: '-shut', settings: { permission: 'none' } });
  const { exitCode, stdout } = await command.run(['attach', here.secret.arn, '--function', functionArn, '--yes']);
  expect(exitCode).toBe(4);
  expect(stdout).not.toContain('logs in with the current password now');
  expect(stdout).toContain(`aws lambda add-permission --function-name ${functionArn}`);
  expect(stdout).toContain(
    'Refused: invoke permission: Secrets Manager may not invoke the function. Nothing was changed.',
  );
  expect((await describeSecret(here.secret.arn)).RotationEnabled).toBeUndefined();
});

it('attaches nothing whose current password does not work', async () => {
  await using here = await unattached();
  await server.query(`ALTER ROLE "${here.role.name}" PASSWORD 'changed-behind-the-secret'`);
  const { exitCode, stdout } = await command.run(['attach', here.secret.arn, ...STACK]);
  expect(exitCode).toBe(4);
  expect(stdout).toMatch(/Refused: login AWSCURRENT: the server refuses the password .* Nothing was changed\./);
  expect((await describeSecret(here.secret.arn)).RotationEnabled).toBeUndefined();
});

it('tells what the function says where it was told not to log in, and does not claim that anything was replaced', async () => {
  await using here = await unattached();
  await server.query(`ALTER ROLE "${here.role.name}" PASSWORD 'changed-behind-the-secret'`);
  const { exitCode, stdout } = await command.run(['attach', here.secret.arn, ...STACK, '--no-login']);
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(
    /but testSecret failed: PASSWORD_NOT_ACCEPTED\n {2}what happened .*\n.*no password was replaced/,
  );
  expect(stdout).not.toMatch(/setSecret|has replaced/);
});

it('asks where the database is out of reach from here, and says that it is not known', async () => {
  await using here = await unattached();
  await here.secret.put({ port: 1 });
  const { exitCode, stderr, stdout } = await command.run(['attach', here.secret.arn, '--stack', 'my-rotation']);
  expect(stdout).toMatch(/unknown +login AWSCURRENT +could not be checked: no login from this machine/);
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(/Attach test-\S+\?.*\n.*--yes/) });
});

it('refuses secrets that are no login, and half a choice of function', async () => {
  const nonsense = await account.store({ strategy: 'single-user' }, '{"apiKey":"k"}');
  expect(await command.run(['attach', nonsense.arn, ...STACK])).toMatchObject({
    exitCode: 4,
    stderr: expect.stringMatching(/engine: a string was needed, found nothing/),
  });
  await using here = await unattached();
  const refusals: [args: string[], exitCode: number, words: RegExp][] = [
    [['--function', single, '--strategy', 'alternating-users'], 4, /has no "masterarn"/],
    [['--function', alternating], 4, /A function for single-user was needed/],
    [['--function', `${single}-gone`], 4, /there is no function/],
    [['--stack', 'other'], 4, /must have the output SingleUserFunctionArn/],
    [['--stack', 'unheard-of'], 1, /Stack with id unheard-of does not exist/],
    [['--stack', 'my-rotation', '--function', single], 2, /found both/],
    [[], 2, /--stack or --function was needed, found neither/],
    [['--stack', 'my-rotation', '--schedule', 'rate(1 hour)'], 2, /at least 4 hours apart/],
  ];
  const outcomes = refusals.map(async ([args, exitCode, words]) => {
    const { stdout, stderr, ...ended } = await command.run(['attach', here.secret.arn, ...args, '--yes']);
    expect({ args, ...ended, words: words.exec(stdout + stderr)?.[0] }).toEqual({
      args,
      exitCode,
      words: expect.any(String),
    });
  });
  await Promise.all(outcomes);
  expect((await describeSecret(here.secret.arn)).RotationEnabled).toBeUndefined();
});

it('refuses a secret whose key is disabled', async () => {
  await using here = await unattached();
  const keyArn = 'arn:aws:kms:us-east-1:123456789012:key/off';
  account.lab.resources.keys.push({ id: 'off', state: 'Disabled' });
  await account.client.send(new UpdateSecretCommand({ SecretId: here.secret.arn, KmsKeyId: keyArn }));
  const { exitCode, stdout } = await command.run(['attach', here.secret.arn, ...STACK]);
  expect(exitCode).toBe(4);
  expect(stdout).toMatch(/broken {3}KMS .* is Disabled\n.*aws kms enable-key/);
});

it('ends the sentence of a refusal once', async () => {
  await using here = await unattached();
  const functionArn = deploy(account, 'single-user', { named: '-odd', environment: { PASSWORD_LENGTH: 'long' } });
  const { stdout } = await command.run(['attach', here.secret.arn, '--function', functionArn, '--yes']);
  expect(stdout).toMatch(/Refused: environment: .*[^.]\. Nothing was changed\./);
});

it('needs --yes where there is no terminal to ask on', async () => {
  await using here = await unattached();
  const { exitCode, stderr } = await command.run(['attach', here.secret.arn, '--stack', 'my-rotation']);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('Give --yes.');
  expect((await describeSecret(here.secret.arn)).RotationEnabled).toBeUndefined();
});

it.skipIf(!hasTerminal)('shows the change and asks on a terminal; the answer decides', async () => {
  await using here = await unattached();
  const declined = command.onTerminal(['attach', here.secret.arn, '--stack', 'my-rotation']);
  await declined.says(/Attach test-\S+\?/);
  expect(declined.text).toContain('schedule  none → rate(30 days)');
  declined.type('n\r');
  expect((await declined.ended()).exitCode).toBe(4);
  expect((await describeSecret(here.secret.arn)).RotationEnabled).toBeUndefined();

  const agreed = command.onTerminal(['attach', here.secret.arn]);
  await agreed.says('Stack of the functions:');
  // Those that there are, of which the cursor is on the first.
  expect(agreed.text).not.toContain('❯ other');
  await agreed.says('❯ my-rotation');
  agreed.type('\r');
  await agreed.says(/Attach test-\S+\?/);
  agreed.type('y\r');
  expect((await agreed.ended()).exitCode).toBe(0);
  expect((await describeSecret(here.secret.arn)).RotationEnabled).toBe(true);
});
