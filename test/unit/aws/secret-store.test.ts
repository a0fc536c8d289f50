import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startClock } from '../../../scripts/lab/clock.ts';
import type { RequestRecord } from '../../../scripts/lab/requests.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { rdsServers } from '../../../shared/aws/rds-servers.ts';
import { secretStore, secretsManagerClient } from '../../../shared/aws/secret-store.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { isServiceAway } from '../../../shared/rotation/patience.ts';
import type { WhichVersion } from '../../../shared/rotation/ports.ts';
import { ManualDeadline, refusal } from '../../support/fake-rotation.ts';
import { clientOf, clientWithNextToken, freshName } from '../../support/secrets-lab-client.ts';

let lab: SecretsLab;
let client: SecretsManagerClient;
beforeAll(async () => {
  // So fast that no two versions have the same CreatedDate, and so slow that none gets a day old and is forgotten.
  lab = await startSecretsManager({ clock: startClock({ timeScale: 1_000 }) });
  client = clientOf(lab);
});
afterEach(() => {
  lab.faults.clear();
  vi.unstubAllEnvs();
});
afterAll(async () => {
  client.destroy();
  await lab.close();
});

/** A secret, its store for one token, and what the service was asked. */
async function arrange(by: SecretsManagerClient = client) {
  const { ARN: secretId = '' } = await client.send(new CreateSecretCommand({ Name: freshName(), SecretString: 'v0' }));
  const token = randomUUID();
  const asked = (operation: string): RequestRecord[] =>
    lab.requests.all().filter((request) => request.operation === operation && request.secretId === secretId);
  return {
    secretId,
    token,
    asked,
    store: secretStore(by, { secretArn: secretId, versionId: token }, new Deadline(20_000)),
    put: async (SecretString: string, VersionStages?: string[], ClientRequestToken: string = randomUUID()) => {
      await client.send(
        new PutSecretValueCommand({ SecretId: secretId, SecretString, VersionStages, ClientRequestToken }),
      );
      return ClientRequestToken;
    },
    unlabel: (RemoveFromVersionId: string) =>
      client.send(
        new UpdateSecretVersionStageCommand({ SecretId: secretId, VersionStage: 'AWSPENDING', RemoveFromVersionId }),
      ),
  };
}

const pending = (versionId: string): WhichVersion => ({ versionId, stage: 'AWSPENDING' });

describe('a version by id and label', () => {
  const createdAt = expect.any(Number);

  it('is read where both agree', async () => {
    const { store, put, token } = await arrange();
    await put('v1', ['AWSPENDING'], token);
    expect(await store.read(pending(token))).toEqual({ versionId: token, text: 'v1', createdAt });
  });

  it('is VERSION_NOT_PENDING where it has lost its label, and its value can be read by id all the same', async () => {
    const { store, put, token, unlabel, asked } = await arrange();
    await put('v1', ['AWSPENDING'], token);
    await unlabel(token);
    await expect(store.read(pending(token))).rejects.toMatchObject({ code: 'VERSION_NOT_PENDING' });
    expect(asked('GetSecretValue')).toHaveLength(1);
    expect(await store.read({ versionId: token })).toEqual({ versionId: token, text: 'v1', createdAt });
  });

  it('is VERSION_NOT_PENDING where another version has the label', async () => {
    const { store, put, token } = await arrange();
    await put('v1', ['AWSPENDING'], token);
    const other = await put('v2', ['AWSPENDING']);
    await expect(store.read(pending(token))).rejects.toMatchObject({ code: 'VERSION_NOT_PENDING' });
    expect(await store.read({ stage: 'AWSPENDING' })).toEqual({ versionId: other, text: 'v2', createdAt });
  });

  it('is undefined where the secret has no such version', async () => {
    const { store, token } = await arrange();
    expect(await store.read(pending(token))).toBeUndefined();
  });

  it('is SECRET_IN_WRONG_STATE where the secret is marked for deletion', async () => {
    const { store, put, token, secretId } = await arrange();
    await put('v1', ['AWSPENDING'], token);
    await client.send(new DeleteSecretCommand({ SecretId: secretId, RecoveryWindowInDays: 7 }));
    await expect(store.read(pending(token))).rejects.toMatchObject({ code: 'SECRET_IN_WRONG_STATE' });
  });

  it('is undefined where it is not visible yet', async () => {
    const { store, put, token, secretId } = await arrange();
    lab.faults.hideNewVersions({ reads: 1, secret: secretId });
    await put('v1', ['AWSPENDING'], token);
    expect(await store.read(pending(token))).toBeUndefined();
    expect(await store.read(pending(token))).toEqual({ versionId: token, text: 'v1', createdAt });
  });
});

describe('what has to be there, and is not found for a moment,', () => {
  const NOT_FOUND = 'ResourceNotFoundException';

  it.each([
    'DescribeSecret',
    'GetSecretValue',
    'PutSecretValue',
    'UpdateSecretVersionStage',
  ] as const)('is asked for again: %s', async (operation) => {
    const { store, put, token, secretId, asked } = await arrange();
    const { versionId: from } = (await store.read({ stage: 'AWSCURRENT' })) ?? {};
    await put('v1', ['AWSPENDING'], token);
    lab.faults.fail({ operation, secret: secretId, type: NOT_FOUND, times: 2 });
    const before = asked(operation).length;
    const answer = await {
      DescribeSecret: async () => Object.keys((await store.describe()).stages).length,
      GetSecretValue: async () => (await store.read({ stage: 'AWSCURRENT' }))?.text,
      PutSecretValue: () => store.putPending('v1'),
      UpdateSecretVersionStage: () => store.promotePending(from),
    }[operation]();
    expect(asked(operation)).toHaveLength(before + 3);
    expect([2, 'v0', 'stored', 'promoted']).toContain(answer);
  });

  it('is told to be missing in the end, and at once where no time is left', async () => {
    const { store, secretId, asked } = await arrange();
    lab.faults.fail({ operation: 'GetSecretValue', secret: secretId, type: NOT_FOUND, times: 99 });
    expect(await store.read({ stage: 'AWSCURRENT' })).toBeUndefined();
    expect(asked('GetSecretValue')).toHaveLength(6);
    const gone = { secretArn: `${secretId}x`, versionId: randomUUID() };
    const hurried = secretStore(client, gone, new ManualDeadline(49));
    await expect(hurried.describe()).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
  });
});

it("the service's own fault is tried again, whatever its HTTP status", async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'test');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  const patient = secretsManagerClient({ secretsManagerEndpoint: lab.endpoint, maxAttempts: 3 });
  const { store, secretId, asked } = await arrange(patient);
  const fault = { operation: 'DescribeSecret', secret: secretId, message: 'ours' } as const;
  lab.faults.fail({ ...fault, type: 'InternalServiceError', status: 400, times: 2 });
  expect(await store.describe()).toMatchObject({ rotationEnabled: undefined });
  expect(asked('DescribeSecret')).toHaveLength(3);
  lab.faults.fail({ ...fault, type: 'InvalidParameterException', status: 400 });
  await expect(store.describe()).rejects.toMatchObject({ code: 'SECRETS_MANAGER_FAILED' });
  expect(asked('DescribeSecret')).toHaveLength(4);
  patient.destroy();
});

describe('an HTTP error of something on the way to the service', () => {
  const HTML = '<html><body><h1>Bad Gateway</h1></body></html>';

  it.each([
    [502, HTML],
    [503, ''],
    [504, 'Gateway Timeout'],
  ])('passes by itself, and may have come after the request was handed on: %i %s', async (status, body) => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'test');
    vi.stubEnv('AWS_REGION', 'us-east-1');
    const gateway = createServer((request, response) =>
      request.resume().on('end', () => response.writeHead(status).end(body)),
    );
    await once(gateway.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void gateway.close().closeAllConnections());
    const { port } = gateway.address() as AddressInfo;
    const through = secretsManagerClient({ secretsManagerEndpoint: `http://127.0.0.1:${port}`, maxAttempts: 1 });
    onTestFinished(() => through.destroy());
    const store = secretStore(through, { secretArn: 'app', versionId: randomUUID() }, new Deadline(20_000));
    const error = await refusal(store.describe());
    expect(error).toMatchObject({ code: 'SECRETS_MANAGER_UNREACHABLE', facts: { reason: `HTTP ${status}` } });
    expect(isServiceAway(error)).toBe(true);
    const rds = rdsServers(
      ({ RDSClient }) => new RDSClient({ endpoint: `http://127.0.0.1:${port}`, maxAttempts: 1 }),
      new Deadline(20_000),
    );
    const ofRds = await refusal(rds.isReplica('a.example.com', 'b.example.com'));
    expect(ofRds).toMatchObject({ code: 'RDS_UNAVAILABLE', facts: { reason: `HTTP ${status}` } });
    expect(isServiceAway(ofRds)).toBe(true);
  });
});

describe('versions without a label', () => {
  it('are listed newest first, over all pages', async () => {
    const { store, put, asked } = await arrange();
    const made: string[] = [];
    for (let version = 1; version <= 60; version++) made.push(await put(`v${version}`));
    const unlabelled = made.slice(0, -2).reverse();

    const { versionIds, denied } = await store.unlabelledVersions();

    expect(denied).toBe(false);
    expect(versionIds.slice(0, -1)).toEqual(unlabelled);
    expect(versionIds).toHaveLength(59);
    expect(asked('ListSecretVersionIds')).toHaveLength(2);
  });

  it.each([
    ['empty, as from moto', ''],
    ['the one it was asked with', 'again'],
  ])('end where the NextToken is %s', async (_, NextToken) => {
    using odd = clientWithNextToken(lab, NextToken);
    const { store, put } = await arrange(odd.client);
    const first = await put('v1');
    await put('v2');
    await put('v3');
    const { versionIds, denied } = await store.unlabelledVersions();
    expect({ pages: odd.pages, denied }).toEqual({ pages: NextToken === '' ? 1 : 2, denied: false });
    expect(versionIds).toContain(first);
  });

  it("are those with a label of somebody's own too", async () => {
    const { store, put } = await arrange();
    const kept = await put('v1', ['KEPT']);
    const bare = await put('v2');
    await put('v3', ['AWSPENDING', 'OTHER']);
    await put('v4');
    await put('v5');
    // The last one is the version that the secret was made with.
    expect((await store.unlabelledVersions()).versionIds).toEqual([bare, kept, expect.any(String)]);
  });

  it('are none where ListSecretVersionIds is denied, which is told', async () => {
    const { store, put, secretId } = await arrange();
    await put('v1');
    await put('v2');
    expect((await store.unlabelledVersions()).versionIds).toHaveLength(1);
    const type = 'AccessDeniedException';
    lab.faults.fail({ operation: 'ListSecretVersionIds', secret: secretId, type, message: 'Not for you' });
    expect(await store.unlabelledVersions()).toEqual({ versionIds: [], denied: true });
  });

  it('fail where the service fails', async () => {
    const { store, secretId } = await arrange();
    lab.faults.fail({ operation: 'ListSecretVersionIds', secret: secretId });
    await expect(store.unlabelledVersions()).rejects.toMatchObject({ code: 'SECRETS_MANAGER_FAILED' });
  });
});

describe('the move of AWSCURRENT', () => {
  it('is refused where the label is elsewhere', async () => {
    const { store, put, token } = await arrange();
    await put('v1', ['AWSPENDING'], token);
    expect(await store.promotePending(await put('v2', ['MINE']))).toBe('label-moved');
  });

  it('may have been made by a try before, where that got no answer that tells', async () => {
    const repeating = clientOf(lab, undefined, 2);
    onTestFinished(() => repeating.destroy());
    const { store, put, token, secretId } = await arrange(repeating);
    await put('v1', ['AWSPENDING'], token);
    const other = await put('v2', ['MINE']);
    const fault = { operation: 'UpdateSecretVersionStage', type: 'InternalServiceError', status: 500, times: 1 };
    lab.faults.fail({ ...fault, secret: secretId });
    expect(await store.promotePending(other)).toBe('moved-before');
  });

  it('is not repeated once it was given up', async () => {
    const repeating = clientOf(lab, undefined, 7);
    onTestFinished(() => repeating.destroy());
    const { store, put, token, secretId, asked } = await arrange(repeating);
    await put('v1', ['AWSPENDING'], token);
    const { VersionId: from } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    const end = new AbortController();
    // While the SDK waits before it repeats it, for most of half a second.
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.9);
    onTestFinished(() => random.mockRestore());
    const when = () => {
      setTimeout(() => end.abort(), 50);
      return true;
    };
    const throttled = lab.faults.throttle({ operation: 'UpdateSecretVersionStage', secret: secretId, when });
    await expect(store.promotePending(from, end.signal)).rejects.toMatchObject({ code: 'SECRETS_MANAGER_TIMEOUT' });
    expect(throttled.hits).toBe(1);
    expect(asked('UpdateSecretVersionStage')).toHaveLength(1);
  });
});
