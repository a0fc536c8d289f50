import { describe, expect, it } from 'vitest';
import type { Parameters } from '../../support/cloudformation.ts';
import { ON_A_SUPERUSER_SECRET, ON_THE_ROTATED_SECRET } from '../../support/function-calls.ts';
import { type IamRequest, isAllowed, policiesOfRole, policyDocument } from '../../support/iam.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import {
  APP_SECRET,
  ATTACHED,
  KEY,
  KEYS,
  OTHER_KEY,
  OTHER_SECRET,
  RDS_SUPERUSER_SECRET,
  SUPERUSER_SECRET,
  SUPERUSERS,
  VPC,
} from './stacks.ts';

/** Every combination of the parameters that a role's policies depend on. */
const combinations = [false, true].flatMap((vpc) =>
  [false, true].flatMap((keys) =>
    [false, true].map((superusers) => ({
      name: `vpc: ${vpc}, keys: ${keys}, superusers: ${superusers}`,
      vpc,
      keys,
      superusers,
      parameters: { ...(vpc ? VPC : {}), ...(keys ? KEYS : {}), ...(superusers ? SUPERUSERS : {}) } as Parameters,
    })),
  ),
);
const stack = samStacks(Object.fromEntries(combinations.map(({ name, parameters }) => [name, parameters])));

const functions = [
  { id: 'SingleUser', other: 'AlternatingUsers' },
  { id: 'AlternatingUsers', other: 'SingleUser' },
];
const cases = combinations.flatMap((combination) => functions.map((each) => ({ ...combination, ...each })));

const NETWORK_ACTIONS = [
  'CreateNetworkInterface',
  'DeleteNetworkInterface',
  'DescribeNetworkInterfaces',
  'DescribeSubnets',
  'AssignPrivateIpAddresses',
  'UnassignPrivateIpAddresses',
];

describe.skipIf(!samTranslatorIsHere).each(cases)("$id's role, $name", ({ name, id, other, vpc, keys, superusers }) => {
  const own = () => stack(name).arn(`${id}Function`);
  const may = (call: IamRequest) => isAllowed(policiesOfRole(stack(name), `${id}Role`), call);

  const onSecret = (operation: string, resource: string, attachedTo?: string): IamRequest => ({
    action: `secretsmanager:${operation}`,
    resource,
    context: attachedTo === undefined ? {} : { 'secretsmanager:resource/AllowRotationLambdaArn': attachedTo },
  });
  const onKey = (operation: string, resource: string, context: IamRequest['context'] = {}): IamRequest => ({
    action: `kms:${operation}`,
    resource,
    context: {
      'kms:EncryptionContext:SecretARN': APP_SECRET,
      'kms:EncryptionContext:SecretVersionId': '0b9e1f2a-0000-4000-8000-000000000000',
      'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com',
      ...context,
    },
  });
  const onLog = (operation: string, group: string): IamRequest => ({
    action: `logs:${operation}`,
    resource: `arn:aws:logs:eu-west-1:111122223333:log-group:${group}:log-stream:2026/01/01/[$LATEST]0`,
  });
  const onNetwork = (operation: string, context: IamRequest['context'] = {}): IamRequest => ({
    action: `ec2:${operation}`,
    resource: '*',
    context,
  });

  it('may rotate the secrets attached to its function', () => {
    for (const operation of ON_THE_ROTATED_SECRET) {
      expect(may(onSecret(operation, APP_SECRET, own())), operation).toBe(true);
    }
  });

  it('may touch no secret attached to another function or to none', () => {
    const others = [stack(name).arn(`${other}Function`), `${own()}-2`, `${own()}:1`, undefined];
    for (const attachedTo of others) {
      for (const operation of ON_THE_ROTATED_SECRET) {
        expect(may(onSecret(operation, OTHER_SECRET, attachedTo)), `${operation} ${attachedTo}`).toBe(false);
      }
    }
  });

  it('may touch no secret of another account or region', () => {
    for (const elsewhere of [
      APP_SECRET.replace('111122223333', '444455556666'),
      APP_SECRET.replace('eu-west-1', 'us-east-1'),
    ]) {
      expect(may(onSecret('GetSecretValue', elsewhere, own()))).toBe(false);
    }
  });

  it('may do nothing else to a secret, attached or not', () => {
    for (const operation of [
      'CreateSecret',
      'DeleteSecret',
      'RestoreSecret',
      'UpdateSecret',
      'RotateSecret',
      'CancelRotateSecret',
      'TagResource',
      'UntagResource',
      'PutResourcePolicy',
      'DeleteResourcePolicy',
      'GetResourcePolicy',
      'ReplicateSecretToRegions',
      'StopReplicationToReplica',
      'RemoveRegionsFromReplication',
    ]) {
      expect(may(onSecret(operation, APP_SECRET, own())), operation).toBe(false);
    }
    expect(may({ action: 'secretsmanager:ListSecrets', resource: '*' })).toBe(false);
  });

  it('may read the superuser secrets that are named if it is for alternating users, and never write them', () => {
    const reads = id === 'AlternatingUsers' && superusers;
    for (const secret of [SUPERUSER_SECRET, RDS_SUPERUSER_SECRET]) {
      for (const operation of ON_A_SUPERUSER_SECRET) {
        expect(may(onSecret(operation, secret)), operation).toBe(reads);
      }
      for (const operation of ['PutSecretValue', 'UpdateSecretVersionStage', 'UpdateSecret', 'ListSecretVersionIds']) {
        expect(may(onSecret(operation, secret)), operation).toBe(false);
      }
    }
    expect(may(onSecret('GetSecretValue', `${SUPERUSER_SECRET}x`))).toBe(false);
  });

  it('may look databases up if it is for alternating users, and change none', () => {
    const looksUp = id === 'AlternatingUsers' && superusers;
    const rds = 'arn:aws:rds:eu-west-1:111122223333';
    expect(may({ action: 'rds:DescribeDBInstances', resource: `${rds}:db:orders` })).toBe(looksUp);
    expect(may({ action: 'rds:DescribeDBInstances', resource: `${rds}:db:*` })).toBe(looksUp);
    expect(may({ action: 'rds:DescribeDBClusters', resource: `${rds}:cluster:orders` })).toBe(looksUp);
    expect(may({ action: 'rds:ModifyDBInstance', resource: `${rds}:db:orders` })).toBe(false);
    expect(may({ action: 'rds:ModifyDBCluster', resource: `${rds}:cluster:orders` })).toBe(false);
    expect(may({ action: 'rds-db:connect', resource: 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:*/*' })).toBe(false);
  });

  it('may use the named keys for the secrets of this account, through Secrets Manager only', () => {
    for (const key of [KEY, OTHER_KEY]) {
      for (const operation of ['Decrypt', 'GenerateDataKey']) {
        expect(may(onKey(operation, key)), operation).toBe(keys);
      }
    }
    const elsewhere = APP_SECRET.replace('111122223333', '444455556666');
    expect(may(onKey('Decrypt', KEY, { 'kms:EncryptionContext:SecretARN': elsewhere }))).toBe(false);
    expect(may(onKey('Decrypt', KEY, { 'kms:EncryptionContext:SecretARN': 'anything' }))).toBe(false);
    expect(may(onKey('Decrypt', KEY, { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' }))).toBe(false);
    expect(may({ action: 'kms:Decrypt', resource: KEY })).toBe(false);
    expect(may(onKey('Decrypt', `${KEY.slice(0, -1)}c`))).toBe(false);
    for (const operation of ['Encrypt', 'ScheduleKeyDeletion', 'CreateGrant', 'PutKeyPolicy', 'ReEncryptFrom']) {
      expect(may(onKey(operation, KEY)), operation).toBe(false);
    }
  });

  it('may write its own log and no other', () => {
    const group = stack(name).ref(`${id}LogGroup`);
    for (const operation of ['CreateLogStream', 'PutLogEvents']) {
      expect(may(onLog(operation, group)), operation).toBe(true);
      expect(may(onLog(operation, stack(name).ref(`${other}LogGroup`))), operation).toBe(false);
      expect(may(onLog(operation, `${group}-2`)), operation).toBe(false);
    }
    for (const operation of [
      'CreateLogGroup',
      'DeleteLogStream',
      'DeleteLogGroup',
      'GetLogEvents',
      'FilterLogEvents',
    ]) {
      expect(may(onLog(operation, group)), operation).toBe(false);
    }
  });

  it('lets Lambda, and not the code, make network interfaces where there are subnets', () => {
    for (const operation of NETWORK_ACTIONS) {
      expect(may(onNetwork(operation)), operation).toBe(vpc);
      expect(may(onNetwork(operation, { 'lambda:SourceFunctionArn': own() })), operation).toBe(false);
    }
    for (const operation of ['RunInstances', 'AuthorizeSecurityGroupEgress', 'ModifyNetworkInterfaceAttribute']) {
      expect(may(onNetwork(operation)), operation).toBe(false);
    }
  });

  it('may do nothing anywhere else', () => {
    for (const action of [
      'iam:CreateUser',
      'iam:PassRole',
      'iam:PutRolePolicy',
      'sts:AssumeRole',
      'lambda:InvokeFunction',
      'lambda:UpdateFunctionCode',
      'sns:Publish',
      's3:GetObject',
      'ssm:GetParameter',
      'cloudwatch:PutMetricData',
    ]) {
      expect(may({ action, resource: '*' }), action).toBe(false);
    }
  });

  it('can be assumed by Lambda alone', () => {
    expect(stack(name).resource(`${id}Role`).properties.AssumeRolePolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }],
    });
  });
});

/** As many as a parameter of that length holds. */
const filled = (arn: string, length: number) =>
  Array.from({ length: Math.floor((length + 1) / (arn.length + 1)) }, () => arn).join(',');
const boundary = 'arn:aws:iam::111122223333:policy/boundary';
const readers = samStacks({
  none: {},
  attached: ATTACHED,
  listed: { ApplicationSecretArns: `${OTHER_SECRET},${SUPERUSER_SECRET}` },
  both: { ...ATTACHED, ...KEYS, ApplicationSecretArns: OTHER_SECRET },
  bounded: { PermissionsBoundaryArn: boundary },
  filled: {
    ...VPC,
    ...ATTACHED,
    KmsKeyArns: filled(KEY, 1024),
    SuperuserSecretArns: filled(SUPERUSER_SECRET, 4096),
    ApplicationSecretArns: filled(OTHER_SECRET, 1024),
  },
});

describe.skipIf(!samTranslatorIsHere)('the policy for applications', () => {
  const mayRead = (name: 'attached' | 'listed' | 'both', call: IamRequest) =>
    isAllowed([policyDocument(readers(name).resource('ReadSecretsPolicy').properties.PolicyDocument)], call);
  const reading = (resource: string): IamRequest => ({ action: 'secretsmanager:GetSecretValue', resource });
  const decrypting = (secretArn: string): IamRequest => ({
    action: 'kms:Decrypt',
    resource: KEY,
    context: {
      'kms:EncryptionContext:SecretARN': secretArn,
      'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com',
    },
  });

  it('is made only where a secret is named', () => {
    expect(readers('none').has('ReadSecretsPolicy')).toBe(false);
    expect(readers('none').outputs()).not.toHaveProperty('ReadSecretsPolicyArn');
    expect(readers('attached').outputs()).toHaveProperty('ReadSecretsPolicyArn');
  });

  it('may read the named secrets and no other', () => {
    expect([APP_SECRET, OTHER_SECRET, SUPERUSER_SECRET].map((arn) => mayRead('attached', reading(arn)))).toEqual([
      true,
      false,
      false,
    ]);
    expect([APP_SECRET, OTHER_SECRET, SUPERUSER_SECRET].map((arn) => mayRead('listed', reading(arn)))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('may decrypt the named secrets and no other', () => {
    expect(mayRead('attached', decrypting(APP_SECRET))).toBe(false);
    expect(mayRead('both', decrypting(APP_SECRET))).toBe(true);
    expect(mayRead('both', decrypting(OTHER_SECRET))).toBe(true);
    expect(mayRead('both', decrypting(SUPERUSER_SECRET))).toBe(false);
    expect(mayRead('both', { ...decrypting(APP_SECRET), action: 'kms:GenerateDataKey' })).toBe(false);
  });

  it('may write nothing', () => {
    for (const operation of ['PutSecretValue', 'UpdateSecretVersionStage', 'RotateSecret', 'DeleteSecret']) {
      expect(mayRead('both', { action: `secretsmanager:${operation}`, resource: APP_SECRET }), operation).toBe(false);
    }
  });
});

describe.skipIf(!samTranslatorIsHere)('the roles', () => {
  it('have a permissions boundary where one is given', () => {
    for (const role of ['SingleUserRole', 'AlternatingUsersRole']) {
      expect(readers('bounded').resource(role).properties.PermissionsBoundary).toBe(boundary);
      expect(readers('none').resource(role).properties).not.toHaveProperty('PermissionsBoundary');
    }
  });

  it("stay within IAM's quotas with lists as long as the parameters take", () => {
    const stack = readers('filled');
    for (const role of ['SingleUserRole', 'AlternatingUsersRole']) {
      // Inline policies count together, without white space.
      const size = policiesOfRole(stack, role).reduce((sum, policy) => sum + JSON.stringify(policy).length, 0);
      expect(size, role).toBeLessThan(10_240);
    }
    const managed = JSON.stringify(stack.resource('ReadSecretsPolicy').properties.PolicyDocument);
    expect(managed.length).toBeGreaterThan(4_000);
    expect(managed.length).toBeLessThan(6_144);
  });

  it('are one a function, and the only ones', () => {
    const stack = readers('none');
    expect(stack.resources('AWS::IAM::Role')).toEqual(['SingleUserRole', 'AlternatingUsersRole']);
    for (const id of ['SingleUser', 'AlternatingUsers']) {
      expect(stack.resource(`${id}Function`).properties.Role).toBe(stack.arn(`${id}Role`));
    }
  });
});
