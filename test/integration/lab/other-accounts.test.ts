/** Somebody of another account, as LocalStack's recordings of two accounts have it; told here in our own words. */
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  SecretsManagerClient,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, freshName, refusal } from '../../support/secrets-lab-client.ts';

const ACCOUNT = '444455556666';
const visiting = () => ({
  endpoint: lab.endpoint,
  region: 'us-east-1',
  maxAttempts: 1,
  credentials: { accessKeyId: ACCOUNT, secretAccessKey: 'test' },
});

let lab: SecretsLab;
let home: SecretsManagerClient;
let visitor: SecretsManagerClient;
let principal: string;
beforeAll(async () => {
  lab = await startSecretsManager();
  home = clientOf(lab);
  visitor = new SecretsManagerClient(visiting());
  const sts = new STSClient(visiting());
  const { Account, Arn = '' } = await sts.send(new GetCallerIdentityCommand({}));
  sts.destroy();
  expect(Account).toBe(ACCOUNT);
  principal = Arn;
});
afterAll(async () => {
  for (const client of [home, visitor]) client.destroy();
  await lab.close();
});

const allow = (Action: string | string[], more: object = {}) => ({
  Effect: 'Allow',
  Principal: { AWS: principal },
  Action,
  Resource: '*',
  ...more,
});
const policyOf = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });

/** A secret of the lab's own account, with this policy. @returns its ARN. */
async function secretWith(policy: string | undefined, input: Partial<CreateSecretCommandInput> = {}): Promise<string> {
  const request = { Name: freshName('shared'), SecretString: 'secret', ...input };
  const { ARN: SecretId = '' } = await home.send(new CreateSecretCommand(request));
  if (policy !== undefined) await home.send(new PutResourcePolicyCommand({ SecretId, ResourcePolicy: policy }));
  return SecretId;
}
const read = (SecretId: string) => visitor.send(new GetSecretValueCommand({ SecretId }));

it('a secret under the default key: all that its policy gives, but no value', async () => {
  const SecretId = await secretWith(policyOf(allow('secretsmanager:*')));
  expect(await visitor.send(new DescribeSecretCommand({ SecretId }))).toMatchObject({ ARN: SecretId });
  const refused = {
    name: 'InvalidRequestException',
    message:
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
  };
  expect(await refusal(read(SecretId))).toEqual(refused);
  expect(await refusal(visitor.send(new PutSecretValueCommand({ SecretId, SecretString: 'new' })))).toEqual(refused);

  const ResourcePolicy = policyOf(allow('secretsmanager:*', { Sid: 'AllowCrossAccount' }));
  await visitor.send(new PutResourcePolicyCommand({ SecretId, ResourcePolicy }));
  const policy = await visitor.send(new GetResourcePolicyCommand({ SecretId }));
  expect(policy.ResourcePolicy).toBe(ResourcePolicy);
  expect((await visitor.send(new ListSecretVersionIdsCommand({ SecretId }))).Versions).toHaveLength(1);
  expect((await visitor.send(new ListSecretsCommand({}))).SecretList).toEqual([]);

  const tags = async () => (await home.send(new DescribeSecretCommand({ SecretId }))).Tags;
  await visitor.send(new TagResourceCommand({ SecretId, Tags: [{ Key: 'tag1', Value: 'value1' }] }));
  expect(await tags()).toEqual([{ Key: 'tag1', Value: 'value1' }]);
  await visitor.send(new UntagResourceCommand({ SecretId, TagKeys: ['tag1'] }));
  expect(await tags()).toEqual([]);
  await visitor.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
  expect((await refusal(home.send(new DescribeSecretCommand({ SecretId })))).name).toBe('ResourceNotFoundException');
});

it("a secret under a key of one's own: its value too, and its deletion and restoration", async () => {
  const kms = new KMSClient({ ...visiting(), credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
  kms.destroy();
  const SecretId = await secretWith(policyOf(allow('secretsmanager:*')), { KmsKeyId: KeyMetadata?.Arn });
  expect((await read(SecretId)).SecretString).toBe('secret');
  await visitor.send(new PutSecretValueCommand({ SecretId, SecretString: 'new-secret' }));
  expect((await read(SecretId)).SecretString).toBe('new-secret');
  const deletedDate = async () => (await home.send(new DescribeSecretCommand({ SecretId }))).DeletedDate;
  await visitor.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }));
  expect(await deletedDate()).toBeInstanceOf(Date);
  await visitor.send(new RestoreSecretCommand({ SecretId }));
  expect(await deletedDate()).toBeUndefined();
});

it.each<[string, () => string | undefined]>([
  ['without a policy', () => undefined],
  [
    'whose policy is for somebody else',
    () => policyOf(allow('*', { Principal: { AWS: 'arn:aws:iam::777788889999:root' } })),
  ],
  ['whose policy allows another call', () => policyOf(allow('secretsmanager:DescribeSecret'))],
  ['whose policy denies it besides', () => policyOf(allow('*'), allow('secretsmanager:Get*', { Effect: 'Deny' }))],
])('a secret %s is refused', async (_, policy) => {
  const { name, message } = await refusal(read(await secretWith(policy())));
  expect(name).toBe('AccessDeniedException');
  expect(message).toContain(`User: ${principal} is not authorized to perform: secretsmanager:GetSecretValue`);
});

it.each<[string, (statement: object) => object]>([
  ['the account', (statement) => ({ ...statement, Principal: { AWS: ACCOUNT } })],
  ["the account's root", (statement) => ({ ...statement, Principal: { AWS: [`arn:aws:iam::${ACCOUNT}:root`] } })],
  ['everybody', (statement) => ({ ...statement, Principal: '*' })],
])('a policy that allows %s allows its user', async (_, changed) => {
  const SecretId = await secretWith(policyOf(changed(allow('secretsmanager:DescribeSecret'))));
  expect(await visitor.send(new DescribeSecretCommand({ SecretId }))).toMatchObject({ ARN: SecretId });
});

it('a name means a secret of their own account, which has none', async () => {
  const SecretId = await secretWith(policyOf(allow('secretsmanager:*')));
  const { Name = '' } = await home.send(new DescribeSecretCommand({ SecretId }));
  expect((await refusal(read(Name))).name).toBe('ResourceNotFoundException');
  const create = visitor.send(new CreateSecretCommand({ Name: freshName('theirs') }));
  expect((await refusal(create)).message).toBe('The lab does not serve the secrets of other accounts.');
});
