import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { RedshiftStandIn } from '../../../scripts/lab/redshift/stand-in.ts';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';
import { freshName } from '../../support/secrets-lab-client.ts';

const { account, command, server } = await operator();

it('a secret for Redshift is created, examined, rotated and shown as any other', async () => {
  await using scope = roleScope(server);
  const database = await scope.createDatabase();
  await using standIn = await RedshiftStandIn.start(server, [database]);
  const role = await scope.createAppRole({ database });
  await standIn.store(role.name, role.password, 'sha256');
  const name = freshName('redshift/shop');
  const where = ['--host', standIn.host, '--port', String(standIn.port), '--ssl', 'false', '--dbname', database];

  const created = await command.run(
    ['create', name, '--engine', 'redshift', ...where, '--username', role.name, '--password-stdin'],
    { stdin: `${role.password}\n` },
  );
  expect(created.stdout).toContain('its login works');
  expect(created.exitCode).toBe(0);

  const read = await account.client.send(new GetSecretValueCommand({ SecretId: name }));
  const value = JSON.parse(read.SecretString ?? '');
  expect(value).toMatchObject({ engine: 'redshift', port: standIn.port });
  const secret = await account.store({ strategy: 'single-user' }, read.SecretString ?? '');
  expect(await secret.rotate({ immediately: false })).toMatchObject({ outcome: 'succeeded' });

  const examined = await command.json(['doctor', secret.arn]);
  expect(examined.answer).toMatchObject({
    findings: expect.arrayContaining([expect.objectContaining({ check: 'login AWSCURRENT', state: 'ok' })]),
  });
  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  const shown = await command.json(['status', secret.arn]);
  expect(shown.answer).toMatchObject({ secrets: [{ state: 'ok', unwell: false }] });
  expect(standIn.refused).toEqual([]);
});
