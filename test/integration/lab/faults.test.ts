import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, freshName, newToken, refusal, sendRaw } from '../../support/secrets-lab-client.ts';

let lab: SecretsLab;
let once: SecretsManagerClient;
let patient: SecretsManagerClient;
beforeAll(async () => {
  lab = await startSecretsManager();
  once = clientOf(lab);
  patient = clientOf(lab, 'us-east-1', 3);
});
afterEach(() => lab.faults.clear());
afterAll(async () => {
  once.destroy();
  patient.destroy();
  await lab.close();
});

async function secret() {
  const Name = freshName();
  const { ARN = '' } = await once.send(new CreateSecretCommand({ Name, SecretString: 'v1' }));
  lab.requests.clear();
  return { SecretId: Name, ARN };
}

describe('a fault', () => {
  it('throttles, and the SDK tries again', async () => {
    const { SecretId } = await secret();
    const fault = lab.faults.throttle({ operation: 'GetSecretValue', times: 2 });
    expect((await patient.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('v1');
    expect(fault.hits).toBe(2);
    expect(lab.requests.all().map((request) => request.errorType)).toEqual([
      'ThrottlingException',
      'ThrottlingException',
      undefined,
    ]);
  });

  it('throttles on the wire as AWS does', async () => {
    const { SecretId } = await secret();
    lab.faults.throttle();
    const { status, body } = await sendRaw(lab, 'DescribeSecret', { SecretId });
    expect(status).toBe(400);
    expect(body).toEqual({ __type: 'ThrottlingException', message: 'Rate exceeded' });
  });

  it('fails with HTTP 500 by default, or with any error', async () => {
    const { SecretId } = await secret();
    lab.faults.fail({ operation: 'DescribeSecret' });
    const { status, body } = await sendRaw(lab, 'DescribeSecret', { SecretId });
    expect([status, body.__type]).toEqual([500, 'InternalServiceError']);
    lab.faults.fail({ type: 'DecryptionFailure', message: 'Access to KMS is not allowed' });
    expect(await refusal(once.send(new GetSecretValueCommand({ SecretId })))).toEqual({
      name: 'DecryptionFailure',
      message: 'Access to KMS is not allowed',
    });
  });

  it('delays', async () => {
    const { SecretId } = await secret();
    lab.faults.delay({ ms: 300 });
    const startedAt = performance.now();
    await once.send(new DescribeSecretCommand({ SecretId }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
  });

  it('cuts the connection before the request is applied', async () => {
    const { SecretId } = await secret();
    lab.faults.cut({ operation: 'PutSecretValue', point: 'before' });
    await expect(once.send(new PutSecretValueCommand({ SecretId, SecretString: 'v2' }))).rejects.toThrow();
    expect((await once.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('v1');
    expect(lab.requests.all()[0]).toMatchObject({ operation: 'PutSecretValue', status: undefined });
  });

  it('cuts the connection after the request was applied, and the same request again succeeds', async () => {
    const { SecretId } = await secret();
    lab.faults.cut({ operation: 'PutSecretValue', point: 'after' });
    const put = new PutSecretValueCommand({ SecretId, SecretString: 'v2', ClientRequestToken: newToken() });
    await expect(once.send(put)).rejects.toThrow();
    expect((await once.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('v2');
    await once.send(put);
  });

  it('hides a new version from its first reads, by label and by id', async () => {
    const { SecretId } = await secret();
    lab.faults.hideNewVersions({ reads: 2 });
    const { VersionId } = await once.send(
      new PutSecretValueCommand({ SecretId, SecretString: 'v2', VersionStages: ['AWSPENDING'] }),
    );
    const read = (by: { VersionId?: string | undefined; VersionStage?: string }) =>
      once.send(new GetSecretValueCommand({ SecretId, ...by }));
    expect(await refusal(read({ VersionStage: 'AWSPENDING' }))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    });
    expect((await read({})).SecretString).toBe('v1');
    expect((await refusal(read({ VersionId }))).message).toContain(`VersionId: ${VersionId}`);
    expect((await read({ VersionId })).SecretString).toBe('v2');
  });

  it('hits the secret it is meant for, by name or ARN, as often as it is told to', async () => {
    const hit = await secret();
    const other = await secret();
    lab.faults.throttle({ secret: hit.SecretId });
    lab.faults.throttle({ secret: hit.ARN });
    await once.send(new DescribeSecretCommand({ SecretId: other.SecretId }));
    expect((await refusal(once.send(new DescribeSecretCommand({ SecretId: hit.ARN })))).name).toBe(
      'ThrottlingException',
    );
    expect((await refusal(once.send(new DescribeSecretCommand({ SecretId: hit.SecretId })))).name).toBe(
      'ThrottlingException',
    );
    await once.send(new DescribeSecretCommand({ SecretId: hit.SecretId }));
  });

  it('hits the requests that its predicate picks, until it is removed', async () => {
    const { SecretId } = await secret();
    const fault = lab.faults.throttle({
      times: Number.POSITIVE_INFINITY,
      when: (request) => request.versionStage === 'AWSPREVIOUS',
    });
    const previous = () => once.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSPREVIOUS' }));
    await once.send(new GetSecretValueCommand({ SecretId }));
    expect((await refusal(previous())).name).toBe('ThrottlingException');
    fault.remove();
    expect((await refusal(previous())).name).toBe('ResourceNotFoundException');
  });
});
