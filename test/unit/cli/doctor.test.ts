import { describe, expect, it } from 'vitest';
import type { Simulation } from '../../../cli/doctor/aws-facts.ts';
import { judgeFunction, judgePermission } from '../../../cli/doctor/function-checks.ts';
import { judgeNetwork } from '../../../cli/doctor/network-checks.ts';
import { type Group, type NetworkFacts, rulesOf, waysOut } from '../../../cli/doctor/network-facts.ts';
import { judgeRole } from '../../../cli/doctor/permission-checks.ts';
import { judgeLabels, judgeSchedule, judgeSecret, type LabelFacts } from '../../../cli/doctor/secret-checks.ts';
import { CommandError } from '../../../cli/failures.ts';
import type { DescribedSecret } from '../../../cli/secrets.ts';
import { failure, labels, NOW } from '../../support/label-facts.ts';

const FUNCTION = 'arn:aws:lambda:us-east-1:111111111111:function:rotate';
const SECRET = 'arn:aws:secretsmanager:us-east-1:111111111111:secret:shop-AbCdEf';

const secret = (more: Partial<DescribedSecret> = {}): DescribedSecret => ({
  ARN: SECRET,
  Name: 'shop',
  stages: {},
  $metadata: {},
  RotationLambdaARN: FUNCTION,
  RotationEnabled: true,
  ...more,
});

describe('the secret', () => {
  it.each<[Partial<DescribedSecret>, string]>([
    [{}, 'ok'],
    [{ DeletedDate: NOW }, 'broken'],
    [{ OwningService: 'rds' }, 'broken'],
    [{ PrimaryRegion: 'eu-west-1' }, 'broken'],
    [{ PrimaryRegion: 'us-east-1' }, 'ok'],
  ])('with %j is %s', (more, state) => {
    expect(judgeSecret(secret(more)).state).toBe(state);
  });
});

describe('the schedule', () => {
  it.each<[Partial<DescribedSecret>, string, RegExp]>([
    [{ RotationRules: { AutomaticallyAfterDays: 30 } }, 'ok', /every 30 days/],
    [{ RotationRules: { ScheduleExpression: 'rate(1 days)', Duration: '2h' } }, 'ok', /window 2h/],
    [{ RotationRules: {} }, 'warning', /only when somebody says so/],
    [{ RotationEnabled: false }, 'warning', /turned off/],
    [{ RotationRules: { ScheduleExpression: 'rate(1 hour)' } }, 'broken', /at least 4 hours apart/],
    [
      { RotationRules: { AutomaticallyAfterDays: 1 }, NextRotationDate: new Date('2026-02-28T23:59:59Z') },
      'broken',
      /should have been rotated by 2026-02-28 23:59 UTC/,
    ],
  ])('of %j is %s', (more, state, message) => {
    expect(judgeSchedule(secret(more), NOW)).toMatchObject({ state, message: expect.stringMatching(message) });
  });
});

describe('labels', () => {
  it.each<[string, LabelFacts, string]>([
    ['no rotation half done', labels(undefined), 'ok'],
    ['a rotation under way', labels(2), 'warning'],
    ['an old AWSPENDING', labels(20), 'broken'],
    ['a cancelled rotation', labels(1, { enabled: false }), 'broken'],
    ['a failure', labels(1, { failure }, true), 'broken'],
    ['no AWSCURRENT', labels(undefined, { stages: {} }), 'broken'],
  ])('of %s', (_, facts, state) => {
    expect(judgeLabels(facts, NOW).state).toBe(state);
  });
});

describe('the runtime', () => {
  it.each([
    ['nodejs24.x', 'ok'],
    ['nodejs26.x', 'ok'],
    ['nodejs22.x', 'ok'],
    ['nodejs20.x', 'broken'],
    ['python3.12', 'warning'],
    [undefined, 'warning'],
  ] as const)('%s is %s', (Runtime, state) => {
    const configuration = { Timeout: 60, ...(Runtime === undefined ? {} : { Runtime }) };
    const described = { arn: FUNCTION, name: 'rotate', logGroup: 'g', configuration, reservedConcurrency: undefined };
    expect(judgeFunction(described).map((finding) => finding.state)).toEqual([state]);
  });
});

describe('a function in a container image', () => {
  const judged = (more: Readonly<Record<string, unknown>> = {}) => {
    const configuration = { PackageType: 'Image' as const, Timeout: 60, ...more };
    const described = { arn: FUNCTION, name: 'rotate', logGroup: 'g', configuration, reservedConcurrency: 3 };
    return judgeFunction(described).map(({ check, state }) => `${check}: ${state}`);
  };

  it('is not known to be ours, nor said to be none: its runtime is not told', () => {
    expect(judged()).toEqual(['function: unknown', 'concurrency: broken']);
  });

  it('is judged in all else as others are', () => {
    const Environment = { Variables: { PASSWORD_LENGTH: 'long' } };
    expect(judged({ Timeout: 3, Environment })).toEqual([
      'function: unknown',
      'time-out: warning',
      'concurrency: broken',
      'environment: broken',
    ]);
    expect(judged({ State: 'Failed', StateReason: 'the image was deleted' })).toEqual(['function: broken']);
  });
});

describe('the environment', () => {
  const stateOf = (Variables: Record<string, string>, arn = FUNCTION) => {
    const configuration = { Timeout: 60, Runtime: 'nodejs24.x' as const, Environment: { Variables } };
    const described = { arn, name: 'rotate', logGroup: 'g', configuration, reservedConcurrency: undefined };
    return judgeFunction(described).find(({ check }) => check === 'environment');
  };

  it.each([
    ['SECRETS_MANAGER_ENDPOINT', 'here'],
    ['AWS_MAX_ATTEMPTS', '0'],
    ['PASSWORD_HASHING', 'none'],
    ['TLS_FALLBACK', 'maybe'],
    ['ALLOW_POOLER', 'maybe'],
    ['CONNECTION_STRING_KEYS', 'password'],
    ['ALTERNATING_SET_ROLE', 'maybe'],
    ['PROMOTE', 'late'],
    ['PASSWORD_LENGTH', 'long'],
    ['EXCLUDE_NUMBERS', 'maybe'],
    ['REQUIRE_EACH_INCLUDED_TYPE', 'maybe'],
  ])('is broken where %s is %s, as for the function', (name, value) => {
    expect(stateOf({ [name]: value })).toMatchObject({ state: 'broken', message: expect.stringContaining(name) });
  });

  it('is judged by what the function is for', () => {
    expect(stateOf({ PROMOTE: 'early' }, `${FUNCTION}-single-user`)).toBeUndefined();
    expect(stateOf({ PROMOTE: 'early' }, `${FUNCTION}-alternating-users`)).toMatchObject({ state: 'broken' });
  });

  it('is not spoken of where all is well', () => {
    expect(stateOf({ TLS_FALLBACK: 'allow', ALLOW_POOLER: 'true', DB_CA_FILE: 'ca.pem' })).toBeUndefined();
  });
});

describe('the invoke permission', () => {
  const policy = (Condition?: object, more: object = {}) =>
    JSON.stringify({
      Statement: [
        {
          ...{
            Effect: 'Allow',
            Principal: { Service: 'secretsmanager.amazonaws.com' },
            Action: 'lambda:InvokeFunction',
          },
          ...(Condition === undefined ? {} : { Condition }),
          ...more,
        },
      ],
    });

  it.each<[string, string | undefined, string]>([
    ['no policy', undefined, 'broken'],
    ['no condition', policy(), 'warning'],
    ['this account', policy({ StringEquals: { 'AWS:SourceAccount': '111111111111' } }), 'ok'],
    ['another account', policy({ StringEquals: { 'aws:SourceAccount': '222222222222' } }), 'broken'],
    ['this secret', policy({ ArnLike: { 'AWS:SourceArn': SECRET } }), 'ok'],
    [
      'all secrets of the account',
      policy({ ArnLike: { 'AWS:SourceArn': 'arn:aws:secretsmanager:us-east-1:111111111111:secret:*' } }),
      'ok',
    ],
    ['another secret', policy({ ArnLike: { 'AWS:SourceArn': `${SECRET}x` } }), 'broken'],
    ['all but this account', policy({ StringNotEquals: { 'aws:SourceAccount': '111111111111' } }), 'unknown'],
    ['an organization', policy({ StringEquals: { 'aws:SourceOrgID': 'o-1' } }), 'unknown'],
    [
      'this account, and another secret',
      policy({ StringEquals: { 'AWS:SourceAccount': '111111111111' }, ArnLike: { 'AWS:SourceArn': `${SECRET}x` } }),
      'broken',
    ],
    ['other names', policy({ ArnLike: { 'AWS:SourceArn': SECRET.replace(/shop.*/, 'billing/*') } }), 'broken'],
    ['these names', policy({ ArnLike: { 'AWS:SourceArn': SECRET.replace(/shop.*/, 's*') } }), 'ok'],
    ['secrets of every account', policy({ StringLike: { 'aws:SourceArn': 'arn:*:secret:*' } }), 'warning'],
    ['another service', policy(undefined, { Principal: { Service: 's3.amazonaws.com' } }), 'broken'],
    ['another action', policy(undefined, { Action: 'lambda:GetFunction' }), 'broken'],
    ['a denial', policy(undefined, { Effect: 'Deny' }), 'broken'],
  ])('for %s', (_, text, state) => {
    expect(judgePermission({ functionArn: FUNCTION, secretArn: SECRET, policy: text }).state).toBe(state);
  });
});

describe('the role', () => {
  const calls = { roleArn: 'arn:aws:iam::1:role/r', actions: ['a', 'b'], resource: '*', context: {} };

  it('is unknown, not ok, where IAM gives no answer', () => {
    const error = new CommandError('AccessDenied', 'iam:… was needed, but no.', { exitCode: 1 });
    expect(judgeRole('role policy', calls, { error })).toMatchObject({ state: 'unknown' });
    expect(judgeRole('role policy', calls, { value: { forbidden: [], notAllowed: [], missing: [] } }).state).toBe('ok');
  });

  it.each<[string, Partial<Simulation>, string | undefined, string, RegExp]>([
    ['nothing allows', { notAllowed: ['b'] }, undefined, 'broken', /may not call b$/],
    ['another policy may allow', { notAllowed: ['b'] }, "the secret's policy", 'unknown', /secret's policy may$/],
    ['a policy forbids', { forbidden: ['a'], notAllowed: ['b'] }, 'the key policy', 'broken', /may not call a, b$/],
    ['IAM would need to know more for', { notAllowed: ['b'], missing: ['aws:x'] }, undefined, 'unknown', /aws:x/],
  ])('where it is a call that %s', (_, simulated, elsewhere, state, message) => {
    const value = { forbidden: [], notAllowed: [], missing: [], ...simulated };
    expect(judgeRole('role policy', calls, { value }, elsewhere)).toMatchObject({
      state,
      message: expect.stringMatching(message),
    });
  });
});

describe('the network', () => {
  const all: Group['egress'] = [{ ports: undefined, groups: [], cidrs: ['0.0.0.0/0'] }];
  const group = (id: string, more: Partial<Group> = {}): Group => ({ id, ingress: [], egress: all, ...more });
  const open = group('sg-db', { ingress: [{ ports: [5432, 5432], groups: ['sg-f'], cidrs: [] }] });
  const facts = (more: Partial<NetworkFacts>): NetworkFacts => ({
    subnets: [{ id: 'subnet-1', defaultRoute: 'nat-1', otherRoutes: false }],
    functionGroups: [group('sg-f')],
    endpoints: [],
    toldEndpoint: false,
    databaseGroups: [open],
    ...more,
  });
  const states = (more: Partial<NetworkFacts>) => judgeNetwork(facts(more), 'db', 5432).map(({ state }) => state);

  it.each<[string, Partial<NetworkFacts>, string]>([
    ['a NAT gateway', {}, 'ok'],
    ['no route', { subnets: [{ id: 's', defaultRoute: undefined, otherRoutes: false }] }, 'broken'],
    ['an internet gateway', { subnets: [{ id: 's', defaultRoute: 'igw-1', otherRoutes: false }] }, 'broken'],
    ['a transit gateway', { subnets: [{ id: 's', defaultRoute: undefined, otherRoutes: true }] }, 'unknown'],
    [
      'a transit gateway of another subnet',
      {
        subnets: [
          { id: 's', defaultRoute: undefined, otherRoutes: true },
          { id: 't', defaultRoute: undefined, otherRoutes: false },
        ],
      },
      'broken',
    ],
    [
      'an endpoint that it was told, in another VPC',
      { toldEndpoint: true, subnets: [{ id: 's', defaultRoute: undefined, otherRoutes: false }] },
      'unknown',
    ],
    ['an endpoint without private DNS', { endpoints: [{ id: 'vpce', usable: false, groups: [] }] }, 'broken'],
    [
      'an endpoint that admits nobody',
      { endpoints: [{ id: 'vpce', usable: true, groups: [group('sg-e')] }] },
      'broken',
    ],
  ])('reaches Secrets Manager through %s, or not', (_, more, state) => {
    expect(states(more)[0]).toBe(state);
  });

  const POSTGRES = { FromPort: 5432, ToPort: 5432 };
  it.each<[string, Partial<NetworkFacts>, string]>([
    ['a rule for the function', {}, 'ok'],
    [
      'a rule for another port',
      { databaseGroups: [group('sg-db', { ingress: [{ ports: [80, 80], groups: ['sg-f'], cidrs: [] }] })] },
      'broken',
    ],
    [
      'a rule by addresses',
      { databaseGroups: [group('sg-db', { ingress: [{ ports: [5432, 5432], groups: [], cidrs: ['10.0.0.0/8'] }] })] },
      'unknown',
    ],
    [
      'a rule by a prefix list',
      {
        databaseGroups: [
          group('sg-db', {
            ingress: rulesOf([{ IpProtocol: 'tcp', ...POSTGRES, PrefixListIds: [{ PrefixListId: 'pl-1' }] }]),
          }),
        ],
      },
      'unknown',
    ],
    [
      'a rule by IPv6 addresses',
      {
        databaseGroups: [
          group('sg-db', { ingress: rulesOf([{ IpProtocol: '6', ...POSTGRES, Ipv6Ranges: [{ CidrIpv6: '::/0' }] }]) }),
        ],
      },
      'unknown',
    ],
    [
      'a rule for UDP',
      {
        databaseGroups: [
          group('sg-db', {
            ingress: rulesOf([{ IpProtocol: 'udp', ...POSTGRES, UserIdGroupPairs: [{ GroupId: 'sg-f' }] }]),
          }),
        ],
      },
      'broken',
    ],
    ['no way out', { functionGroups: [group('sg-f', { egress: [] })] }, 'broken'],
    ['no database in RDS', { databaseGroups: undefined }, 'unknown'],
  ])('reaches the database by %s, or not', (_, more, state) => {
    expect(states(more)[1]).toBe(state);
  });
});

describe('routes', () => {
  const local = { DestinationCidrBlock: '10.0.0.0/16', GatewayId: 'local' };
  const to = (DestinationCidrBlock: string, target: object) => ({ DestinationCidrBlock, ...target });

  it.each([
    ['none', [local], { defaultRoute: undefined, otherRoutes: false }],
    [
      'a NAT gateway',
      [local, to('0.0.0.0/0', { NatGatewayId: 'nat-1' })],
      { defaultRoute: 'nat-1', otherRoutes: false },
    ],
    [
      'a peering',
      [to('172.16.0.0/16', { VpcPeeringConnectionId: 'pcx-1' })],
      { defaultRoute: undefined, otherRoutes: true },
    ],
    ['Cloud WAN', [to('172.16.0.0/16', { CoreNetworkArn: 'arn:x' })], { defaultRoute: undefined, otherRoutes: true }],
    ['the endpoint of S3', [to('pl-1', { GatewayId: 'vpce-1' })], { defaultRoute: undefined, otherRoutes: false }],
  ])('out of the VPC: %s', (_, routes, ways) => {
    expect(waysOut(routes)).toEqual(ways);
  });
});
