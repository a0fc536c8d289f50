/** Many secrets at a time: the truth about all of them, and who is told what. */
import { CreateSecretCommand, DescribeSecretCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { clientOf, eventually } from '../../support/secrets-lab-client.ts';

const { account, command, server } = await operator();

async function attached(named: string, group: string) {
  const here = await arrange(account, server, { strategy: 'single-user' }, { named });
  await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
  await tag(account, here.secret.arn, { group });
  return here;
}

const reads = () => account.lab.requests.count('GetSecretValue');

it('begins with counts, has the unwell on top, and reads no value', async () => {
  await using well = await attached('well', 'counted');
  await using ill = await attached('ill', 'counted');
  await account.client.send(new RotateSecretCommand({ SecretId: well.secret.arn }));
  await account.lab.settled(well.secret.arn);
  await server.query(`ALTER ROLE "${ill.role.name}" NOLOGIN`);
  await account.client.send(new RotateSecretCommand({ SecretId: ill.secret.arn }));
  await account.lab.settled(ill.secret.arn);
  await server.query(`ALTER ROLE "${ill.role.name}" LOGIN`);

  const { exitCode, stdout } = await command.run(['status', '--all', '--filter', 'tag:group=counted']);
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^2 secrets: 1 unwell\. 1 failed, 1 ok\.\nSTATE .*\nfailed .*\nok /);

  const before = account.lab.requests.all().length;
  const old = await command.json([
    ...['status', '--all', '--filter', 'tag:group=counted'],
    ...['--unwell', '--not-rotated-since', '1d'],
  ]);
  expect(old.answer).toMatchObject({ counts: { failed: 1, ok: 1 }, secrets: [{ arn: ill.secret.arn }] });
  const read = account.lab.requests
    .all()
    .slice(before)
    .filter(({ operation }) => operation === 'GetSecretValue');
  expect(read.map(({ secretId }) => secretId)).toEqual([ill.secret.arn]);
});

it('finds by a login whom the labels do not show to be locked out, in CSV too', async () => {
  await using out = await attached('out', 'tried');
  await using fine = await attached('fine', 'tried');
  await server.query(`ALTER ROLE "${out.role.name}" PASSWORD 'changed-by-hand'`);
  const asked = ['status', '--all', '--filter', 'tag:group=tried'];
  const blind = await command.run(asked);
  expect(blind).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^2 secrets: none unwell\. 2 ok\./) });
  const { exitCode, stdout } = await command.run([...asked, '--login', '--csv']);
  expect(exitCode).toBe(3);
  const [head, first, second] = stdout.split('\n');
  expect(head).toBe('secret,arn,account,region,state,unwell,strategy,username,login,lastRotated,nextRotation');
  expect(first).toContain(`${out.secret.arn},123456789012,us-east-1,locked-out,true,single-user,,refused,,`);
  expect(second).toContain(`${fine.secret.arn},123456789012,us-east-1,ok,false,single-user,,accepted,,`);
});

it('asks several regions in one call, and says which of them did not answer', async () => {
  await using here = await attached('near', 'regions');
  const far = clientOf(account.lab, 'eu-west-1');
  const { ARN = '' } = await far.send(
    new CreateSecretCommand({
      Name: 'far',
      SecretString: await here.secret.text(),
      Tags: [{ Key: 'group', Value: 'regions' }],
    }),
  );
  await far.send(
    new RotateSecretCommand({
      SecretId: ARN,
      RotationLambdaARN: deploy(account, 'single-user'),
      RotateImmediately: false,
      RotationRules: { AutomaticallyAfterDays: 30 },
    }),
  );
  await eventually(async () => {
    const { VersionIdsToStages = {} } = await far.send(new DescribeSecretCommand({ SecretId: ARN }));
    return Object.values(VersionIdsToStages).flat().includes('AWSPENDING') ? undefined : true;
  });
  far.destroy();
  const { exitCode, answer } = await command.json([
    ...['status', '--all', '--filter', 'tag:group=regions'],
    ...['--regions', 'us-east-1,eu-west-1,ap-south-1'],
  ]);
  expect(answer.secrets.map(({ arn }: { arn: string }) => arn).sort()).toEqual([ARN, here.secret.arn].sort());
  expect(answer.errors).toEqual([expect.objectContaining({ message: expect.stringMatching(/^ap-south-1: /) })]);
  expect(exitCode).toBe(1);
});

it('finds PostgreSQL logins that nothing rotates, and says how many values it has read', async () => {
  await using covered = await attached('covered', 'audit');
  const bare = await account.store({ strategy: 'single-user' }, await covered.secret.text());
  const key = await account.store({ strategy: 'single-user' }, '{"apiKey":"k-not-to-be-shown"}');
  for (const { arn } of [bare, key]) await tag(account, arn, { group: 'audit' });
  const asked = ['coverage', '--filter', 'tag:group=audit'];

  const before = reads();
  const { exitCode, stderr } = await command.run(asked);
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('Read 2 values') });
  expect(reads()).toBe(before);

  const { stdout, ...found } = await command.run([...asked, '--yes']);
  expect(found.exitCode).toBe(3);
  expect(stdout).toMatch(/^3 secrets: nothing rotates 2 of them\.\nSECRET .*\ntest-\S+ +never-configured +/);
  expect(stdout).toContain('2 values read: 1 PostgreSQL.');
  expect(reads()).toBe(before + 2);
  const { answer } = await command.json([...asked, '--yes']);
  expect(answer).toMatchObject({ secrets: 3, unrotated: 2, read: 2, uncovered: [{ arn: bare.arn }], unread: [] });
});

it('has the doctor look at all of them, whoever is locked out first', async () => {
  await using out = await attached('out', 'patients');
  await using fine = await attached('fine', 'patients');
  await server.query(`ALTER ROLE "${out.role.name}" PASSWORD 'changed-by-hand'`);
  const { exitCode, answer } = await command.json(['doctor', '--all', '--filter', 'tag:group=patients']);
  expect(exitCode).toBe(3);
  expect(answer.secrets).toMatchObject([
    { arn: out.secret.arn, lockedOut: { answer: 'yes' } },
    { arn: fine.secret.arn, lockedOut: { answer: 'no' } },
  ]);
  const { stdout } = await command.run(['doctor', '--all', '--filter', 'tag:group=patients']);
  expect(stdout).toMatch(/^2 secrets: 1 broken\.\nbroken {2}\S+: locked out.*\n {10}login AWSCURRENT: /);
});
