import { CreateSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import type { RdsServers } from '../../../shared/aws/rds-servers.ts';
import { superuserSecrets } from '../../../shared/aws/superuser-secret.ts';
import { Deadline } from '../../../shared/deadline.ts';
import type { Credential } from '../../../shared/rotation/ports.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { clientOf, freshName } from '../../support/secrets-lab-client.ts';

const LOGIN = { engine: 'postgres', host: 'db.example.com', username: 'app', password: 'p' };

const unasked = () => Promise.reject(new TypeError('RDS has nothing to do with it'));
const NO_RDS: RdsServers = { serverOf: unasked, isReplica: unasked };

let lab: SecretsLab;
let client: SecretsManagerClient;
beforeAll(async () => {
  lab = await startSecretsManager();
  client = clientOf(lab);
});
afterAll(async () => {
  client.destroy();
  await lab.close();
});

const store = async (value: object) =>
  (await client.send(new CreateSecretCommand({ Name: freshName(), SecretString: JSON.stringify(value) }))).ARN;

/** Reads the superuser secret that the current one names by these members. */
function read(members: object) {
  const secret = parseDatabaseSecret(JSON.stringify({ ...LOGIN, ...members }));
  const current: Credential = { source: 'current', versionId: 'v1', secret };
  return superuserSecrets(client, new Deadline(20_000), NO_RDS).read(current);
}

it('is found where white space surrounds its ARN', async () => {
  const masterarn = await store({ ...LOGIN, username: 'admin' });
  expect(await read({ masterarn: ` ${masterarn}\n` })).toMatchObject({ secret: { username: 'admin' } });
});

it('is for the same server where only one of the two hosts is fully qualified', async () => {
  const masterarn = await store({ ...LOGIN, username: 'admin', host: 'DB.example.com.' });
  expect(await read({ masterarn })).toMatchObject({ secret: { username: 'admin', host: 'DB.example.com.' } });
});

it('is missing where its key is in another case, which is pointed out', async () => {
  const masterArn = await store({ ...LOGIN, username: 'admin' });
  await expect(read({ masterArn })).rejects.toMatchObject({
    code: 'SUPERUSER_SECRET_MISSING',
    message: expect.stringContaining('"masterArn" instead of "masterarn"'),
  });
  await expect(read({})).rejects.toMatchObject({
    code: 'SUPERUSER_SECRET_MISSING',
    message: expect.stringContaining('no "masterarn"'),
  });
});

it('is not taken for one that RDS manages where its host is only in another case', async () => {
  const { host: Host, ...others } = LOGIN;
  const masterarn = await store({ ...others, Host, username: 'admin' });
  await expect(read({ masterarn })).rejects.toMatchObject({
    code: 'SECRET_MALFORMED',
    message: expect.stringContaining('found "Host"'),
    facts: { key: 'host', credential: 'superuser' },
  });
});
