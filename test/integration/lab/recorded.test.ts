/**
 * What others recorded from the real service, told here in our own words: LocalStack's snapshots
 * (tests/aws/services/secretsmanager, "aws.validated") and moto's tests that were run against AWS ("aws_verified").
 */
import {
  DeleteResourcePolicyCommand,
  DeleteSecretCommand,
  type Filter,
  GetRandomPasswordCommand,
  GetResourcePolicyCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
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

const NOT_FOUND = { name: 'ResourceNotFoundException', message: "Secrets Manager can't find the specified secret." };

const { create, read, describeSecret, put, remove, moveStage } = recordedCalls(() => client);

const POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::123456789012:root' },
      Action: 'secretsmanager:GetSecretValue',
      Resource: '*',
    },
  ],
};

describe("LocalStack's recordings", () => {
  it.each([
    's-c64bdc03',
    'Valid/_+=.@-Name',
    'Valid/_+=.@-Name-a1b2',
    'Valid/_+=.@-Name-a1b2c3-',
  ])('a life of the secret %s, whose partial ARN is found', async (Name) => {
    const created = await create({ Name, Description: 'Testing secret creation.' });
    const { ARN = '', VersionId: v1 = '' } = created;
    expect(shown(created)).toEqual({ ARN: expect.stringMatching(/-[A-Za-z0-9]{6}$/), Name, VersionId: v1 });
    const value = {
      ARN,
      Name,
      VersionId: v1,
      CreatedDate: 'date',
      SecretString: 'my_secret',
      VersionStages: ['AWSCURRENT'],
    };
    expect(shown(await read(Name))).toEqual(value);
    expect(shown(await describeSecret(Name))).toEqual({
      ARN,
      Name,
      Description: 'Testing secret creation.',
      CreatedDate: 'date',
      LastAccessedDate: 'date',
      LastChangedDate: 'date',
      VersionIdsToStages: { [v1]: ['AWSCURRENT'] },
    });
    expect(shown(await read(ARN))).toEqual(value);
    expect(shown(await read(ARN.slice(0, -7)))).toEqual(value);
    const changed = await put(Name, 'new_secret');
    expect(shown(changed)).toEqual({ ARN, Name, VersionId: changed.VersionId, VersionStages: ['AWSCURRENT'] });
    expect((await read(Name)).SecretString).toBe('new_secret');
    const updated = await client.send(new UpdateSecretCommand({ SecretId: ARN, SecretString: 'v3' }));
    expect(shown(updated)).toEqual({ ARN, Name, VersionId: updated.VersionId });
    expect(shown(await remove(Name))).toEqual({ ARN, Name, DeletionDate: 'date' });
  });

  it('a name that ends like a suffix is not found by its partial ARN', async () => {
    const { ARN = '' } = await create({ Name: 'Invalid/_+=.@-Name-a1b2c3' });
    expect(await refusal(read(ARN.slice(0, -7)))).toEqual(NOT_FOUND);
  });

  it('a secret is listed as often as one asks, and reading the list is no access', async () => {
    const { ARN, Name = '', VersionId = '' } = await create({ Description: 'testing creation of secrets' });
    for (let times = 0; times < 3; times++) {
      const listed = await client.send(new ListSecretsCommand({ Filters: [{ Key: 'name', Values: [Name] }] }));
      expect((listed.SecretList ?? []).map(shown)).toEqual([
        {
          ARN,
          Name,
          Description: 'testing creation of secrets',
          CreatedDate: 'date',
          LastChangedDate: 'date',
          SecretVersionsToStages: { [VersionId]: ['AWSCURRENT'] },
        },
      ]);
    }
  });

  it('several secrets are listed in the order of their creation', async () => {
    const prefix = freshName('several');
    for (const name of ['b', 'c', 'a']) await create({ Name: `${prefix}/${name}` });
    const { SecretList = [] } = await client.send(
      new ListSecretsCommand({ Filters: [{ Key: 'name', Values: [prefix] }] }),
    );
    expect(SecretList.map(({ Name }) => Name)).toEqual(['b', 'c', 'a'].map((name) => `${prefix}/${name}`));
  });

  it.each([
    'Inv Name',
    ' Inv Name',
    ' Inv*Name? ',
    ' Inv *?!]Name\\-',
  ])('the name "%s" is refused by every operation', async (name) => {
    const refused = {
      __type: 'ValidationException',
      message:
        'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
    };
    const token = newToken();
    const calls: [string, object][] = [
      ['CreateSecret', { Name: name, SecretString: 'x', ClientRequestToken: token }],
      ['DeleteSecret', { SecretId: name }],
      ['DescribeSecret', { SecretId: name }],
      ['GetResourcePolicy', { SecretId: name }],
      ['GetSecretValue', { SecretId: name }],
      ['ListSecretVersionIds', { SecretId: name }],
      ['PutResourcePolicy', { SecretId: name, ResourcePolicy: '{}' }],
      ['PutSecretValue', { SecretId: name, SecretString: 'x', ClientRequestToken: token }],
      ['TagResource', { SecretId: name, Tags: [{ Key: 'k', Value: 'v' }] }],
      ['UntagResource', { SecretId: name, TagKeys: ['k'] }],
      ['UpdateSecret', { SecretId: name, ClientRequestToken: token }],
      ['ValidateResourcePolicy', { SecretId: name, ResourcePolicy: JSON.stringify(POLICY) }],
    ];
    for (const [operation, body] of calls) {
      const answer = await sendRaw(lab, operation, body);
      expect({ operation, status: answer.status, ...answer.body }).toEqual({ operation, status: 400, ...refused });
    }
  });

  it('filters: names by their beginning, descriptions by the beginnings of words', async () => {
    const suffix = freshName();
    const names = [`testing1/one-${suffix}`, `/testing2/two-${suffix}`, `testing3/three-${suffix}`];
    const [one = '', two = '', three = ''] = names;
    const four = `/testing4/four-${suffix}`;
    const descriptions = new Map([
      [one, 'a secret'],
      [two, 'an secret'],
      [three, 'asecret'],
      [four, 'thesecret'],
    ]);
    for (const [Name, Description] of descriptions) await create({ Name, Description });
    const found = async (...Filters: Filter[]) => {
      const { SecretList = [] } = await client.send(new ListSecretsCommand({ Filters }));
      return SecretList.flatMap(({ Name = '' }) => (descriptions.has(Name) ? Name : []));
    };
    const by = (Key: 'name' | 'description', ...Values: string[]): Filter => ({ Key, Values });
    expect(await found(by('name', '/'))).toEqual([two, four]);
    expect(await found(by('name', '!/'))).toEqual([one, three]);
    expect(await found(by('name', 'testing1 one'))).toEqual([]);
    expect(await found(by('description', 'a'))).toEqual([one, two, three]);
    expect(await found(by('description', '!a'))).toEqual([four]);
    expect(await found(by('description', 'a secret'))).toEqual([one, two]);
    expect(await found(by('description', 'a'), by('name', 'secret'))).toEqual([]);
    expect(await found(by('description', 'a'), by('name', 'an'))).toEqual([]);
    expect(await found(by('description', '!c'))).toEqual([one, two, three, four]);
  });

  it('"all" splits names at humps and digits too', async () => {
    const Name = `prod/AppBeta/x-${freshName()}`;
    await create({ Name });
    const found = async (value: string) => {
      const Filters: Filter[] = [{ Key: 'all', Values: [value] }];
      return ((await client.send(new ListSecretsCommand({ Filters }))).SecretList ?? []).map((secret) => secret.Name);
    };
    expect(await found('Beta')).toContain(Name);
    expect(await found('appbeta')).toContain(Name);
    expect(await found('eta')).not.toContain(Name);
  });

  it('a random password leaves out what it is told to', async () => {
    const excluded = 'xyzDje@?!.';
    const input = { PasswordLength: 120, ExcludeCharacters: excluded };
    const { RandomPassword = '' } = await client.send(new GetRandomPasswordCommand(input));
    expect(RandomPassword).toHaveLength(120);
    expect([...RandomPassword].filter((character) => excluded.includes(character))).toEqual([]);
  });

  it('a resource policy comes back as it was put, and goes', async () => {
    const { ARN, Name } = await create();
    const ResourcePolicy = JSON.stringify(POLICY);
    const attached = await client.send(new PutResourcePolicyCommand({ SecretId: Name, ResourcePolicy }));
    expect(shown(attached)).toEqual({ ARN, Name });
    const get = () => client.send(new GetResourcePolicyCommand({ SecretId: Name }));
    expect(shown(await get())).toEqual({ ARN, Name, ResourcePolicy });
    await client.send(new DeleteResourcePolicyCommand({ SecretId: Name }));
    expect(shown(await get())).toEqual({ ARN, Name });
  });

  it('a function that does not exist is refused, and nothing is configured', async () => {
    const { Name } = await create();
    const rotate = client.send(
      new RotateSecretCommand({
        SecretId: Name,
        RotationLambdaARN: 'arn:aws:lambda:us-east-1:123456789012:function:rotate_secret_invalid_lambda_arn',
        RotationRules: { AutomaticallyAfterDays: 1 },
      }),
    );
    expect((await refusal(rotate)).name).toBe('AccessDeniedException');
    const after = await describeSecret(Name);
    for (const member of ['RotationEnabled', 'RotationRules', 'RotationLambdaARN']) {
      expect(after).not.toHaveProperty(member);
    }
  });

  it('labels of its own leave AWSCURRENT alone, move on, and are answered in alphabetical order', async () => {
    const { Name, VersionId: v1 } = await create({ SecretString: 'v0' });
    for (const value of ['v1', 'v2']) {
      expect((await put(Name, value, ['SAMPLESTAGE1', 'SAMPLESTAGE0'])).VersionStages).toEqual([
        'SAMPLESTAGE0',
        'SAMPLESTAGE1',
      ]);
      expect(await read(Name)).toMatchObject({ SecretString: 'v0', VersionId: v1, VersionStages: ['AWSCURRENT'] });
    }
    expect((await put(Name, 'v3', ['AWSPENDING'])).VersionStages).toEqual(['AWSPENDING']);
    expect((await read(Name)).SecretString).toBe('v0');
    expect((await put(Name, 'v4')).VersionStages).toEqual(['AWSCURRENT']);
    expect((await read(Name)).SecretString).toBe('v4');
  });

  it('the date of the last access is a day, and that of the last change follows every change', async () => {
    const { Name } = await create();
    await read(Name);
    const first = await describeSecret(Name);
    expect((first.LastAccessedDate?.getTime() ?? 1) % 86_400_000).toBe(0);
    await client.send(new UpdateSecretCommand({ SecretId: Name, Description: 'new' }));
    const second = await describeSecret(Name);
    expect(second.LastChangedDate?.getTime()).toBeGreaterThan(first.LastChangedDate?.getTime() ?? 0);
    expect(second.CreatedDate).toEqual(first.CreatedDate);
  });

  it('UpdateSecret of a description makes no version, of a value one', async () => {
    const { Name, ARN, VersionId: v1 = '' } = await create();
    const described = await client.send(new UpdateSecretCommand({ SecretId: Name, Description: 'MyDescription' }));
    expect(shown(described)).toEqual({ ARN, Name });
    const input = { SecretId: Name, SecretString: 'v2', Description: 'MyNewDescription' };
    const { VersionId: v2 = '' } = await client.send(new UpdateSecretCommand(input));
    expect(await describeSecret(Name)).toMatchObject({
      Description: 'MyNewDescription',
      VersionIdsToStages: { [v2]: ['AWSCURRENT'], [v1]: ['AWSPREVIOUS'] },
    });
  });

  it('AWSCURRENT moves to a pending version and back, AWSPREVIOUS behind it, and AWSPENDING stays', async () => {
    const { Name, ARN, VersionId: v1 = '' } = await create({ SecretString: 'v1' });
    const { VersionId: v2 = '' } = await put(Name, 'v2', ['AWSPENDING']);
    const stages = async () => (await describeSecret(Name)).VersionIdsToStages;
    expect(shown(await moveStage(Name, 'AWSCURRENT', v2, v1))).toEqual({ ARN, Name });
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT', 'AWSPENDING'] });
    await moveStage(Name, 'AWSCURRENT', v1, v2);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'], [v2]: ['AWSPENDING', 'AWSPREVIOUS'] });
    await moveStage(Name, 'AWSCURRENT', v2, v1);
    const { VersionId: v3 = '' } = await put(Name, 'v3');
    expect(await stages()).toEqual({ [v2]: ['AWSPREVIOUS'], [v3]: ['AWSCURRENT'] });
  });

  it('a label of its own stays where AWSCURRENT was, and keeps the version in the list', async () => {
    const { Name, VersionId: v1 = '' } = await create({ SecretString: 'SS' });
    const { VersionId: v2 = '' } = await put(Name, 'S1', ['PENDING']);
    await moveStage(Name, 'AWSCURRENT', v2, v1);
    await put(Name, 'S2');
    await put(Name, 'S3');
    const { Versions = [] } = await client.send(new ListSecretVersionIdsCommand({ SecretId: Name }));
    const labels = new Map(Versions.map(({ VersionId, VersionStages }) => [VersionId, VersionStages]));
    expect(labels.get(v2)).toEqual(['PENDING']);
    expect(labels.has(v1)).toBe(false);
    expect(Versions.every(({ KmsKeyIds }) => KmsKeyIds?.join() === 'DefaultEncryptionKey')).toBe(true);
  });

  it('deleting what does not exist by force succeeds', async () => {
    const SecretId = freshName('absent');
    expect(shown(await remove(SecretId))).toMatchObject({ Name: SecretId, DeletionDate: 'date' });
    expect(await refusal(client.send(new DeleteSecretCommand({ SecretId })))).toEqual(NOT_FOUND);
    expect(await refusal(client.send(new ListSecretVersionIdsCommand({ SecretId })))).toEqual(NOT_FOUND);
    expect(await refusal(read(SecretId))).toEqual(NOT_FOUND);
  });

  it('a name is free at once after a deletion by force, and taken after one with a recovery window', async () => {
    const { Name } = await create();
    await remove(Name);
    await create({ Name });
    await client.send(new DeleteSecretCommand({ SecretId: Name }));
    expect(await refusal(create({ Name }))).toEqual({
      name: 'InvalidRequestException',
      message: "You can't create this secret because a secret with this name is already scheduled for deletion.",
    });
    const { DeletedDate } = await describeSecret(Name);
    expect(DeletedDate).toBeInstanceOf(Date);
    await client.send(new RestoreSecretCommand({ SecretId: Name }));
    expect(await describeSecret(Name)).not.toHaveProperty('DeletedDate');
  });

  it('an empty secret has no version; its first one is current', async () => {
    const created = await create({ SecretString: undefined });
    const { ARN, Name } = created;
    expect(shown(created)).toEqual({ ARN, Name });
    expect(shown(await describeSecret(Name))).toEqual({ ARN, Name, CreatedDate: 'date', LastChangedDate: 'date' });
    expect((await put(Name, 'first')).VersionStages).toEqual(['AWSCURRENT']);
  });
});

describe("moto's tests that were verified against AWS", () => {
  const inUse = (token: string, ARN: string | undefined) => ({
    name: 'ResourceExistsException',
    message: `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${ARN}.`,
  });

  it('creating a secret again, without a token', async () => {
    const { Name } = await create({ SecretString: 'Hello' });
    expect(await refusal(create({ Name, SecretString: 'Hello' }))).toEqual({
      name: 'ResourceExistsException',
      message: `The operation failed because the secret ${Name} already exists.`,
    });
  });

  it('the same token with the same value: the same answer; with another value: refused', async () => {
    const ClientRequestToken = newToken();
    const created = await create({ SecretString: 'Hello', ClientRequestToken });
    const { ARN, Name } = created;
    expect(created.VersionId).toBe(ClientRequestToken);
    const same = { SecretString: 'Hello', ClientRequestToken };
    const other = { SecretString: 'Hi', ClientRequestToken };
    const refused = inUse(ClientRequestToken, ARN);
    expect(shown(await create({ Name, ...same }))).toEqual(shown(created));
    expect(await refusal(create({ Name, ...other }))).toEqual(refused);
    const putAgain = await client.send(new PutSecretValueCommand({ SecretId: ARN, ...same }));
    expect(shown(putAgain)).toEqual({ ...shown(created), VersionStages: ['AWSCURRENT'] });
    expect(await refusal(client.send(new PutSecretValueCommand({ SecretId: ARN, ...other })))).toEqual(refused);
    const updated = await client.send(new UpdateSecretCommand({ SecretId: Name, ...same }));
    expect(updated.VersionId).toBe(ClientRequestToken);
    expect(await refusal(client.send(new UpdateSecretCommand({ SecretId: ARN, ...other })))).toEqual(refused);
  });

  it('moving AWSCURRENT by hand, and not saying from where', async () => {
    const { ARN } = await create({ SecretString: 'old_secret' });
    const { VersionId: current = '' } = await put(ARN, 'previous_secret', ['AWSCURRENT']);
    const { VersionId: pending = '' } = await put(ARN, 'new_secret', ['AWSPENDING']);
    expect(await refusal(moveStage(ARN, 'AWSCURRENT', pending))).toEqual({
      name: 'InvalidParameterException',
      message: `The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version ${current}, so you must explicitly reference that version in RemoveFromVersionId.`,
    });
    await moveStage(ARN, 'AWSCURRENT', pending, current);
    expect(await read(ARN, { VersionStage: 'AWSCURRENT' })).toMatchObject({
      SecretString: 'new_secret',
      VersionStages: ['AWSCURRENT', 'AWSPENDING'],
    });
    expect(await read(ARN, { VersionStage: 'AWSPREVIOUS' })).toMatchObject({
      SecretString: 'previous_secret',
      VersionStages: ['AWSPREVIOUS'],
    });
  });
});
