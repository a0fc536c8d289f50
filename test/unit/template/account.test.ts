/** What accounts and partitions ask of a stack: names, paths, keys, and what may be left out. */
import { describe, expect, it } from 'vitest';
import { asObject, dependencies, type Parameters, Stack } from '../../support/cloudformation.ts';
import { isAllowed, policiesOfRole } from '../../support/iam.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { ALTERNATING, APP_SECRET, KEY, OTHER_SECRET, RDS_SUPERUSER_SECRET, VPC } from './stacks.ts';

const stacks = samStacks({ plain: {} });
const withParameters = (parameters: Parameters, pseudo = {}) => new Stack(stacks('plain').template, parameters, pseudo);
const KINDS = ['SingleUser', 'AlternatingUsers'] as const;

describe.skipIf(!samTranslatorIsHere)('names', () => {
  it('of the functions begin as the account asks for, else CloudFormation gives them', () => {
    const named = withParameters({ FunctionNamePrefix: 'SecretsManager-orders' });
    expect(KINDS.map((kind) => named.resource(`${kind}Function`).properties.FunctionName)).toEqual([
      'SecretsManager-orders-single-user',
      'SecretsManager-orders-alternating-users',
    ]);
    for (const kind of KINDS) {
      expect(stacks('plain').resource(`${kind}Function`).properties).not.toHaveProperty('FunctionName');
    }
  });

  it("of functions stay within Lambda's 64 characters", () => {
    const longest = withParameters({ FunctionNamePrefix: 'x'.repeat(46) });
    for (const kind of KINDS) {
      expect(String(longest.resource(`${kind}Function`).properties.FunctionName).length).toBeLessThanOrEqual(64);
    }
    expect(() => withParameters({ FunctionNamePrefix: 'x'.repeat(47) })).toThrow('FunctionNamePrefix');
    expect(() => withParameters({ FunctionNamePrefix: 'a/b' })).toThrow('FunctionNamePrefix');
  });

  it('of roles and policies have the path that the account asks for', () => {
    const placed = withParameters({ ...ALTERNATING, RolePath: '/team/data/' });
    for (const id of ['SingleUserRole', 'AlternatingUsersRole', 'ReadSecretsPolicy']) {
      expect(placed.resource(id).properties.Path).toBe('/team/data/');
    }
    for (const RolePath of ['team', '/team', 'team/']) {
      expect(() => withParameters({ RolePath }), RolePath).toThrow('RolePath');
    }
  });

  it("of exported outputs begin with the stack's", () => {
    expect(withParameters({ ...ALTERNATING, AlarmEmail: 'ops@example.com' }).exports()).toEqual({
      SingleUserFunctionArn: 'rotation-SingleUserFunctionArn',
      AlternatingUsersFunctionArn: 'rotation-AlternatingUsersFunctionArn',
      SingleUserRoleArn: 'rotation-SingleUserRoleArn',
      AlternatingUsersRoleArn: 'rotation-AlternatingUsersRoleArn',
      AlarmTopicArn: 'rotation-AlarmTopicArn',
      ReadSecretsPolicyArn: 'rotation-ReadSecretsPolicyArn',
    });
  });
});

describe.skipIf(!samTranslatorIsHere)('what an account may ask for', () => {
  it('is a key for the logs', () => {
    for (const kind of KINDS) {
      expect(withParameters({ LogKmsKeyArn: KEY }).resource(`${kind}LogGroup`).properties.KmsKeyId).toBe(KEY);
      expect(stacks('plain').resource(`${kind}LogGroup`).properties).not.toHaveProperty('KmsKeyId');
    }
  });

  it('is to have no alarms, or no dashboard, and still to be told of failed rotations', () => {
    const bare = withParameters({ CreateAlarms: 'false', CreateDashboard: 'false', AlarmEmail: 'ops@example.com' });
    expect(bare.resources('AWS::CloudWatch::Alarm')).toEqual([]);
    expect(bare.resources('AWS::CloudWatch::Dashboard')).toEqual([]);
    expect(bare.outputs()).not.toHaveProperty('DashboardUrl');
    expect(bare.resources('AWS::Events::Rule')).toEqual(['RotationFailedRule']);
  });

  it('is an older runtime', () => {
    for (const kind of KINDS) {
      const { properties } = withParameters({ Runtime: 'nodejs22.x' }).resource(`${kind}Function`);
      expect(properties.Runtime).toBe('nodejs22.x');
    }
    expect(() => withParameters({ Runtime: 'nodejs20.x' })).toThrow('Runtime');
  });

  it.each([
    ['rds!*', true],
    ['rds!db-*', true],
    ['rds!cluster-*', false],
  ])('is every superuser secret of RDS at once (%s)', (names, readsDb) => {
    const SuperuserSecretArns = `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${names}`;
    const policies = policiesOfRole(withParameters({ SuperuserSecretArns }), 'AlternatingUsersRole');
    const reads = (resource: string) => isAllowed(policies, { action: 'secretsmanager:GetSecretValue', resource });
    expect(reads(RDS_SUPERUSER_SECRET)).toBe(readsDb);
    expect([APP_SECRET, OTHER_SECRET].map(reads)).toEqual([false, false]);
  });

  it.each(['*', 'team/*', 'rds*', 'rds!d*', 'rds!*-a1B2c3x*'])('is not every secret called %s', (names) => {
    const SuperuserSecretArns = `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${names}`;
    expect(() => withParameters({ SuperuserSecretArns })).toThrow('SuperuserSecretArns');
  });
});

describe.skipIf(!samTranslatorIsHere)('the console', () => {
  it.each([
    ['aws', 'eu-west-1', 'https://eu-west-1.console.aws.amazon.com/'],
    ['aws-cn', 'cn-north-1', 'https://cn-north-1.console.amazonaws.cn/'],
    ['aws-us-gov', 'us-gov-west-1', 'https://us-gov-west-1.console.amazonaws-us-gov.com/'],
  ])('of %s is where it is', (partition, region, url) => {
    const { DashboardUrl } = withParameters({}, { 'AWS::Partition': partition, 'AWS::Region': region }).outputs();
    expect(DashboardUrl?.slice(0, url.length)).toBe(url);
  });
});

describe.skipIf(!samTranslatorIsHere).each(KINDS)('the %s function in a VPC', (kind) => {
  it('has its network permissions before it is there, and until it has left', () => {
    // What the function needs is made before it; what is no longer wanted goes after it has been changed.
    expect(dependencies(stacks('plain').template).get(`${kind}Function`)).toContain(`${kind}VpcPolicy`);
    expect(withParameters(VPC).has(`${kind}VpcPolicy`)).toBe(true);
    expect(stacks('plain').has(`${kind}VpcPolicy`)).toBe(false);
    // The role itself, which is changed before the function, says the same with and without a VPC.
    const role = (parameters: Parameters) => withParameters(parameters).resource(`${kind}Role`).properties;
    expect(role(VPC)).toEqual(role({}));
  });

  it('is in the subnets that are given', () => {
    expect(asObject(withParameters(VPC).resource(`${kind}Function`).properties.VpcConfig).SubnetIds).toEqual(
      String(VPC.SubnetIds).split(','),
    );
  });
});
