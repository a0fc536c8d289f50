/** What LocalStack recorded from the real service of versions, labels, tags and refusals, told here in our own words. */
import {
  DeleteSecretCommand,
  GetResourcePolicyCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  type SecretsManagerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { recordedCalls, shown } from '../../support/recorded-calls.ts';
import { clientOf, freshName, newToken, refusal, sendRaw } from '../../support/secrets-lab-client.ts';

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

const { create, read, describeSecret, put, moveStage, labels } = recordedCalls(() => client);

describe('versions', () => {
  it('a list has labelled versions, oldest first; with the deprecated ones, those have no labels to show', async () => {
    const { Name, VersionId: v1 } = await create({ SecretString: 'original' });
    expect(await labels(Name)).toEqual([[v1, ['AWSCURRENT']]]);
    const { VersionId: v2 } = await put(Name, 'update1');
    expect(await labels(Name)).toEqual([
      [v1, ['AWSPREVIOUS']],
      [v2, ['AWSCURRENT']],
    ]);
    const { VersionId: v3 } = await put(Name, 'update2');
    const labelled = [
      [v2, ['AWSPREVIOUS']],
      [v3, ['AWSCURRENT']],
    ];
    expect(await labels(Name)).toEqual(labelled);
    expect(await labels(Name, true)).toEqual([[v1, undefined], ...labelled]);
    const { VersionId: v4 } = await put(Name, 'update3');
    expect(await labels(Name, true)).toEqual([
      [v1, undefined],
      [v2, undefined],
      [v3, ['AWSPREVIOUS']],
      [v4, ['AWSCURRENT']],
    ]);
  });

  it('UpdateSecret with a value moves AWSCURRENT; with nothing it makes no version; with the same value one more', async () => {
    const { Name, ARN, VersionId: v1 } = await create();
    const update = (SecretString?: string) => client.send(new UpdateSecretCommand({ SecretId: Name, SecretString }));
    const { VersionId: v2 } = await update('v2');
    expect(await labels(Name)).toEqual([
      [v1, ['AWSPREVIOUS']],
      [v2, ['AWSCURRENT']],
    ]);
    expect(shown(await update())).toEqual({ ARN, Name });
    const before = await describeSecret(Name);
    const { VersionId: v3 } = await update('v2');
    expect(v3).not.toBe(v2);
    const after = await describeSecret(Name);
    expect(after.LastChangedDate?.getTime()).toBeGreaterThan(before.LastChangedDate?.getTime() ?? 0);
  });

  it('two turns of a pending version: labels of its own stay, AWSPENDING goes to the next', async () => {
    const { Name, VersionId: v1 = '' } = await create({ SecretString: 'S1' });
    const { VersionId: v2 = '', VersionStages } = await put(Name, 'S2', ['AWSSOMETHING', 'AWSPENDING', 'PUT1']);
    expect(VersionStages).toEqual(['AWSPENDING', 'AWSSOMETHING', 'PUT1']);
    expect((await read(Name)).SecretString).toBe('S1');
    await moveStage(Name, 'AWSCURRENT', v2, v1);
    expect(await labels(Name)).toEqual([
      [v1, ['AWSPREVIOUS']],
      [v2, ['AWSCURRENT', 'AWSPENDING', 'AWSSOMETHING', 'PUT1']],
    ]);
    const { VersionId: v3 = '' } = await put(Name, 'S3', ['AWSPENDING', 'PUT2']);
    expect(await labels(Name)).toEqual([
      [v1, ['AWSPREVIOUS']],
      [v2, ['AWSCURRENT', 'AWSSOMETHING', 'PUT1']],
      [v3, ['AWSPENDING', 'PUT2']],
    ]);
    expect(await read(Name)).toMatchObject({ SecretString: 'S2', VersionId: v2 });
    await moveStage(Name, 'AWSCURRENT', v3, v2);
    expect(await labels(Name)).toEqual([
      [v2, ['AWSPREVIOUS', 'AWSSOMETHING', 'PUT1']],
      [v3, ['AWSCURRENT', 'AWSPENDING', 'PUT2']],
    ]);
    expect(await read(Name)).toMatchObject({ SecretString: 'S3', VersionId: v3 });
  });

  it('a label beside AWSCURRENT stays where AWSCURRENT leaves', async () => {
    const { Name, VersionId: v1 } = await create({ SecretString: 'SS' });
    const { VersionId: v2 = '' } = await put(Name, 'S1', ['AWSCURRENT', 'PUT0']);
    const { VersionId: v3 = '' } = await put(Name, 'S2', ['AWSPENDING', 'PUT1']);
    expect(await labels(Name)).toEqual([
      [v1, ['AWSPREVIOUS']],
      [v2, ['AWSCURRENT', 'PUT0']],
      [v3, ['AWSPENDING', 'PUT1']],
    ]);
    await moveStage(Name, 'AWSCURRENT', v3, v2);
    expect(await labels(Name)).toEqual([
      [v2, ['AWSPREVIOUS', 'PUT0']],
      [v3, ['AWSCURRENT', 'AWSPENDING', 'PUT1']],
    ]);
  });

  it('a label of its own is taken off beside AWSCURRENT', async () => {
    const { Name, VersionId: v1 = '' } = await create({ SecretString: 'SS' });
    const { VersionId: v2 = '' } = await put(Name, 'S1', ['PENDING']);
    await moveStage(Name, 'AWSCURRENT', v2, v1);
    expect((await read(Name, { VersionId: v2 })).VersionStages).toEqual(['AWSCURRENT', 'PENDING']);
    await moveStage(Name, 'PENDING', undefined, v2);
    expect((await read(Name, { VersionId: v1 })).VersionStages).toEqual(['AWSPREVIOUS']);
    expect((await read(Name, { VersionId: v2 })).VersionStages).toEqual(['AWSCURRENT']);
  });

  it.each([
    ['all of its labels', ['one', 'two', 'three', 'four'], undefined],
    ['some of its labels', ['one', 'two', 'four'], ['three']],
  ])('a version that loses %s to a newer one', async (_, taken, left) => {
    const { Name, VersionId: v1 } = await create({ SecretString: 'S0' });
    const { VersionId: v2 } = await put(Name, 'S1', ['one', 'two', 'three']);
    const { VersionId: v3 } = await put(Name, 'S2', taken);
    expect(await labels(Name)).toEqual([[v1, ['AWSCURRENT']], ...(left ? [[v2, left]] : []), [v3, taken.toSorted()]]);
  });
});

describe('values', () => {
  const notFound = (what: string) => ({
    name: 'ResourceNotFoundException',
    message: `Secrets Manager can't find the specified secret value for ${what}`,
  });

  it('an empty secret has none, by no label, by a version or by another label', async () => {
    const { Name } = await create({ SecretString: undefined });
    const VersionId = newToken();
    expect(await refusal(read(Name))).toEqual(notFound('staging label: AWSCURRENT'));
    expect(await refusal(read(Name, { VersionId }))).toEqual(notFound(`VersionId: ${VersionId}`));
    expect(await refusal(read(Name, { VersionStage: 'AWSPENDING' }))).toEqual(notFound('staging label: AWSPENDING'));
  });

  it('a label that no version has, and a version that has not the label', async () => {
    const { ARN, VersionId = '' } = await create();
    const VersionStage = 'AWSPREVIOUS';
    expect(await refusal(read(ARN, { VersionStage }))).toEqual(notFound('staging label: AWSPREVIOUS'));
    expect(await refusal(read(ARN, { VersionId, VersionStage }))).toEqual({
      name: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
    });
  });

  it('bytes are base64 on the wire and bytes for an SDK', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const { Name } = await create({ SecretString: undefined, SecretBinary: bytes('footest') });
    expect((await read(Name)).SecretBinary).toEqual(bytes('footest'));
    const raw = await sendRaw(lab, 'GetSecretValue', { SecretId: Name });
    expect(raw.body).toMatchObject({ SecretBinary: Buffer.from('footest').toString('base64') });
    for (const text of ['footest2', 'footest3']) {
      await client.send(new PutSecretValueCommand({ SecretId: Name, SecretBinary: bytes(text) }));
      expect(await read(Name)).toMatchObject({ SecretBinary: bytes(text), VersionStages: ['AWSCURRENT'] });
    }
  });

  it.each([
    ['CreateSecret', 'InvalidRequestException'],
    ['UpdateSecret', 'InvalidRequestException'],
    ['PutSecretValue', 'InvalidRequestException'],
    ['RotateSecret', 'InvalidParameterException'],
  ])('%s without a token is refused before the secret is looked for', async (operation, __type) => {
    const name = freshName('no-token');
    const secret = operation === 'CreateSecret' ? { Name: name } : { SecretId: name };
    const { status, body } = await sendRaw(lab, operation, { ...secret, SecretString: 'x', Description: 'y' });
    const Message = 'You must provide a ClientRequestToken value. We recommend a UUID-type value.';
    expect({ status, body }).toEqual({ status: 400, body: { __type, Message } });
  });
});

describe('a secret that is marked for deletion', () => {
  const MARKED = {
    name: 'InvalidRequestException',
    message: "You can't perform this operation on the secret because it was marked for deletion.",
  };

  it('can be described and restored, and neither tagged nor untagged', async () => {
    const { ARN, Name } = await create({ Tags: [{ Key: 'initial', Value: 'value' }] });
    const deleted = await client.send(new DeleteSecretCommand({ SecretId: ARN }));
    expect(shown(deleted)).toEqual({ ARN, Name, DeletionDate: 'date' });
    const tag = client.send(new TagResourceCommand({ SecretId: ARN, Tags: [{ Key: 'new', Value: 'value' }] }));
    expect(await refusal(tag)).toEqual(MARKED);
    expect(await refusal(client.send(new UntagResourceCommand({ SecretId: ARN, TagKeys: ['initial'] })))).toEqual(
      MARKED,
    );
    expect(shown(await client.send(new RestoreSecretCommand({ SecretId: Name })))).toEqual({ ARN, Name });
  });

  it('can be deleted by force', async () => {
    const { ARN, Name } = await create();
    await client.send(new DeleteSecretCommand({ SecretId: ARN }));
    expect(await describeSecret(ARN)).toMatchObject({ ARN, DeletedDate: expect.any(Date) });
    const forced = await client.send(new DeleteSecretCommand({ SecretId: ARN, ForceDeleteWithoutRecovery: true }));
    expect(shown(forced)).toEqual({ ARN, Name, DeletionDate: 'date' });
    expect((await refusal(describeSecret(ARN))).name).toBe('ResourceNotFoundException');
  });
});

describe('what belongs to a secret', () => {
  it('tags in the order of their making; after the last an empty list, before the first none', async () => {
    const { ARN } = await create({ SecretString: undefined });
    const tag = (...Tags: { Key: string; Value: string }[]) =>
      client.send(new TagResourceCommand({ SecretId: ARN, Tags }));
    const untag = (...TagKeys: string[]) => client.send(new UntagResourceCommand({ SecretId: ARN, TagKeys }));
    const tags = async () => (await describeSecret(ARN)).Tags;
    const of = (number: number) => ({ Key: `tag${number}`, Value: `value${number}` });
    expect(await tags()).toBeUndefined();
    expect(shown(await tag(of(1)))).toEqual({});
    expect(await tags()).toEqual([of(1)]);
    await tag(of(2));
    expect(await tags()).toEqual([of(1), of(2)]);
    expect(shown(await untag('tag1'))).toEqual({});
    expect(await tags()).toEqual([of(2)]);
    await untag('tag2');
    expect(await tags()).toEqual([]);
    await tag(of(3), of(4));
    expect(await tags()).toEqual([of(3), of(4)]);
    await untag('tag3', 'tag4');
    expect(await tags()).toEqual([]);
  });

  it('a policy for everybody is attached where nobody asks for it to be blocked', async () => {
    const { ARN, Name } = await create();
    const Statement = [{ Effect: 'Allow', Principal: '*', Action: 'secretsmanager:GetSecretValue', Resource: '*' }];
    const ResourcePolicy = JSON.stringify({ Version: '2012-10-17', Statement });
    const put = await client.send(new PutResourcePolicyCommand({ SecretId: Name, ResourcePolicy }));
    expect(shown(put)).toEqual({ ARN, Name });
    const got = await client.send(new GetResourcePolicyCommand({ SecretId: Name }));
    expect(JSON.parse(got.ResourcePolicy ?? '')).toEqual({ Version: '2012-10-17', Statement });
  });
});
