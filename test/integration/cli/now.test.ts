import { fileURLToPath } from 'node:url';
import { CancelRotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { eventually } from '../../support/secrets-lab-client.ts';
import { toolIsHere } from '../../support/tools.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const { account, command, server } = await operator();

/** Does what the service asks of a function, logs nothing that we know, and stores what is no login. */
const foreignFunction = (name: string) =>
  account.lab.functions.register({
    name,
    bundle: fileURLToPath(new URL('../../support/functions/scripted-rotation.mjs', import.meta.url)),
  });

/** A secret attached to the single-user function. */
async function attached(options: ArrangementOptions = {}, functionArn = deploy(account, 'single-user')) {
  const here = await arrange(account, server, { strategy: 'single-user' }, options);
  await attachTo(account, here.secret.arn, functionArn);
  return here;
}

describe('rotation now', () => {
  it('rotates, shows the four steps in order and proves the new login', async () => {
    await using here = await attached();
    const { exitCode, stdout, stderr } = await command.run(['now', here.secret.arn]);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^Rotating test-\S+ \(single-user, version [0-9a-f]{8}\)\n.*createSecret .*stored it as AWSPENDING.*\n.*setSecret .*logged in with AWSCURRENT.*\n.*testSecret .*\n.*finishSecret .*moved AWSCURRENT.*\nRotated /,
    );
    const labels = await here.secret.labels();
    expect(stdout).toContain(
      `AWSCURRENT is ${labels.AWSCURRENT?.slice(0, 8)}, AWSPREVIOUS is ${labels.AWSPREVIOUS?.slice(0, 8)}`,
    );
    expect(stdout).toContain(`The new login works: ${here.role.name}@${server.host}:${server.port}/`);
    expect(await accepted(server, here.role, [here.role.password])).toEqual([false]);
    await expectWorking(here);
  });

  it('answers one JSON object, and nothing else, with --json', async () => {
    await using here = await attached();
    const { exitCode, answer } = await command.json(['now', here.secret.arn, '--no-login']);
    const labels = await here.secret.labels();
    expect(exitCode).toBe(0);
    expect(answer).toEqual({
      secret: expect.stringMatching(/^test-/),
      arn: here.secret.arn,
      versionId: labels.AWSCURRENT,
      reattempt: false,
      outcome: 'succeeded',
      ms: expect.any(Number),
      labels: { AWSCURRENT: labels.AWSCURRENT, AWSPREVIOUS: labels.AWSPREVIOUS },
      login: { outcome: 'not-tried', message: expect.stringContaining('--no-login') },
      steps: ['createSecret', 'setSecret', 'testSecret', 'finishSecret'].map((step) => ({
        step,
        outcome: 'succeeded',
        ms: expect.any(Number),
        message: expect.any(String),
      })),
    });
  });

  it("shows the function's code, sentence and remedy when a step fails, and exits with 3", async () => {
    await using here = await attached();
    await server.query(`ALTER ROLE "${here.role.name}" PASSWORD 'set-behind-our-back'`);
    const { exitCode, stdout } = await command.run(['now', here.secret.arn]);
    expect(exitCode).toBe(3);
    expect(stdout).toContain('Failed in createSecret: NO_WORKING_PASSWORD');
    expect(stdout).toContain(`A password of ${here.role.name} was needed`);
    expect(stdout).toContain(`\\password "${here.role.name}"`);
    expect(stdout).toMatch(/applications {3}The server refuses AWSCURRENT's password of .*: .* locked out\.\n/);
    expect(stdout).toMatch(/\nNext: rotation doctor test-\S+\n$/);
  });

  it('tells a failure with --json too', async () => {
    await using here = await attached();
    await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    expect(exitCode).toBe(3);
    expect(answer).toMatchObject({
      outcome: 'failed',
      failure: { step: 'createSecret', code: 'LOGIN_FORBIDDEN', remedy: expect.stringContaining('ALTER ROLE') },
      login: { outcome: 'not-possible-from-here', message: expect.stringContaining("AWSCURRENT's login") },
      steps: [{ step: 'createSecret', outcome: 'failed' }],
    });
  });

  it('tells that the function could not end its step in time', async () => {
    await using here = await attached({}, deploy(account, 'single-user', { named: '-slow', timeoutMs: 3_000 }));
    account.lab.faults.delay({ operation: 'PutSecretValue', secret: here.secret.arn, ms: 5_000 });
    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    expect(exitCode).toBe(3);
    expect(answer.failure).toMatchObject({
      step: 'createSecret',
      code: 'SECRETS_MANAGER_TIMEOUT',
      remedy: expect.stringContaining('time-out of at least 30 s'),
    });
  });

  it('takes up a rotation that was not complete, as the service does', async () => {
    await using here = await attached();
    const role = `"${here.role.name}"`;
    await server.query(`ALTER ROLE ${role} NOLOGIN`);
    await command.run(['now', here.secret.arn]);
    const { AWSPENDING } = await here.secret.labels();
    await server.query(`ALTER ROLE ${role} LOGIN`);

    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    expect(exitCode).toBe(0);
    expect(answer).toMatchObject({ outcome: 'succeeded', reattempt: true, versionId: AWSPENDING });
    expect(answer.steps).toHaveLength(4);
    await expectWorking(here);
  });

  it('refuses to start where a cancelled rotation has left AWSPENDING behind', async () => {
    await using here = await attached();
    await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
    await command.run(['now', here.secret.arn]);
    await account.client.send(new CancelRotateSecretCommand({ SecretId: here.secret.arn }));
    const { exitCode, stderr } = await command.run(['now', here.secret.arn]);
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(
      /one was cancelled that left AWSPENDING behind\.\nwhat to do: .*rotation doctor test-\S+ --fix/,
    );
  });

  it('watches the labels alone where the log may not be read', async () => {
    await using here = await attached();
    const allow = account.lab.resources.refuse('logs:FilterLogEvents');
    const { exitCode, stdout, stderr } = await command.run(['now', here.secret.arn]);
    allow();
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/only the labels are watched: logs:FilterLogEvents of .* not authorized/);
    expect(stdout).toContain('Rotated');
  });

  it('waits for lines that the log shows late', async () => {
    await using here = await attached();
    account.lab.resources.logDelayMs = 4_000;
    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    account.lab.resources.logDelayMs = 0;
    expect({ exitCode, steps: answer.steps.length }).toEqual({ exitCode: 0, steps: 4 });
  });

  it('succeeds, after a while without a word of the steps, where the function logs failures only', async () => {
    const quiet = deploy(account, 'single-user', { named: '-quiet', environment: { POWERTOOLS_LOG_LEVEL: 'ERROR' } });
    await using here = await attached({}, quiet);
    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    expect({ exitCode, answer }).toMatchObject({ exitCode: 0, answer: { outcome: 'succeeded', steps: [] } });
    await expectWorking(here);
  });

  it('tells a rotation that succeeded though its login can not be tried', async () => {
    await using here = await attached({}, foreignFunction('foreign'));
    const allow = account.lab.resources.refuse('logs:FilterLogEvents');
    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    allow();
    const { AWSCURRENT } = await here.secret.labels();
    expect({ exitCode, answer }).toMatchObject({
      exitCode: 5,
      answer: {
        outcome: 'succeeded',
        versionId: AWSCURRENT,
        labels: { AWSCURRENT },
        login: { outcome: 'not-possible-from-here', message: expect.stringContaining('could not be tried') },
      },
    });
  });

  it('takes no other refusal of the server for one of the new password', async () => {
    await using here = await attached();
    account.lab.resources.logDelayMs = 4_000;
    const running = command.start(['now', here.secret.arn, '--json']);
    const before = (await here.secret.labels()).AWSCURRENT;
    await eventually(async () => ((await here.secret.labels()).AWSCURRENT === before ? undefined : true));
    await account.lab.settled(here.secret.arn);
    await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
    const { exitCode, stdout } = await running.ended();
    account.lab.resources.logDelayMs = 0;
    expect({ exitCode, answer: JSON.parse(stdout) }).toMatchObject({
      exitCode: 5,
      answer: { outcome: 'succeeded', login: { outcome: 'not-possible-from-here' } },
    });
  });

  it('tells a rotation that it started and can not watch, and why', async () => {
    await using here = await attached();
    const denied = { operation: 'ListSecretVersionIds', secret: here.secret.arn, times: Number.POSITIVE_INFINITY };
    const fault = account.lab.faults.fail({ ...denied, type: 'AccessDeniedException', message: 'Not for you' });
    const { exitCode, answer } = await command.json(['now', here.secret.arn]);
    fault.remove();
    expect({ exitCode, answer }).toMatchObject({
      exitCode: 5,
      answer: {
        outcome: 'unknown',
        versionId: expect.any(String),
        reason: expect.stringContaining('Not for you'),
      },
    });
    await account.lab.settled(here.secret.arn);
  });

  it('stops watching at Ctrl-C, and the rotation goes on', async () => {
    await using here = await attached();
    account.lab.faults.delay({ operation: 'PutSecretValue', secret: here.secret.arn, ms: 2_500 });
    const running = command.start(['now', here.secret.arn]);
    await running.says('Rotating');
    running.child.kill('SIGINT');
    const { exitCode, stdout } = await running.ended();
    expect(exitCode).toBe(130);
    expect(stdout).toContain('Stopped watching: the rotation of');
    const before = (await here.secret.labels()).AWSCURRENT;
    await account.lab.settled(here.secret.arn);
    expect((await here.secret.labels()).AWSCURRENT).not.toBe(before);
    await expectWorking(here);
  });

  it('exits with 5 when its time is up before the rotation ends', async () => {
    await using here = await attached();
    account.lab.faults.delay({ operation: 'PutSecretValue', secret: here.secret.arn, ms: 2_500 });
    const { exitCode, stdout } = await command.run(['now', here.secret.arn, '--timeout', '1']);
    expect(exitCode).toBe(5);
    expect(stdout).toContain('The time to watch is up: the rotation of');
    await account.lab.settled(here.secret.arn);
  });

  it('refuses a secret without a function, and says how to attach one', async () => {
    await using here = await arrange(account, server, { strategy: 'single-user' });
    const { exitCode, stdout, stderr } = await command.run(['now', here.secret.arn]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(stderr).toMatch(
      /must have a rotation function to be rotated, and it has none\.\nwhat to do: Attach one: rotation attach /,
    );
  });

  it.each([
    [['now'], 2, /One secret or --all was needed/],
    [['now', 'a', '--all'], 2, /One secret or --all was needed/],
    [['now', '--all', '--filter', 'team=payments'], 2, /tag:KEY=VALUE/],
    [['now', 'a', '--at-once', 'x'], 2, /whole number from 1 to 20/],
    [['now', 'a', '--at-once', '2'], 2, /--at-once goes with --all/],
    [['now', 'a', '--yes'], 2, /--yes goes with --all/],
    [['now', '--all', '--log'], 2, /--log goes with one secret/],
    [['now', 'a', '--ca-file', '/nope.pem'], 2, /\/nope\.pem can't be read \(ENOENT\)/],
    [['now', 'a', '--ca-file', 'package.json'], 2, /no PEM certificate is in package\.json/],
    [['now', 'a', '--nonsense'], 2, /unknown option/],
    [['now', 'no-such-secret'], 1, /Secrets Manager can't find the specified secret/],
  ])('ends %j with %i', async (args, code, words) => {
    const { exitCode, stderr } = await command.run(args);
    expect(exitCode).toBe(code);
    expect(stderr).toMatch(words);
  });
});

describe('rotation now --all', () => {
  it('rotates what the filter selects, tells each and sums up', async () => {
    await using one = await attached();
    await using other = await attached({ named: 'other' });
    await using broken = await attached({ named: 'broken' });
    await using unselected = await attached({ named: 'unselected' });
    for (const { secret } of [one, other, broken]) await tag(account, secret.arn, { team: 'payments' });
    await tag(account, unselected.secret.arn, { team: 'payments-too' });
    await server.query(`ALTER ROLE "${broken.role.name}" NOLOGIN`);
    const before = await unselected.secret.labels();

    const { exitCode, stdout } = await command.run([
      'now',
      '--all',
      '--filter',
      'tag:team=payments',
      '--at-once',
      '2',
      '--no-canary',
      '--yes',
    ]);
    expect(exitCode).toBe(3);
    expect(stdout.match(/The new login works/g)).toHaveLength(2);
    expect(stdout).toMatch(/✗ test-\S+ {2}LOGIN_FORBIDDEN: /);
    expect(stdout).toContain('3 secrets: 2 rotated, 1 failed, 0 not known.');
    expect(await unselected.secret.labels()).toEqual(before);
    await expectWorking(one);
    await expectWorking(other);
  });

  it('rotates nothing without a terminal to ask on or --yes', async () => {
    await using here = await attached({ named: 'unasked' });
    await tag(account, here.secret.arn, { team: 'unasked' });
    const before = await here.secret.labels();
    const args = ['now', '--all', '--filter', 'tag:team=unasked'];
    expect(await command.run(args)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/Rotate 1 secret now\?.*\n.*Give --yes\./),
    });
    expect(await command.json(args)).toMatchObject({ exitCode: 2, answer: { error: { code: 'USAGE' } } });
    expect(await here.secret.labels()).toEqual(before);
  });

  it('tells of a rotation that it started and can not watch', async () => {
    await using here = await attached({ named: 'unseen' });
    await tag(account, here.secret.arn, { team: 'unseen' });
    const denied = { operation: 'ListSecretVersionIds', secret: here.secret.arn, times: Number.POSITIVE_INFINITY };
    const fault = account.lab.faults.fail({ ...denied, type: 'AccessDeniedException', message: 'Not for you' });
    const { exitCode, answer } = await command.json(['now', '--all', '--filter', 'tag:team=unseen', '--yes']);
    fault.remove();
    expect({ exitCode, answer }).toMatchObject({
      exitCode: 5,
      answer: { counts: { unproven: 1 }, rotations: [{ outcome: 'unknown', versionId: expect.any(String) }] },
    });
    await account.lab.settled(here.secret.arn);
  });

  it('answers counts and every rotation with --json', async () => {
    await using here = await attached({ named: 'counted' });
    await tag(account, here.secret.arn, { team: 'counted' });
    const { exitCode, answer } = await command.json(['now', '--all', '--filter', 'tag:team=counted', '--yes']);
    expect({ exitCode, answer }).toEqual({
      exitCode: 0,
      answer: {
        counts: { rotated: 1, failed: 0, unproven: 0, notStarted: 0 },
        rotations: [expect.objectContaining({ arn: here.secret.arn, outcome: 'succeeded' })],
        passedOver: [],
      },
    });
  });
});

describe.skipIf(!hasTerminal)('rotation now on a terminal', () => {
  const ESC = String.fromCharCode(27);
  const COLOUR = `${ESC}[32m`;

  it('asks before it rotates all, and a no changes nothing', async () => {
    await using here = await attached({ named: 'asked' });
    await tag(account, here.secret.arn, { team: 'asked' });
    const before = await here.secret.labels();
    const running = command.onTerminal(['now', '--all', '--filter', 'tag:team=asked']);
    await running.says('Rotate 1 secret now?');
    running.type('n\r');
    expect((await running.ended()).exitCode).toBe(4);
    expect(await here.secret.labels()).toEqual(before);
  });

  it('turns a spinner and uses colour', async () => {
    await using here = await attached();
    const { exitCode, stdout } = await command.onTerminal(['now', here.secret.arn]).ended();
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${COLOUR}Rotated`);
    expect(stdout).toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
  });

  it('uses no colour with NO_COLOR', async () => {
    await using here = await attached();
    const { stdout } = await command.onTerminal(['now', here.secret.arn], { env: { NO_COLOR: '1' } }).ended();
    expect(stdout).toContain('Rotated');
    expect(stdout).not.toMatch(new RegExp(`${ESC}\\[3\\d`));
  });

  it('does without a spinner where the terminal does not know its width', async () => {
    await using here = await attached();
    const { exitCode, stdout } = await command.onTerminal(['now', here.secret.arn], { sized: false }).ended();
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('⠋');
  });

  it('stops watching at the Ctrl-C key', async () => {
    await using here = await attached();
    account.lab.faults.delay({ operation: 'PutSecretValue', secret: here.secret.arn, ms: 2_500 });
    const running = command.onTerminal(['now', here.secret.arn]);
    await running.says('Rotating');
    running.type('\x03');
    const { exitCode } = await running.ended();
    expect(running.text).toContain('Stopped watching');
    expect(exitCode).toBe(130);
    await account.lab.settled(here.secret.arn);
    await expectWorking(here);
  });
});
