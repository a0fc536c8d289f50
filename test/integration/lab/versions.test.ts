import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  paginateListSecretVersionIds,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startClock } from '../../../scripts/lab/clock.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, freshName, newToken, refusal } from '../../support/secrets-lab-client.ts';

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

/** A secret whose first version is v1, and the operations on it. */
async function secretWithVersion() {
  const Name = freshName();
  const { ARN = '', VersionId: v1 = '' } = await client.send(new CreateSecretCommand({ Name, SecretString: 'v1' }));
  const put = async (SecretString: string, VersionStages?: string[], ClientRequestToken = newToken()) => {
    const answer = await client.send(
      new PutSecretValueCommand({ SecretId: Name, SecretString, VersionStages, ClientRequestToken }),
    );
    return answer.VersionId ?? '';
  };
  return {
    Name,
    ARN,
    v1,
    put,
    stages: async () => (await client.send(new DescribeSecretCommand({ SecretId: Name }))).VersionIdsToStages,
    move: (VersionStage: string, MoveToVersionId?: string, RemoveFromVersionId?: string) =>
      client.send(
        new UpdateSecretVersionStageCommand({ SecretId: Name, VersionStage, MoveToVersionId, RemoveFromVersionId }),
      ),
    read: (VersionId?: string, VersionStage?: string) =>
      client.send(new GetSecretValueCommand({ SecretId: Name, VersionId, VersionStage })),
    list: async (IncludeDeprecated = false) =>
      (await client.send(new ListSecretVersionIdsCommand({ SecretId: Name, IncludeDeprecated }))).Versions ?? [],
  };
}

describe('PutSecretValue', () => {
  it('without labels moves AWSCURRENT, and AWSPREVIOUS to the version that had it', async () => {
    const { v1, put, stages } = await secretWithVersion();
    const v2 = await put('v2');
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT'] });
    const v3 = await put('v3');
    expect(await stages()).toEqual({ [v2]: ['AWSPREVIOUS'], [v3]: ['AWSCURRENT'] });
  });

  it('with labels takes each from the version that had it', async () => {
    const { v1, put, stages } = await secretWithVersion();
    const v2 = await put('v2', ['one', 'two', 'three']);
    const v3 = await put('v3', ['one', 'two', 'four']);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'], [v2]: ['three'], [v3]: ['four', 'one', 'two'] });
  });

  it('with AWSPENDING takes it from a current version that still carries it', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2', ['AWSPENDING']);
    await move('AWSCURRENT', v2, v1);
    const v3 = await put('v3', ['AWSPENDING']);
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT'], [v3]: ['AWSPENDING'] });
  });

  it('without labels, while AWSCURRENT and AWSPENDING share a version, leaves that version AWSPREVIOUS alone', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2', ['AWSPENDING']);
    await move('AWSCURRENT', v2, v1);
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT', 'AWSPENDING'] });
    const v3 = await put('v3');
    expect(await stages()).toEqual({ [v2]: ['AWSPREVIOUS'], [v3]: ['AWSCURRENT'] });
  });

  it('makes the first version of an empty secret AWSCURRENT whatever labels it is given', async () => {
    const Name = freshName();
    await client.send(new CreateSecretCommand({ Name }));
    const put = await client.send(
      new PutSecretValueCommand({ SecretId: Name, SecretString: 'x', VersionStages: ['mine'] }),
    );
    expect(put.VersionStages).toEqual(['AWSCURRENT', 'mine']);
  });

  it('with the same token and value changes nothing', async () => {
    const { put, stages } = await secretWithVersion();
    const token = newToken();
    await put('v2', ['AWSPENDING'], token);
    const before = await stages();
    await put('v2', ['AWSPENDING'], token);
    await put('v2', undefined, token);
    expect(await stages()).toEqual(before);
  });

  it('refuses the same token with another value, of whichever kind', async () => {
    const { Name, ARN, put, read } = await secretWithVersion();
    const token = newToken();
    await put('v2', ['AWSPENDING'], token);
    const refused = {
      name: 'ResourceExistsException',
      message: `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${ARN}.`,
    };
    expect(await refusal(put('other', ['AWSPENDING'], token))).toEqual(refused);
    const bytes = new PutSecretValueCommand({
      SecretId: Name,
      SecretBinary: Buffer.from('v2'),
      ClientRequestToken: token,
    });
    expect(await refusal(client.send(bytes))).toEqual(refused);
    expect((await read(token)).SecretString).toBe('v2');
  });

  it('accepts a RotationToken in its form', async () => {
    const { Name } = await secretWithVersion();
    const put = (RotationToken: string) =>
      client.send(
        new PutSecretValueCommand({ SecretId: Name, SecretString: 'x', VersionStages: ['AWSPENDING'], RotationToken }),
      );
    await put(newToken());
    const { name, message } = await refusal(put('too-short'));
    expect(name).toBe('ValidationException');
    expect(message).not.toContain('too-short');
  });

  it.each([
    ['no labels', []],
    ['21 labels', Array.from({ length: 21 }, (_, index) => `label${index}`)],
    ['an empty label', ['']],
  ])('refuses %s', async (_, labels) => {
    const { put } = await secretWithVersion();
    expect((await refusal(put('x', labels))).name).toBe('ValidationException');
  });

  it('refuses labels beyond 20 a secret and leaves everything as it was', async () => {
    const { put, stages } = await secretWithVersion();
    await put(
      'v2',
      Array.from({ length: 19 }, (_, index) => `label${index}`),
    );
    const before = await stages();
    expect((await refusal(put('v3', ['one-more']))).name).toBe('LimitExceededException');
    expect(await stages()).toEqual(before);
    await put('v3', ['label1']);
  });
});

describe('GetSecretValue', () => {
  it('finds a version by label, by id, and by both where they agree', async () => {
    const { v1, put, read } = await secretWithVersion();
    const v2 = await put('v2');
    expect((await read()).VersionId).toBe(v2);
    expect((await read(undefined, 'AWSPREVIOUS')).VersionId).toBe(v1);
    expect((await read(v1)).SecretString).toBe('v1');
    expect((await read(v1, 'AWSPREVIOUS')).SecretString).toBe('v1');
    expect(await refusal(read(v1, 'AWSCURRENT'))).toEqual({
      name: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
    });
  });

  it('answers for a version by id and a label that it has lost as a disagreement, and for one that never was as missing', async () => {
    const { put, read, move } = await secretWithVersion();
    const pending = await put('v2', ['AWSPENDING']);
    expect((await read(pending, 'AWSPENDING')).SecretString).toBe('v2');
    await move('AWSPENDING', undefined, pending);
    expect(await refusal(read(pending, 'AWSPENDING'))).toEqual({
      name: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
    });
    expect((await read(pending)).SecretString).toBe('v2');
    const missing = newToken();
    expect(await refusal(read(missing, 'AWSPENDING'))).toEqual({
      name: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for VersionId: ${missing}`,
    });
  });

  it('names the label or version that it cannot find', async () => {
    const { read } = await secretWithVersion();
    const missing = newToken();
    expect(await refusal(read(undefined, 'AWSPENDING'))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    });
    expect(await refusal(read(missing))).toEqual({
      name: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for VersionId: ${missing}`,
    });
  });
});

describe('UpdateSecretVersionStage', () => {
  it('moves AWSCURRENT, with AWSPREVIOUS behind it, and leaves AWSPENDING where it is', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2', ['AWSPENDING']);
    await move('AWSCURRENT', v2, v1);
    expect(await stages()).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT', 'AWSPENDING'] });
  });

  it('rolls back: AWSPREVIOUS and AWSCURRENT change places', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2');
    await move('AWSCURRENT', v1, v2);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'], [v2]: ['AWSPREVIOUS'] });
  });

  it('never takes a custom label along, and the label keeps its version alive', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2', ['AWSCURRENT', 'PUT0']);
    const v3 = await put('v3', ['AWSPENDING', 'PUT1']);
    await move('AWSCURRENT', v3, v2);
    expect(await stages()).toEqual({ [v2]: ['AWSPREVIOUS', 'PUT0'], [v3]: ['AWSCURRENT', 'AWSPENDING', 'PUT1'] });
    const v4 = await put('v4');
    expect(await stages()).toEqual({ [v2]: ['PUT0'], [v3]: ['AWSPREVIOUS', 'PUT1'], [v4]: ['AWSCURRENT'] });
    expect(v1).not.toBe(v4);
  });

  it('asks for RemoveFromVersionId where another version has the label', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2', ['AWSPENDING']);
    const before = await stages();
    expect(await refusal(move('AWSCURRENT', v2))).toEqual({
      name: 'InvalidParameterException',
      message: `The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version ${v1}, so you must explicitly reference that version in RemoveFromVersionId.`,
    });
    expect((await refusal(move('AWSCURRENT', v2, v2))).name).toBe('InvalidParameterException');
    expect(await stages()).toEqual(before);
  });

  it('never removes AWSCURRENT completely', async () => {
    const { v1, stages, move } = await secretWithVersion();
    expect(await refusal(move('AWSCURRENT', undefined, v1))).toEqual({
      name: 'InvalidParameterException',
      message:
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
    });
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT'] });
  });

  it('takes any other label off, and adds one that no version has', async () => {
    const { v1, put, stages, move } = await secretWithVersion();
    const v2 = await put('v2', ['AWSPENDING']);
    await move('AWSPENDING', undefined, v2);
    await move('mine', v1);
    await move('mine', v1);
    expect(await stages()).toEqual({ [v1]: ['AWSCURRENT', 'mine'] });
    expect((await refusal(move('AWSPENDING', undefined, v2))).name).toBe('InvalidParameterException');
  });

  it('refuses versions that do not exist, and a move of nothing', async () => {
    const { v1, move } = await secretWithVersion();
    expect((await refusal(move('AWSCURRENT', newToken(), v1))).name).toBe('ResourceNotFoundException');
    expect((await refusal(move('mine', undefined, newToken()))).name).toBe('ResourceNotFoundException');
    expect((await refusal(move('mine'))).name).toBe('InvalidParameterException');
  });
});

describe('ListSecretVersionIds', () => {
  it('shows versions without a label only when asked, and then without VersionStages', async () => {
    const { v1, put, list, stages, read } = await secretWithVersion();
    const v2 = await put('v2');
    const v3 = await put('v3');
    expect((await list()).map((version) => version.VersionId)).toEqual([v2, v3]);
    expect(await stages()).not.toHaveProperty(v1);
    const all = await list(true);
    expect(all.map((version) => version.VersionId)).toEqual([v1, v2, v3]);
    expect(all[0]).not.toHaveProperty('VersionStages');
    expect(all[2]).toMatchObject({ VersionStages: ['AWSCURRENT'], KmsKeyIds: ['DefaultEncryptionKey'] });
    expect((await read(v1)).SecretString).toBe('v1');
  });

  it('shows when a version was read', async () => {
    const { read, list } = await secretWithVersion();
    expect((await list())[0]?.LastAccessedDate).toBeUndefined();
    await read();
    expect((await list())[0]?.LastAccessedDate).toBeInstanceOf(Date);
  });

  it('pages', async () => {
    const { Name, put } = await secretWithVersion();
    for (let version = 2; version <= 5; version++) await put(`v${version}`);
    const seen: (string | undefined)[] = [];
    let NextToken: string | undefined;
    do {
      const page = await client.send(
        new ListSecretVersionIdsCommand({ SecretId: Name, IncludeDeprecated: true, MaxResults: 2, NextToken }),
      );
      expect(page.Versions?.length).toBeLessThanOrEqual(2);
      seen.push(...(page.Versions ?? []).map((version) => version.VersionId));
      NextToken = page.NextToken;
    } while (NextToken);
    expect(new Set(seen).size).toBe(5);
    const forged = client.send(new ListSecretVersionIdsCommand({ SecretId: Name, NextToken: 'forged' }));
    expect((await refusal(forged)).name).toBe('InvalidNextTokenException');
  });

  it('forgets versions without a label past 100, but none of the last day: then the quota is met', async () => {
    const put = (target: SecretsManagerClient, SecretId: string, SecretString: string) =>
      target.send(new PutSecretValueCommand({ SecretId, SecretString }));
    const fill = async (target: SecretsManagerClient, last: number) => {
      const Name = freshName();
      await target.send(new CreateSecretCommand({ Name, SecretString: 'v0' }));
      for (let version = 1; version <= last; version++) await put(target, Name, `v${version}`);
      return Name;
    };
    const today = await fill(client, 99);
    expect((await refusal(put(client, today, 'v100'))).name).toBe('LimitExceededException');
    expect((await client.send(new GetSecretValueCommand({ SecretId: today }))).SecretString).toBe('v99');
    expect(await countVersions(client, today)).toBe(100);

    // A day passes in less than a millisecond.
    await using fast = await startSecretsManager({ clock: startClock({ timeScale: 100_000_000 }) });
    const fastClient = clientOf(fast);
    const SecretId = await fill(fastClient, 109);
    expect(await countVersions(fastClient, SecretId)).toBe(100);
    fastClient.destroy();
  });
});

/** Deprecated ones too, over all pages. */
async function countVersions(client: SecretsManagerClient, SecretId: string): Promise<number> {
  let count = 0;
  for await (const { Versions = [] } of paginateListSecretVersionIds(
    { client },
    { SecretId, IncludeDeprecated: true },
  )) {
    count += Versions.length;
  }
  return count;
}

const EITHER = "Either 'SecretIdList' or 'Filters' must be provided, but not both.";

describe('BatchGetSecretValue', () => {
  it('answers values and errors side by side', async () => {
    const { Name, ARN } = await secretWithVersion();
    const answer = await client.send(new BatchGetSecretValueCommand({ SecretIdList: [Name, 'missing'] }));
    expect(answer.SecretValues).toMatchObject([{ ARN, Name, SecretString: 'v1', VersionStages: ['AWSCURRENT'] }]);
    expect(answer.Errors).toMatchObject([{ SecretId: 'missing', ErrorCode: 'ResourceNotFoundException' }]);
  });

  it('takes filters instead, with paging', async () => {
    const prefix = freshName('batch');
    for (const suffix of ['a', 'b', 'c']) {
      await client.send(new CreateSecretCommand({ Name: `${prefix}/${suffix}`, SecretString: suffix }));
    }
    const request = { Filters: [{ Key: 'name' as const, Values: [`${prefix}/`] }], MaxResults: 2 };
    const first = await client.send(new BatchGetSecretValueCommand(request));
    const second = await client.send(new BatchGetSecretValueCommand({ ...request, NextToken: first.NextToken }));
    const found = [...(first.SecretValues ?? []), ...(second.SecretValues ?? [])].map((value) => value.SecretString);
    expect(found).toEqual(['a', 'b', 'c']);
    expect(second.NextToken).toBeUndefined();
  });

  it.each([
    ['both', { SecretIdList: ['a'], Filters: [{ Key: 'name' as const, Values: ['a'] }] }, EITHER],
    ['neither', {}, EITHER],
    [
      'MaxResults with ids',
      { SecretIdList: ['a'], MaxResults: 1 },
      "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
    ],
  ])('refuses %s', async (_, input, message) => {
    const name = 'InvalidParameterException';
    expect(await refusal(client.send(new BatchGetSecretValueCommand(input)))).toEqual({ name, message });
  });
});
