import { CancelRotateSecretCommand, ReplicateSecretToRegionsCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { toolIsHere } from '../../support/tools.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const { account, command, server } = await operator();

async function attached(options: ArrangementOptions = {}) {
  const here = await arrange(account, server, { strategy: 'single-user' }, options);
  await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
  return here;
}

it('shows strategy, current user, last and next rotation of a secret that is well', async () => {
  await using here = await attached();
  await command.run(['now', here.secret.arn, '--no-login']);
  const { exitCode, stdout } = await command.run(['status', here.secret.arn]);
  expect(exitCode).toBe(0);
  const today = new Date().toISOString().slice(0, 10);
  expect(stdout).toMatch(/^STATE +SECRET +STRATEGY +USER NOW +LAST ROTATED +NEXT BY\n/);
  expect(stdout).toMatch(
    new RegExp(
      `\\nok +test-\\S+ +single-user +${here.role.name} +${today} \\d\\d:\\d\\d UTC +\\d{4}-\\d\\d-\\d\\d 23:59 UTC\\n`,
    ),
  );
  expect(command.written).not.toContain(await here.secret.password());
});

it('tells what failed, in which step and what to do, and exits with 3', async () => {
  await using here = await attached();
  await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
  await command.run(['now', here.secret.arn]);
  const { AWSPENDING = '' } = await here.secret.labels();
  for (const has of ['without', 'with']) {
    const { exitCode, stdout } = await command.run(['status', here.secret.arn]);
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/\nfailed +test-/);
    expect(stdout).toMatch(
      new RegExp(`AWSPENDING is on version ${AWSPENDING.slice(0, 8)}, ${has} a value since .* \\(\\d+ s ago\\)`),
    );
    expect(stdout).toMatch(/LOGIN_FORBIDDEN in createSecret: .*\n {2}what to do: ALTER ROLE/);
    if (has === 'without') await here.secret.put({ password: 'stored-by-hand' }, ['AWSPENDING'], AWSPENDING);
  }
});

it('tells AWSPENDING that a cancelled rotation has left behind, and that it has no value', async () => {
  await using here = await attached();
  const token = await here.secret.begin();
  await account.client.send(new CancelRotateSecretCommand({ SecretId: here.secret.arn }));
  const { exitCode, answer } = await command.json(['status', here.secret.arn]);
  expect(exitCode).toBe(3);
  expect(answer.secrets).toMatchObject([
    {
      arn: here.secret.arn,
      state: 'stuck',
      unwell: true,
      pending: { versionId: token, hasValue: false, since: expect.stringMatching(/^\d{4}-/) },
    },
  ]);
});

it('shows every secret that the filter selects, with replicas, as JSON', async () => {
  await using one = await attached();
  await using other = await attached({ named: 'other' });
  for (const { secret } of [one, other]) await tag(account, secret.arn, { group: 'shown' });
  await account.client.send(
    new ReplicateSecretToRegionsCommand({ SecretId: one.secret.arn, AddReplicaRegions: [{ Region: 'eu-west-1' }] }),
  );
  const { exitCode, answer } = await command.json(['status', '--all', '--filter', 'tag:group=shown']);
  expect(exitCode).toBe(0);
  expect(answer.errors).toEqual([]);
  expect(answer.secrets).toHaveLength(2);
  expect(answer.secrets).toContainEqual({
    secret: expect.any(String),
    arn: one.secret.arn,
    state: 'ok',
    unwell: false,
    strategy: 'single-user',
    username: one.role.name,
    function: expect.stringContaining('rotation-SingleUserFunction'),
    lastRotated: null,
    nextRotation: expect.stringMatching(/^\d{4}-.*Z$/),
    pending: null,
    failure: null,
    notice: null,
    replicas: [expect.objectContaining({ region: 'eu-west-1', status: 'InSync' })],
  });
});

it('shows the others where one of several can not be found, and exits with 1', async () => {
  await using here = await attached();
  const { exitCode, stdout, stderr } = await command.run(['status', here.secret.arn, 'no-such-secret']);
  expect(exitCode).toBe(1);
  expect(stdout).toContain(here.role.name);
  expect(stderr).toContain('DescribeSecret of no-such-secret');
});

it('says of a secret whose value is no database login why its user is not known', async () => {
  const secret = await account.store({ strategy: 'single-user' }, '{"apiKey":"k-not-to-be-shown"}');
  const { exitCode, stdout } = await command.run(['status', secret.arn]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('not-attached');
  expect(stdout).toContain('its user is not known: ');
  expect(stdout).not.toContain('k-not-to-be-shown');
});

it('looks again and again with --watch, until Ctrl-C', async () => {
  await using here = await attached();
  const running = command.start(['status', here.secret.arn, '--watch', '1', '--json']);
  await running.says(/"state":"ok".*\n.*"state":"ok"/);
  running.child.kill('SIGINT');
  expect((await running.ended()).exitCode).toBe(130);
  const looks = running.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(looks.length).toBeGreaterThanOrEqual(2);
});

it.skipIf(!hasTerminal)('shows states in colour on a terminal', async () => {
  await using here = await attached();
  const { stdout } = await command.onTerminal(['status', here.secret.arn]).ended();
  expect(stdout).toContain(`${String.fromCharCode(27)}[32mok`);
});
