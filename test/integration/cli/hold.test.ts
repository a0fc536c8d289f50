/** Rotations that somebody holds for a reason, and what a secret has been through. */
import { DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';

const { account, command, server } = await operator();

async function attached() {
  const here = await arrange(account, server, { strategy: 'single-user' });
  await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
  return here;
}

async function described(SecretId: string) {
  return await account.client.send(new DescribeSecretCommand({ SecretId }));
}

it('keeps a paused secret from being rotated, says why, and goes on where it was', async () => {
  await using here = await attached();
  const { arn } = here.secret;
  const rules = (await described(arn)).RotationRules;
  const paused = await command.json(['pause', arn, '--reason', 'migration until Friday', '--yes']);
  expect(paused).toMatchObject({ exitCode: 0, answer: { outcome: 'paused', reason: 'migration until Friday' } });
  expect(await described(arn)).toMatchObject({ RotationEnabled: false });

  const password = await here.secret.password();
  const { exitCode, stderr } = await command.run(['now', arn, '--turn-on']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: expect.stringContaining('migration until Friday') });
  expect(await here.secret.password()).toBe(password);
  expect((await command.run(['status', arn])).stdout).toMatch(
    /cancelled[\s\S]*paused by \S+ \d{4}-\d\d-\d\d: migration/,
  );

  expect((await command.run(['resume', arn, '--yes'])).exitCode).toBe(0);
  await account.lab.settled(arn);
  expect(await described(arn)).toMatchObject({ RotationEnabled: true, RotationRules: rules });
  expect((await described(arn)).Tags ?? []).toEqual([]);
});

it('resumes nothing that nobody has paused, and refuses a reason that no tag can hold', async () => {
  await using here = await attached();
  const { arn } = here.secret;
  expect(await command.json(['resume', arn, '--yes'])).toMatchObject({
    exitCode: 4,
    answer: { error: { code: 'NOT_PAUSED' } },
  });
  expect((await command.run(['pause', arn, '--reason', 'what? "this"', '--yes'])).exitCode).toBe(2);
  expect((await command.run(['detach', arn, '--reason', 'moved away', '--yes'])).exitCode).toBe(0);
  const { stderr } = await command.run(['resume', arn, '--yes']);
  expect(stderr).toContain('it was detached: moved away');
});

it('has one hold at a time, which attach ends with all its tags', async () => {
  await using here = await attached();
  const { arn } = here.secret;
  const held = async (...args: string[]) => expect((await command.run([...args, '--yes'])).exitCode).toBe(0);
  const attach = ['attach', arn, '--function', deploy(account, 'single-user'), '--no-login'];
  const tags = async () =>
    Object.fromEntries(((await described(arn)).Tags ?? []).map(({ Key, Value }) => [Key, Value]));

  await held('detach', arn, '--reason', 'first');
  await held(...attach);
  expect(await tags()).toEqual({});

  await held('pause', arn, '--reason', 'second');
  await held('detach', arn, '--reason', 'third');
  expect(await tags()).toEqual({ 'rotation:detached': 'third', 'rotation:held-by': expect.any(String) });

  await held('pause', arn, '--reason', 'fourth');
  expect((await command.run(['status', arn])).stdout).toContain('fourth');
  await held('resume', arn);
  expect(await tags()).toEqual({});
});

it('takes off the tags of a pause that somebody has ended by other means', async () => {
  await using here = await attached();
  const { arn } = here.secret;
  await command.run(['pause', arn, '--reason', 'migration', '--yes']);
  await attachTo(account, arn, deploy(account, 'single-user'));
  expect(await command.json(['resume', arn, '--yes'])).toMatchObject({ exitCode: 0, answer: { outcome: 'untagged' } });
  expect((await described(arn)).Tags ?? []).toEqual([]);
});

it('tells the versions of a secret, their labels, and what failed on the way', async () => {
  await using here = await attached();
  const { arn } = here.secret;
  await here.secret.rotate();
  await attachTo(account, arn, deploy(account, 'single-user'));
  await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
  await command.run(['now', arn]);
  const { AWSCURRENT, AWSPENDING } = await here.secret.labels();
  const { exitCode, answer } = await command.json(['history', arn]);
  expect(exitCode).toBe(0);
  expect(answer.versions).toContainEqual(expect.objectContaining({ versionId: AWSCURRENT, labels: ['AWSCURRENT'] }));
  expect(answer.versions.at(-1)).toMatchObject({
    versionId: AWSPENDING,
    labels: ['AWSPENDING'],
    failures: [{ step: 'createSecret', code: 'LOGIN_FORBIDDEN' }],
  });
  expect((await command.run(['history', arn])).stdout).toMatch(/MADE .*\n[\s\S]*LOGIN_FORBIDDEN in createSecret/);
});
