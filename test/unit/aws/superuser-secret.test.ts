import {
  CreateSecretCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import type { RdsServers } from '../../../shared/aws/rds-servers.ts';
import { superuserSecrets } from '../../../shared/aws/superuser-secret.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { RotationError } from '../../../shared/errors.ts';
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

/** A version that names its superuser secret by these members. */
function naming(members: object): Credential {
  const secret = parseDatabaseSecret(JSON.stringify({ ...LOGIN, ...members }));
  return { source: 'current', versionId: 'v1', secret };
}

const read = (members: object) => superuserSecrets(client, new Deadline(20_000), NO_RDS).read(naming(members));

it('is found where white space surrounds its ARN', async () => {
  const masterarn = await store({ ...LOGIN, username: 'admin' });
  expect(await read({ masterarn: ` ${masterarn}\n` })).toMatchObject({ secret: { username: 'admin' } });
});

it('is for the same server where only one of the two hosts is fully qualified', async () => {
  const masterarn = await store({ ...LOGIN, username: 'admin', host: 'DB.example.com.' });
  expect(await read({ masterarn })).toMatchObject({ secret: { username: 'admin', host: 'DB.example.com.' } });
});

it.each([
  [undefined, true, true],
  [false, true, true],
  [false, undefined, undefined],
  [true, undefined, true],
  [true, false, true],
  [undefined, false, undefined],
])('has its password sent by TLS as strict as the strictest: its own "ssl" %s, the application\'s %s', async (own, theirs, ssl) => {
  const masterarn = await store({ ...LOGIN, username: 'admin', ssl: own });
  expect((await read({ masterarn, ssl: theirs })).secret.ssl).toBe(ssl);
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

it('is being rotated as long as a version is AWSPENDING and not current, and is not where that may not be asked', async () => {
  const text = JSON.stringify({ ...LOGIN, username: 'admin' });
  const SecretId = await store({ ...LOGIN, username: 'admin' });
  const isRotating = () =>
    superuserSecrets(client, new Deadline(20_000), NO_RDS).isRotating(naming({ masterarn: SecretId }));
  expect(await isRotating()).toBe(false);

  const put = new PutSecretValueCommand({ SecretId, SecretString: text, VersionStages: ['AWSPENDING'] });
  const { VersionId: made } = await client.send(put);
  expect(await isRotating()).toBe(true);
  const type = 'AccessDeniedException';
  const fault = { operation: 'DescribeSecret', secret: SecretId ?? '', type, message: 'Not for you' } as const;
  const denied = lab.faults.fail(fault);
  expect(await isRotating()).toBe(false);
  expect(denied.hits).toBe(1);

  const before = await read({ masterarn: SecretId });
  const move = { VersionStage: 'AWSCURRENT', MoveToVersionId: made, RemoveFromVersionId: before.versionId };
  await client.send(new UpdateSecretVersionStageCommand({ SecretId, ...move }));
  // The service leaves AWSPENDING on the version that is current now.
  expect(await isRotating()).toBe(false);
});

it('takes what was read ahead, once', async () => {
  const SecretId = await store({ ...LOGIN, username: 'admin' });
  const secrets = superuserSecrets(client, new Deadline(20_000), NO_RDS);
  await secrets.ahead?.(SecretId ?? '');
  const SecretString = JSON.stringify({ ...LOGIN, username: 'successor' });
  await client.send(new PutSecretValueCommand({ SecretId, SecretString }));
  const usernames = [];
  for (const _ of [1, 2]) usernames.push((await secrets.read(naming({ masterarn: SecretId }))).secret.username);
  expect(usernames).toEqual(['admin', 'successor']);
});

it('fails as it would have without, where reading ahead failed', async () => {
  const secrets = superuserSecrets(client, new Deadline(20_000), NO_RDS);
  const masterarn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf';
  await secrets.ahead?.(masterarn);
  await expect(secrets.read(naming({ masterarn }))).rejects.toMatchObject({
    code: 'SUPERUSER_SECRET_UNUSABLE',
    remedy: expect.stringMatching(/^Correct "masterarn", or the superuser secret that it names;/),
  });
});

it('of another host is none of another server where RDS can not be asked whether that is a replica', async () => {
  const masterarn = await store({ ...LOGIN, username: 'admin', host: 'primary.example.com' });
  const unavailable = new RotationError('RDS_UNAVAILABLE', 'RDS was needed, but it was throttled.', {
    remedy: 'Nothing needs repair.',
    reason: 'Throttling',
  });
  const rds: RdsServers = { ...NO_RDS, isReplica: () => Promise.reject(unavailable) };
  const reading = superuserSecrets(client, new Deadline(20_000), rds).read(naming({ masterarn }));
  await expect(reading).rejects.toMatchObject({
    code: 'RDS_UNAVAILABLE',
    message: expect.stringMatching(
      /it is for primary\.example\.com:5432; .* could not be asked \(RDS .* throttled\)\.$/,
    ),
    remedy: 'Nothing needs repair.',
    facts: { credential: 'superuser' },
  });
});
