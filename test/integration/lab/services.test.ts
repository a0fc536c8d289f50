import { fileURLToPath } from 'node:url';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, FilterLogEventsCommand, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeSecurityGroupsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { IAMClient, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { CreateSecretCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { authorization, clientOf, eventually, freshName } from '../../support/secrets-lab-client.ts';

const bundle = (name: string) => fileURLToPath(new URL(`../../support/functions/${name}.mjs`, import.meta.url));

let lab: SecretsLab;
let settings: {
  endpoint: string;
  region: string;
  maxAttempts: number;
  credentials: { accessKeyId: string; secretAccessKey: string };
};
beforeAll(async () => {
  lab = await startSecretsManager({ retries: 0 });
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  settings = { endpoint: lab.endpoint, region: 'us-east-1', maxAttempts: 1, credentials };
});
afterAll(() => lab.close());

const scripted = (name: string, more: object = {}) =>
  lab.functions.register({ name, bundle: bundle('scripted-rotation'), ...more });

/** The name of the error that a call is refused with. */
async function refusalOf(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const metadata: { httpStatusCode?: number } = Reflect.get(error, '$metadata') ?? {};
    return { name: error.name, message: error.message, status: metadata.httpStatusCode };
  }
  return expect.unreachable('The service was expected to refuse.');
}

describe('CloudWatch Logs', () => {
  it('has the lines of a function, page by page, and filters them by members of their JSON', async () => {
    const name = freshName('logged');
    const arn = scripted(name);
    for (let call = 0; call < 40; call++) await lab.functions.invoke(arn, { Step: `{"step":"s","call":"${call}"}` });
    const client = new CloudWatchLogsClient(settings);
    const logGroupName = `/aws/lambda/${name}`;
    const first = await client.send(new FilterLogEventsCommand({ logGroupName }));
    expect(first.events).toHaveLength(50);
    expect(first.nextToken).toBeDefined();
    const all: string[] = [];
    const ids = new Set<string | undefined>();
    for await (const { events = [] } of paginateFilterLogEvents({ client }, { logGroupName })) {
      all.push(...events.map(({ message = '' }) => message));
      for (const { eventId } of events) ids.add(eventId);
    }
    expect(all).toHaveLength(80);
    expect(ids.size).toBe(80);
    const [last] = first.events?.slice(-1) ?? [];
    const later = { logGroupName, startTime: (last?.timestamp ?? 0) + 60_000 };
    expect((await client.send(new FilterLogEventsCommand(later))).events).toEqual([]);
  });

  it('has what Lambda says of a function that crashed, in the stream of its instance', async () => {
    const name = freshName('crashed');
    const arn = scripted(name, { environment: { BEHAVIOUR_setSecret: 'crash' } });
    await lab.functions.invoke(arn, { Step: 'setSecret' });
    const client = new CloudWatchLogsClient(settings);
    const { events = [] } = await client.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}` }));
    expect(events.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/Error: Runtime exited with error/),
    );
    expect(new Set(events.map(({ logStreamName }) => logStreamName)).size).toBe(1);
  });

  it('refuses a group that is not there, and a pattern that it would only half understand', async () => {
    const client = new CloudWatchLogsClient(settings);
    const missing = client.send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/none' }));
    expect(await refusalOf(missing)).toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'The specified log group does not exist.',
      status: 400,
    });
    const name = freshName('pattern');
    await lab.functions.invoke(scripted(name), { Step: 'echo' });
    const odd = client.send(
      new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}`, filterPattern: '{ $.a > 1 }' }),
    );
    expect(await refusalOf(odd)).toMatchObject({ name: 'InvalidParameterException' });
  });
});

describe('Lambda', () => {
  it('describes a function, its environment and its log group', async () => {
    const vpc = { vpcId: 'vpc-1', subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] };
    const environment = { TLS_FALLBACK: 'allow' };
    const arn = scripted('described', {
      environment,
      timeoutMs: 12_000,
      settings: { logGroup: '/own', vpc, reservedConcurrency: 3 },
    });
    const client = new LambdaClient(settings);
    const found = await client.send(new GetFunctionCommand({ FunctionName: arn }));
    expect(found.Configuration).toMatchObject({
      FunctionName: 'described',
      FunctionArn: arn,
      Runtime: 'nodejs24.x',
      Timeout: 12,
      State: 'Active',
      LoggingConfig: { LogGroup: '/own' },
      VpcConfig: { VpcId: 'vpc-1', SubnetIds: ['subnet-1'] },
      Environment: { Variables: environment },
    });
    expect(found.Concurrency).toEqual({ ReservedConcurrentExecutions: 3 });
    expect(await client.send(new GetFunctionConfigurationCommand({ FunctionName: 'described' }))).toMatchObject({
      Timeout: 12,
    });
    const missing = client.send(new GetFunctionCommand({ FunctionName: 'no-such-function' }));
    expect(await refusalOf(missing)).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
  });

  it('has the resource policy by which Secrets Manager may invoke the function, and means it', async () => {
    const client = new LambdaClient(settings);
    const open = scripted('open');
    const { Policy = '' } = await client.send(new GetPolicyCommand({ FunctionName: open }));
    expect(JSON.parse(Policy).Statement).toEqual([
      expect.objectContaining({
        Principal: { Service: 'secretsmanager.amazonaws.com' },
        Action: 'lambda:InvokeFunction',
        Resource: open,
        Condition: { StringEquals: { 'AWS:SourceAccount': '123456789012' } },
      }),
    ]);
    const shut = scripted('shut', { settings: { permission: 'none' } });
    expect(await refusalOf(client.send(new GetPolicyCommand({ FunctionName: shut })))).toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const secrets = clientOf(lab);
    const Name = freshName();
    await secrets.send(new CreateSecretCommand({ Name, SecretString: 'x' }));
    const attach = (RotationLambdaARN: string) =>
      secrets.send(new RotateSecretCommand({ SecretId: Name, RotationLambdaARN }));
    expect(await refusalOf(attach(shut))).toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('cannot invoke the specified Lambda function'),
    });
    await attach(open);
    await eventually(async () => (await lab.settled(Name)) ?? true);
  });
});

describe('the other services', () => {
  it('tell what the account holds, and that the rest does not exist', async () => {
    lab.resources.stacks.set('s', { name: 's', outputs: { A: 'a & <b>' } });
    lab.resources.keys.push({ id: 'k', aliases: ['alias/k'], state: 'Disabled' });
    lab.resources.databases.push({ id: 'd', host: 'd.example.com', port: 5432, vpcId: 'v', groups: ['sg-9'] });
    lab.resources.securityGroups.push({ id: 'sg-9', vpcId: 'v', ingress: [{ ports: [5432, 5432], groups: ['sg-8'] }] });

    const identity = await new STSClient(settings).send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({ Account: '123456789012', Arn: 'arn:aws:iam::123456789012:user/lab' });

    const stacks = new CloudFormationClient(settings);
    const { Stacks = [] } = await stacks.send(new DescribeStacksCommand({ StackName: 's' }));
    expect(Stacks[0]?.Outputs).toEqual([{ OutputKey: 'A', OutputValue: 'a & <b>' }]);
    expect(await refusalOf(stacks.send(new DescribeStacksCommand({ StackName: 'x' })))).toMatchObject({
      name: 'ValidationError',
    });

    const kms = new KMSClient(settings);
    expect((await kms.send(new DescribeKeyCommand({ KeyId: 'alias/k' }))).KeyMetadata?.KeyState).toBe('Disabled');
    expect(await refusalOf(kms.send(new DescribeKeyCommand({ KeyId: 'x' })))).toMatchObject({
      name: 'NotFoundException',
    });

    const rds = new RDSClient(settings);
    const { DBInstances = [] } = await rds.send(new DescribeDBInstancesCommand({}));
    expect(DBInstances[0]).toMatchObject({ Endpoint: { Address: 'd.example.com', Port: 5432 } });
    expect(await refusalOf(rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'x' })))).toMatchObject({
      name: expect.stringMatching(/^DBInstanceNotFound/),
    });

    const ec2 = new EC2Client(settings);
    const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: ['sg-9'] }));
    expect(SecurityGroups[0]?.IpPermissions).toMatchObject([
      { FromPort: 5432, UserIdGroupPairs: [{ GroupId: 'sg-8' }] },
    ]);
    expect(await refusalOf(ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: ['sg-0'] })))).toMatchObject({
      name: 'InvalidGroup.NotFound',
    });
  });

  it("evaluate a role's policies: conditions count, and a denial wins", async () => {
    const arn = 'arn:aws:iam::123456789012:role/judged';
    const Statement = [
      {
        Effect: 'Allow',
        Action: 'secretsmanager:*',
        Resource: 'arn:*:shop-*',
        Condition: { StringEquals: { 'aws:x': 'yes' } },
      },
      { Effect: 'Deny', Action: 'secretsmanager:PutSecretValue', Resource: '*' },
    ] as const;
    lab.resources.roles.set(arn, { arn, policies: [{ Version: '2012-10-17', Statement }] });
    const client = new IAMClient(settings);
    const decide = async (resource: string, value: string) => {
      const command = new SimulatePrincipalPolicyCommand({
        PolicySourceArn: arn,
        ActionNames: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
        ResourceArns: [resource],
        ContextEntries: [{ ContextKeyName: 'AWS:X', ContextKeyType: 'string', ContextKeyValues: [value] }],
      });
      return (await client.send(command)).EvaluationResults?.map(({ EvalDecision }) => EvalDecision);
    };
    expect(await decide('arn:a:shop-1', 'yes')).toEqual(['allowed', 'explicitDeny']);
    expect(await decide('arn:a:shop-1', 'no')).toEqual(['implicitDeny', 'explicitDeny']);
    expect(await decide('arn:a:other', 'yes')).toEqual(['implicitDeny', 'explicitDeny']);
    const nobody = client.send(
      new SimulatePrincipalPolicyCommand({ PolicySourceArn: `${arn}x`, ActionNames: ['a:b'] }),
    );
    expect(await refusalOf(nobody)).toMatchObject({ name: expect.stringMatching(/^NoSuchEntity/) });
  });

  it('refuse what the caller may not do, each in its own words', async () => {
    const allow = ['sts:GetCallerIdentity', 'ec2:DescribeSecurityGroups', 'kms:DescribeKey'].map((action) =>
      lab.resources.refuse(action),
    );
    const calls = [
      new STSClient(settings).send(new GetCallerIdentityCommand({})),
      new EC2Client(settings).send(new DescribeSecurityGroupsCommand({})),
      new KMSClient(settings).send(new DescribeKeyCommand({ KeyId: 'k' })),
    ];
    const names = (await Promise.all(calls.map(refusalOf))).map(({ name }) => name);
    for (const again of allow) again();
    expect(names).toEqual(['AccessDenied', 'UnauthorizedOperation', 'AccessDeniedException']);
  });

  it.each([
    ['an action that the lab does not know', 'sts', 'Action=AssumeRole&Version=2011-06-15', 'InvalidAction'],
    ['another version of the API', 'sts', 'Action=GetCallerIdentity&Version=2001-01-01', 'InvalidAction'],
    [
      'a parameter that the lab does not know',
      'rds',
      'Action=DescribeDBInstances&Version=2014-10-31&MaxRecords=20',
      'InvalidParameterValue',
    ],
  ])('refuse %s', async (_, service, body, code) => {
    const headers = {
      authorization: authorization('us-east-1', service),
      'content-type': 'application/x-www-form-urlencoded',
    };
    const response = await fetch(lab.endpoint, { method: 'POST', headers, body });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(`<Code>${code}</Code>`);
  });
});
