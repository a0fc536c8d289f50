import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
  StopReplicationToReplicaCommand,
  TagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, freshName, newToken, refusal } from '../../support/secrets-lab-client.ts';

let lab: SecretsLab;
let home: SecretsManagerClient;
let away: SecretsManagerClient;
beforeAll(async () => {
  lab = await startSecretsManager();
  lab.resources.keys.push({ id: 'away', aliases: ['alias/away'], region: AWAY });
  home = clientOf(lab, 'us-east-1');
  away = clientOf(lab, 'eu-west-1');
});
afterAll(async () => {
  home.destroy();
  away.destroy();
  await lab.close();
});

const AWAY = 'eu-west-1';
const ON_REPLICA = {
  name: 'InvalidParameterException',
  message: "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
};

async function replicated() {
  const Name = freshName();
  const { ARN = '', ReplicationStatus } = await home.send(
    new CreateSecretCommand({ Name, SecretString: 'v1', AddReplicaRegions: [{ Region: AWAY }] }),
  );
  return { SecretId: Name, ARN, ReplicationStatus };
}

const statusOf = async (SecretId: string) =>
  (await home.send(new DescribeSecretCommand({ SecretId }))).ReplicationStatus;

it('gives the replica the ARN, value, labels and tags of its primary, and every later change', async () => {
  const { SecretId, ARN, ReplicationStatus } = await replicated();
  expect(ReplicationStatus).toEqual([{ Region: AWAY, KmsKeyId: 'alias/aws/secretsmanager', Status: 'InProgress' }]);
  expect(await statusOf(SecretId)).toMatchObject([{ Region: AWAY, Status: 'InSync' }]);
  const replica = await away.send(new DescribeSecretCommand({ SecretId }));
  expect(replica).toMatchObject({ ARN: ARN.replace('us-east-1', AWAY), PrimaryRegion: 'us-east-1' });

  const { VersionId } = await home.send(new PutSecretValueCommand({ SecretId, SecretString: 'v2' }));
  await home.send(new TagResourceCommand({ SecretId, Tags: [{ Key: 'a', Value: 'b' }] }));
  expect(await away.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ SecretString: 'v2', VersionId });
  expect((await away.send(new DescribeSecretCommand({ SecretId }))).Tags).toEqual([{ Key: 'a', Value: 'b' }]);
});

it('refuses every change on a replica but of its key', async () => {
  const { SecretId } = await replicated();
  const VersionId = newToken();
  const changes = [
    away.send(new PutSecretValueCommand({ SecretId, SecretString: 'x' })),
    away.send(new UpdateSecretCommand({ SecretId, SecretString: 'x' })),
    away.send(new UpdateSecretCommand({ SecretId, Description: 'x' })),
    away.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'x', MoveToVersionId: VersionId })),
    away.send(new TagResourceCommand({ SecretId, Tags: [{ Key: 'a', Value: 'b' }] })),
    away.send(
      new PutResourcePolicyCommand({
        SecretId,
        ResourcePolicy: '{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*"}]}',
      }),
    ),
    away.send(new RotateSecretCommand({ SecretId })),
    away.send(new DeleteSecretCommand({ SecretId })),
  ];
  for (const change of changes) expect(await refusal(change)).toEqual(ON_REPLICA);

  await away.send(new UpdateSecretCommand({ SecretId, KmsKeyId: 'alias/away' }));
  expect((await away.send(new DescribeSecretCommand({ SecretId }))).KmsKeyId).toBe('alias/away');
  expect((await home.send(new DescribeSecretCommand({ SecretId }))).KmsKeyId).toBeUndefined();
});

it('does not delete a primary before its replicas', async () => {
  const { SecretId, ARN } = await replicated();
  for (const ForceDeleteWithoutRecovery of [true, false]) {
    expect(await refusal(home.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery })))).toEqual({
      name: 'InvalidParameterException',
      message: `You can't delete secret ${ARN} that still has replica regions [${AWAY}].`,
    });
  }
  await home.send(new RemoveRegionsFromReplicationCommand({ SecretId, RemoveReplicaRegions: [AWAY] }));
  expect((await refusal(away.send(new DescribeSecretCommand({ SecretId })))).name).toBe('ResourceNotFoundException');
  await home.send(new DeleteSecretCommand({ SecretId }));
});

it('promotes a replica to a secret of its own', async () => {
  const { SecretId, ARN } = await replicated();
  const promoted = await away.send(new StopReplicationToReplicaCommand({ SecretId }));
  expect(promoted.ARN).toBe(ARN.replace('us-east-1', AWAY));
  const before = await home.send(new DescribeSecretCommand({ SecretId }));
  await away.send(new PutSecretValueCommand({ SecretId, SecretString: 'away' }));
  expect((await home.send(new DescribeSecretCommand({ SecretId }))).VersionIdsToStages).toEqual(
    before.VersionIdsToStages,
  );
  await home.send(new PutSecretValueCommand({ SecretId, SecretString: 'home' }));
  expect((await away.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('away');
  expect((await home.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('home');
  expect((await home.send(new DescribeSecretCommand({ SecretId }))).ReplicationStatus).toEqual([]);
  expect((await refusal(away.send(new StopReplicationToReplicaCommand({ SecretId })))).name).toBe(
    'InvalidParameterException',
  );
});

it('fails in a region that has a secret of the name, unless it may overwrite it', async () => {
  const SecretId = freshName();
  await away.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'theirs' }));
  await home.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'ours' }));
  const replicate = (ForceOverwriteReplicaSecret: boolean) =>
    home.send(
      new ReplicateSecretToRegionsCommand({
        SecretId,
        AddReplicaRegions: [{ Region: AWAY }],
        ForceOverwriteReplicaSecret,
      }),
    );
  expect((await replicate(false)).ReplicationStatus).toMatchObject([{ Region: AWAY, Status: 'InProgress' }]);
  expect(await statusOf(SecretId)).toMatchObject([
    { Region: AWAY, Status: 'Failed', StatusMessage: 'Secret with this name already exists in this region' },
  ]);
  expect((await away.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('theirs');
  await replicate(true);
  expect(await statusOf(SecretId)).toMatchObject([{ Region: AWAY, Status: 'InSync' }]);
  expect((await away.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('ours');
});

it('fails in a region that has not the key', async () => {
  const { SecretId } = await replicated();
  const AddReplicaRegions = [{ Region: 'eu-west-2', KmsKeyId: 'alias/away' }];
  await home.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions }));
  expect(await statusOf(SecretId)).toMatchObject([{ Status: 'InSync' }, { Region: 'eu-west-2', Status: 'Failed' }]);
});

it('refuses its own region, one named twice, and one that has no replica', async () => {
  const { SecretId } = await replicated();
  const to = (...regions: string[]) =>
    home.send(
      new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions: regions.map((Region) => ({ Region })) }),
    );
  expect(await refusal(to('us-east-1'))).toEqual({
    name: 'InvalidParameterException',
    message: 'Invalid replica region.',
  });
  expect((await refusal(to('eu-west-2', 'eu-west-2'))).name).toBe('InvalidParameterException');
  expect((await refusal(to('Mars'))).name).toBe('ValidationException');
  expect((await refusal(to('eu-mars-1'))).name).toBe('InvalidParameterException');
  const remove = home.send(new RemoveRegionsFromReplicationCommand({ SecretId, RemoveReplicaRegions: ['eu-west-2'] }));
  expect((await refusal(remove)).name).toBe('InvalidParameterException');
});
