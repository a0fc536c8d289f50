/** Going back to AWSPREVIOUS: what is proven first, and what is left as it was. */
import { RotateSecretCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';
import { twins } from '../../support/twins.ts';

const { account, command, server } = await operator();

/** Single user, rotated once. */
async function rotated() {
  const here = await arrange(account, server, { strategy: 'single-user' });
  await here.secret.rotate();
  expect((await here.secret.labels()).AWSPREVIOUS).toBeDefined();
  return here;
}

const rollback = (arn: string) => command.run(['rollback', arn, '--yes']);

// Several commands each, and each is a process.
describe('rollback of a single user', { timeout: 120_000 }, () => {
  it('sets the former password by the session of the present one, and the next rotation goes on', async () => {
    await using here = await rotated();
    const before = await here.secret.labels();
    const { exitCode, stdout, stderr } = await rollback(here.secret.arn);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^test-\S+ in account 123456789012, us-east-1:\n {2}from .*\n {2}to .*\nRolled back test-/);
    const after = await here.secret.labels();
    expect(after).toMatchObject({ AWSCURRENT: before.AWSPREVIOUS, AWSPREVIOUS: before.AWSCURRENT });
    expect(after.AWSPENDING).toBeUndefined();
    await expectWorking(here);
    expect(await accepted(server, here.role, [here.role.password])).toEqual([true]);
    expect((await command.run(['now', here.secret.arn])).exitCode).toBe(0);
    await expectWorking(here);
  });

  it('moves only the label where the server has the former password already', async () => {
    await using here = await rotated();
    await server.query(`ALTER ROLE "${here.role.name}" PASSWORD '${here.role.password}'`);
    const { answer } = await command.json(['rollback', here.secret.arn, '--yes']);
    expect(answer).toMatchObject({ outcome: 'rolled-back', way: 'move-label' });
    await expectWorking(here);
  });

  it('puts the present password back where the label can not be moved', async () => {
    await using here = await rotated();
    const before = await here.secret.labels();
    const denied = { operation: 'UpdateSecretVersionStage', secret: here.secret.arn, times: 9 };
    const fault = account.lab.faults.fail({
      ...denied,
      type: 'AccessDeniedException',
      message: 'Not for you',
      when: ({ versionStage }) => versionStage === 'AWSCURRENT',
    });
    const { exitCode, stderr } = await rollback(here.secret.arn);
    fault.remove();
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('Not for you') });
    expect(await here.secret.labels()).toMatchObject({
      AWSCURRENT: before.AWSCURRENT,
      AWSPREVIOUS: before.AWSPREVIOUS,
    });
    await expectWorking(here);
  });

  it('changes nothing where neither password logs in', async () => {
    await using here = await rotated();
    const before = await here.secret.labels();
    await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
    const { exitCode, stderr } = await rollback(here.secret.arn);
    expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: expect.stringContaining('nothing was changed.') });
    expect(await here.secret.labels()).toEqual(before);
  });

  it('refuses while a rotation is under way', async () => {
    await using here = await rotated();
    await here.secret.begin();
    const before = await here.secret.labels();
    expect(await rollback(here.secret.arn)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(/No rotation may be under way.*\n.*rotation status test-/),
    });
    expect(await here.secret.labels()).toEqual(before);
  });

  it('refuses where there is nothing to go back to', async () => {
    await using here = await arrange(account, server, { strategy: 'single-user' });
    expect(await rollback(here.secret.arn)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('must have an AWSPREVIOUS'),
    });
  });
});

describe('rollback of alternating users', { timeout: 120_000 }, () => {
  it('moves the label to the login that the server accepts, and takes a left-behind AWSPENDING off', async () => {
    await using scope = roleScope(server);
    const pair = await twins(account, scope);
    await attachTo(account, pair.secret.arn, deploy(account, 'alternating-users'));
    expect((await command.run(['now', pair.secret.arn, '--no-login'])).exitCode).toBe(0);
    const before = await pair.secret.labels();
    // As a service leaves it that keeps the label where the rotation ended.
    await account.client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: pair.secret.arn,
        VersionStage: 'AWSPENDING',
        ...(before.AWSCURRENT !== undefined && { MoveToVersionId: before.AWSCURRENT }),
      }),
    );
    expect((await rollback(pair.secret.arn)).exitCode).toBe(0);
    const after = await pair.secret.labels();
    expect(after).toEqual({ AWSCURRENT: before.AWSPREVIOUS, AWSPREVIOUS: before.AWSCURRENT });
    expect((await command.run(['now', pair.secret.arn])).exitCode).toBe(0);
  });

  it('refuses a login that the server does not accept: a rotation is what mends it', async () => {
    await using scope = roleScope(server);
    const pair = await twins(account, scope);
    await attachTo(account, pair.secret.arn, deploy(account, 'alternating-users'));
    await account.client.send(new RotateSecretCommand({ SecretId: pair.secret.arn }));
    await account.lab.settled(pair.secret.arn);
    const before = await pair.secret.labels();
    await server.query(`ALTER ROLE "${pair.base.name}" PASSWORD 'set-behind-our-back'`);
    expect(await rollback(pair.secret.arn)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(/it refuses it; nothing was changed\.\n.*rotation now test-/),
    });
    expect(await pair.secret.labels()).toEqual(before);
  });
});
