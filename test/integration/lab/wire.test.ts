import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { authorization, freshName, newToken, sendRaw } from '../../support/secrets-lab-client.ts';

let lab: SecretsLab;
beforeAll(async () => {
  lab = await startSecretsManager();
});
afterAll(() => lab.close());

describe('the wire', () => {
  it('answers AWS JSON 1.1 with a request id, and dates as seconds', async () => {
    const Name = freshName();
    const before = Date.now() / 1000;
    const created = await sendRaw(lab, 'CreateSecret', { Name, SecretString: 'x', ClientRequestToken: newToken() });
    expect(created.status).toBe(200);
    expect(created.headers.get('content-type')).toBe('application/x-amz-json-1.1');
    expect(created.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);

    const { body } = await sendRaw(lab, 'DescribeSecret', { SecretId: Name });
    expect(body.CreatedDate).toBeGreaterThanOrEqual(before - 0.01);
    expect(body.CreatedDate).toBeLessThanOrEqual(Date.now() / 1000 + 0.01);
    expect(body.ARN).toMatch(
      new RegExp(`^arn:aws:secretsmanager:us-east-1:123456789012:secret:${Name}-[A-Za-z0-9]{6}$`),
    );
  });

  it('answers every error with HTTP 400, __type and a capital Message, not-found too', async () => {
    const { status, body } = await sendRaw(lab, 'GetSecretValue', { SecretId: 'missing' });
    expect(status).toBe(400);
    expect(body).toEqual({
      __type: 'ResourceNotFoundException',
      Message: "Secrets Manager can't find the specified secret.",
    });
  });

  it.each([
    ['an operation it does not know', 'RotateEverything', {}, {}],
    ['the name of an object property', 'constructor', {}, {}],
    ['no target', 'ListSecrets', {}, { 'x-amz-target': undefined }],
    ['another service as target', 'ListSecrets', {}, { 'x-amz-target': 'ssm.GetParameter' }],
    ['another content type', 'ListSecrets', {}, { 'content-type': 'application/json' }],
  ])('refuses %s as an unknown operation', async (_, operation, body, headers) => {
    const answer = await sendRaw(lab, operation, body, headers);
    expect(answer.status).toBe(400);
    expect(answer.body.__type).toBe('UnknownOperationException');
  });

  it('asks for a signature in the form of SigV4, for this service', async () => {
    const unsigned = await sendRaw(lab, 'ListSecrets', {}, { authorization: undefined });
    expect(unsigned.body).toEqual({
      __type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    });
    const basic = await sendRaw(lab, 'ListSecrets', {}, { authorization: 'Basic dGVzdA==' });
    expect(basic.body.__type).toBe('IncompleteSignatureException');
    const otherService = await sendRaw(lab, 'ListSecrets', {}, { authorization: authorization('us-east-1', 's3') });
    expect(otherService.body.__type).toBe('IncompleteSignatureException');
  });

  it.each([
    ['no JSON', '{'],
    ['a list', []],
    ['a number for a string', { SecretId: 1 }],
    ['an object for a string', { SecretId: {} }],
  ])('refuses a body with %s', async (_, body) => {
    const answer = await sendRaw(lab, 'DescribeSecret', body);
    expect(answer.status).toBe(400);
    expect(answer.body.__type).toBe('SerializationException');
  });

  it.each(['secretsmanager', 'logs'])('refuses a body that is too large in words, signed for %s', async (service) => {
    const headers = { authorization: authorization('us-east-1', service) };
    const { status, body } = await sendRaw(lab, 'ListSecrets', { Description: 'x'.repeat(1_048_576) }, headers);
    expect({ status, type: body.__type }).toEqual({ status: 413, type: 'RequestEntityTooLargeException' });
  });

  it.each(['secretsmanager', 'logs', 'nobody'])('outlives a request for %s that ends midway', async (service) => {
    const { port, hostname } = new URL(lab.endpoint);
    const head = ['POST / HTTP/1.1', 'Host: lab', `Authorization: ${authorization('us-east-1', service)}`];
    const socket = connect(Number(port), hostname);
    socket.end(`${[...head, 'Content-Length: 100'].join('\r\n')}\r\n\r\n{`);
    await once(socket.resume(), 'close');
    expect((await sendRaw(lab, 'ListSecrets', {})).status).toBe(200);
  });

  it('names a required member that is missing', async () => {
    const { body } = await sendRaw(lab, 'DescribeSecret', {});
    expect(body.__type).toBe('ValidationException');
    expect(body.message).toContain("'secretId'");
    expect(body).not.toHaveProperty('Message');
  });

  it.each([
    'secretsmanager',
    'kms',
    'logs',
  ])('refuses a signature for a region that does not exist, of %s', async (service) => {
    const answer = await sendRaw(lab, 'ListSecrets', {}, { authorization: authorization('eu-mars-1', service) });
    expect(answer.status).toBe(400);
    const message = "Credential should be scoped to a valid region, not 'eu-mars-1'.";
    expect(answer.body).toMatchObject({ __type: 'InvalidSignatureException', message });
  });

  it.each([
    ['TagResource', 'tags'],
    ['UntagResource', 'tagKeys'],
    ['ReplicateSecretToRegions', 'addReplicaRegions'],
    ['RemoveRegionsFromReplication', 'removeReplicaRegions'],
    ['DescribeSecret', 'secretId'],
    ['PutResourcePolicy', 'resourcePolicy'],
    ['UpdateSecretVersionStage', 'versionStage'],
  ])('%s needs its required members', async (operation, member) => {
    const { body } = await sendRaw(lab, operation, member === 'secretId' ? {} : { SecretId: 'missing' });
    const message = `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`;
    expect(body).toEqual({ __type: 'ValidationException', message });
  });

  it('takes the region from the signature: secrets of one are not found in another', async () => {
    const Name = freshName();
    await sendRaw(lab, 'CreateSecret', { Name, SecretString: 'x', ClientRequestToken: newToken() });
    const { body } = await sendRaw(
      lab,
      'DescribeSecret',
      { SecretId: Name },
      { authorization: authorization('eu-west-1') },
    );
    expect(body.__type).toBe('ResourceNotFoundException');
  });

  it.each([
    ['CreateSecret', 'InvalidRequestException', { Name: 'x', SecretString: 'x' }],
    ['UpdateSecret', 'InvalidRequestException', { SecretId: 'missing', SecretString: 'x' }],
    ['PutSecretValue', 'InvalidRequestException', { SecretId: 'missing', SecretString: 'x' }],
    ['RotateSecret', 'InvalidParameterException', { SecretId: 'missing' }],
  ])('%s asks for a ClientRequestToken before it looks for the secret', async (operation, __type, body) => {
    const answer = await sendRaw(lab, operation, body);
    expect(answer.body).toEqual({
      __type,
      Message: 'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
    });
  });

  it('listens on loopback only', () => {
    expect(new URL(lab.endpoint).hostname).toBe('127.0.0.1');
  });

  it('records requests without their values', async () => {
    lab.requests.clear();
    const Name = freshName();
    const token = newToken();
    await sendRaw(
      lab,
      'CreateSecret',
      { Name, SecretString: 'hidden-value', ClientRequestToken: token },
      { 'user-agent': 'me/1' },
    );
    await sendRaw(lab, 'GetSecretValue', { SecretId: 'missing', VersionStage: 'AWSPENDING' });
    expect(lab.requests.all()).toMatchObject([
      { operation: 'CreateSecret', secretId: Name, token, status: 200, errorType: undefined, userAgent: 'me/1' },
      {
        operation: 'GetSecretValue',
        secretId: 'missing',
        versionStage: 'AWSPENDING',
        status: 400,
        errorType: 'ResourceNotFoundException',
      },
    ]);
    expect(lab.requests.count('GetSecretValue')).toBe(1);
    expect(JSON.stringify(lab.requests.all())).not.toContain('hidden-value');
  });
});
