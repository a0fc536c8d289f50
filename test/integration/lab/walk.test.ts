/** Whole walks through the lab, as a reader of AWS's guides or Terraform makes them. */
import { fileURLToPath } from 'node:url';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  KMSClient,
  ListAliasesCommand,
  ListKeysCommand,
} from '@aws-sdk/client-kms';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DeleteResourcePolicyCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { authorization, clientOf, freshName, newToken, refusal } from '../../support/secrets-lab-client.ts';

const BUNDLE = fileURLToPath(new URL('../../support/functions/scripted-rotation.mjs', import.meta.url));

let lab: SecretsLab;
const settings = () => ({
  endpoint: lab.endpoint,
  region: 'us-east-1',
  maxAttempts: 1,
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});
beforeAll(async () => {
  lab = await startSecretsManager({ retries: 0 });
});
afterAll(() => lab.close());

const deploy = (name = freshName('function')) => lab.functions.register({ name, bundle: BUNDLE });

describe('from a key to a log line', () => {
  it('key, alias, secret with a replica, rotation, reading there, and what the function wrote', async () => {
    const kms = new KMSClient(settings());
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: 'Secrets of the shop' }));
    const { KeyId = '', Arn } = KeyMetadata ?? {};
    await kms.send(new CreateAliasCommand({ AliasName: 'alias/shop', TargetKeyId: KeyId }));
    const { Aliases } = await kms.send(new ListAliasesCommand({}));
    expect(Aliases?.map(({ AliasName }) => AliasName)).toEqual(['alias/aws/secretsmanager', 'alias/shop']);
    expect((await kms.send(new ListKeysCommand({}))).Keys).toContainEqual({ KeyId, KeyArn: Arn });
    const described = await kms.send(new DescribeKeyCommand({ KeyId: 'alias/shop' }));
    expect(described.KeyMetadata).toMatchObject({ KeyId, KeyState: 'Enabled', KeyManager: 'CUSTOMER' });
    const again = kms.send(new CreateAliasCommand({ AliasName: 'alias/shop', TargetKeyId: KeyId }));
    await expect(again).rejects.toMatchObject({ name: 'AlreadyExistsException' });
    const missing = kms.send(new DescribeKeyCommand({ KeyId: 'alias/none' }));
    await expect(missing).rejects.toMatchObject({
      name: 'NotFoundException',
      message: 'Alias arn:aws:kms:us-east-1:123456789012:alias/none is not found.',
    });

    const [home, away] = [clientOf(lab), clientOf(lab, 'eu-west-1')];
    const SecretId = freshName('walk');
    const request = { Name: SecretId, SecretString: 'v1', KmsKeyId: 'alias/shop' };
    await home.send(new CreateSecretCommand({ ...request, AddReplicaRegions: [{ Region: 'eu-west-1' }] }));
    const name = freshName('walked');
    const rules = { RotationLambdaARN: deploy(name), RotationRules: { ScheduleExpression: 'cron(0 /8 * * ? *)' } };
    const { VersionId } = await home.send(new RotateSecretCommand({ SecretId, ...rules }));
    await lab.settled(SecretId);
    expect(await away.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ VersionId });
    const { NextRotationDate } = await home.send(new DescribeSecretCommand({ SecretId }));
    expect((NextRotationDate?.getUTCHours() ?? 1) % 8).toBe(0);
    for (const each of [kms, home, away]) each.destroy();
  });

  it.each([
    ['{ $.error_code = * }', ['ROLE_BUSY', 'TLS_REQUIRED']],
    ['{ $.error_code = "ROLE_*" }', ['ROLE_BUSY']],
    ['{ $.error_code = ROLE_BUSY && $.step = "setSecret" }', ['ROLE_BUSY']],
    ['{ $.error_code != "ROLE_BUSY" }', ['TLS_REQUIRED']],
  ])('logs filter-log-events takes the pattern %s', async (filterPattern, expected) => {
    const name = freshName('logged');
    const arn = deploy(name);
    // The function writes its step, after a word, to stdout and stderr.
    for (const step of [
      '{"step":"setSecret","error_code":"TLS_REQUIRED"}',
      '{"step":"setSecret","error_code":"ROLE_BUSY"}',
      '{"step":"setSecret"}',
      'no JSON',
    ])
      await lab.functions.invoke(arn, { Step: `\n${step}` });
    const logs = new CloudWatchLogsClient(settings());
    const request = { logGroupName: `/aws/lambda/${name}`, filterPattern };
    const { events = [] } = await logs.send(new FilterLogEventsCommand(request));
    const codes = events.map(({ message = '' }) => JSON.parse(message).error_code);
    expect([...new Set(codes)].sort()).toEqual(expected);
    expect(codes).toHaveLength(2 * expected.length);
    logs.destroy();
  });

  it('finds a function by its name, a partial ARN or an ARN, with the qualifier that there is', async () => {
    const name = freshName('qualified');
    const arn = deploy(name);
    const client = new LambdaClient(settings());
    const get = async (FunctionName: string, Qualifier?: string) =>
      (await client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier }))).FunctionArn;
    for (const id of [name, `function:${name}`, `123456789012:function:${name}`, arn, `${arn}:$LATEST`]) {
      expect(await get(id)).toBe(arn);
    }
    expect(await get(name, '$LATEST')).toBe(arn);
    for (const id of [`${arn}:live`, `${name}:7`, `210987654321:function:${name}`]) {
      await expect(get(id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    }
    await expect(get(name, 'live')).rejects.toMatchObject({ message: `Function not found: ${arn}:live` });
    client.destroy();
  });

  it.each([
    ['kms', 'kms:Encrypt', { 'x-amz-target': 'TrentService.Encrypt' }, '{}'],
    ['logs', 'logs:PutLogEvents', { 'x-amz-target': 'Logs_20140328.PutLogEvents' }, '{}'],
    ['sts', 'sts:AssumeRole', {}, 'Action=AssumeRole&Version=2011-06-15'],
    ['ec2', 'ec2:RunInstances', {}, 'Action=RunInstances&Version=2016-11-15'],
    ['lambda', 'POST / of Lambda', {}, '{}'],
    ['s3', 's3', {}, '<Delete/>'],
    ['ssm', 'ssm', { 'x-amz-target': 'AmazonSSM.GetParameter' }, '{}'],
  ])('says of what %s asks that it is not served: %s', async (service, what, more, body) => {
    const type = { 'content-type': 'application/x-amz-json-1.1', authorization: authorization('us-east-1', service) };
    const response = await fetch(lab.endpoint, { method: 'POST', headers: { ...type, ...more }, body });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(await response.text()).toContain(`The lab does not serve ${what}`);
  });
});

describe("what Terraform's AWS provider asks for", () => {
  it('secret, value, policy, rotation: made, read, changed and destroyed', async () => {
    const client = clientOf(lab);
    const Name = freshName('terraform');
    // aws_secretsmanager_secret
    const { ARN: SecretId = '' } = await client.send(
      new CreateSecretCommand({ Name, Description: '', ClientRequestToken: newToken(), Tags: [] }),
    );
    const describeSecret = () => client.send(new DescribeSecretCommand({ SecretId }));
    expect(await describeSecret()).toMatchObject({ ARN: SecretId, Name });
    const policy = () => client.send(new GetResourcePolicyCommand({ SecretId }));
    expect((await policy()).ResourcePolicy).toBeUndefined();
    await client.send(new UpdateSecretCommand({ SecretId, Description: 'changed', ClientRequestToken: newToken() }));
    await client.send(new TagResourceCommand({ SecretId, Tags: [{ Key: 'a', Value: 'b' }] }));
    await client.send(new UntagResourceCommand({ SecretId, TagKeys: ['a'] }));
    expect((await describeSecret()).Tags).toEqual([]);

    // aws_secretsmanager_secret_version
    const { VersionId = '' } = await client.send(new PutSecretValueCommand({ SecretId, SecretString: 'v1' }));
    const byId = await client.send(new GetSecretValueCommand({ SecretId, VersionId }));
    expect(byId).toMatchObject({ SecretString: 'v1', VersionStages: ['AWSCURRENT'] });
    const versions = await client.send(new ListSecretVersionIdsCommand({ SecretId, IncludeDeprecated: false }));
    expect(versions.Versions).toMatchObject([{ VersionId, VersionStages: ['AWSCURRENT'] }]);
    await client.send(
      new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'own', MoveToVersionId: VersionId }),
    );
    await client.send(
      new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'own', RemoveFromVersionId: VersionId }),
    );

    // aws_secretsmanager_secret_policy
    const Statement = [{ Effect: 'Deny', Principal: '*', Action: 'secretsmanager:DeleteSecret', Resource: '*' }];
    const ResourcePolicy = JSON.stringify({ Version: '2012-10-17', Statement });
    await client.send(new PutResourcePolicyCommand({ SecretId, ResourcePolicy, BlockPublicPolicy: true }));
    expect((await policy()).ResourcePolicy).toBe(ResourcePolicy);
    await client.send(new DeleteResourcePolicyCommand({ SecretId }));

    // aws_secretsmanager_secret_rotation
    const RotationLambdaARN = deploy();
    const rules = { AutomaticallyAfterDays: 30, Duration: '3h' };
    const rotate = { SecretId, RotationLambdaARN, RotateImmediately: false, ClientRequestToken: newToken() };
    await client.send(new RotateSecretCommand({ ...rotate, RotationRules: rules }));
    expect(await describeSecret()).toMatchObject({ RotationEnabled: true, RotationLambdaARN, RotationRules: rules });
    await lab.settled(SecretId);
    await client.send(new CancelRotateSecretCommand({ SecretId }));
    expect(await describeSecret()).toMatchObject({ RotationEnabled: false });

    // destroy with recovery_window_in_days = 0, and the waiter that follows
    await client.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
    expect((await refusal(describeSecret())).name).toBe('ResourceNotFoundException');
    await client.send(new CreateSecretCommand({ Name, ClientRequestToken: newToken() }));
    client.destroy();
  });

  it('knows the members of external rotation', async () => {
    const client = clientOf(lab);
    const { ARN: SecretId = '' } = await client.send(
      new CreateSecretCommand({ Name: freshName('external'), SecretString: 'x', Type: 'SomePartner' }),
    );
    const external = {
      ExternalSecretRotationMetadata: [{ Key: 'instance', Value: 'shop' }],
      ExternalSecretRotationRoleArn: 'arn:aws:iam::123456789012:role/partner',
    };
    await client.send(new RotateSecretCommand({ SecretId, RotationLambdaARN: deploy(), ...external }));
    await lab.settled(SecretId);
    expect(await client.send(new DescribeSecretCommand({ SecretId }))).toMatchObject({
      Type: 'SomePartner',
      ...external,
    });
    const ExternalSecretRotationMetadata = [{ Value: 'no key' }];
    const refused = client.send(new RotateSecretCommand({ SecretId, ExternalSecretRotationMetadata }));
    expect((await refusal(refused)).name).toBe('ValidationException');
    client.destroy();
  });
});
