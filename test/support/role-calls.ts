/**
 * What the role of a rotation function must be allowed and denied, however it was made: the one table that template.yaml
 * and the Terraform module are both held against.
 */
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { ON_A_SUPERUSER_SECRET, ON_THE_ROTATED_SECRET } from './function-calls.ts';
import type { IamRequest } from './iam.ts';

const secret = (name: string) => `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}`;
export const APP_SECRET = secret('team/app-a1B2c3');
export const OTHER_SECRET = secret('team/other-d4E5f6');
export const SUPERUSER_SECRET = secret('admin-g7H8i9');
export const RDS_SUPERUSER_SECRET = secret('rds!db-0a1b2c3d-4e5f-6789-j0K1l2');
export const EVERY_RDS_SECRET = secret('rds!*');
/** A database user as which the function may log in. */
export const IAM_ADMINISTRATOR = 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-ABCDEFGHIJKL01234/rotator';
export const KEY = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
export const OTHER_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';

/** What a role's policies depend on. */
export interface RoleChoices {
  readonly vpc: boolean;
  /** Whether KEY and OTHER_KEY are given. */
  readonly keys: boolean;
  /** None; SUPERUSER_SECRET and RDS_SUPERUSER_SECRET by name, and IAM_ADMINISTRATOR besides; or all that RDS manages. */
  readonly superusers: 'none' | 'named' | 'managed';
}

/** Every combination. */
export const ROLE_CHOICES: readonly RoleChoices[] = [false, true].flatMap((vpc) =>
  [false, true].flatMap((keys) =>
    (['none', 'named', 'managed'] as const).map((superusers) => ({ vpc, keys, superusers })),
  ),
);

/** The function that has the role, and the one beside it. */
export interface RoleBearer {
  readonly strategy: StrategyName;
  readonly functionArn: string;
  readonly otherFunctionArn: string;
  readonly logGroup: string;
  readonly otherLogGroup: string;
}

interface Rule {
  readonly rule: string;
  /** Calls that must be allowed, and calls that must be denied. */
  calls(bearer: RoleBearer, choices: RoleChoices): JudgedCall[];
}

interface JudgedCall extends IamRequest {
  readonly allowed: boolean;
}

const judged = (allowed: boolean, calls: readonly IamRequest[]) => calls.map((call) => ({ ...call, allowed }));

const onSecret = (operations: readonly string[], resource: string, attachedTo?: string): IamRequest[] =>
  operations.map((operation) => ({
    action: `secretsmanager:${operation}`,
    resource,
    context: attachedTo === undefined ? {} : { 'secretsmanager:resource/AllowRotationLambdaArn': attachedTo },
  }));

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

const onLog = (operations: readonly string[], group: string): IamRequest[] =>
  operations.map((operation) => ({
    action: `logs:${operation}`,
    resource: `arn:aws:logs:eu-west-1:111122223333:log-group:${group}:log-stream:2026/01/01/[$LATEST]0`,
  }));

const anywhere = (actions: readonly string[], context: IamRequest['context'] = {}): IamRequest[] =>
  actions.map((action) => ({ action, resource: '*', context }));

const elsewhere = [APP_SECRET.replace('111122223333', '444455556666'), APP_SECRET.replace('eu-west-1', 'us-east-1')];
const OTHER_OPERATIONS = [
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
];
const NETWORK_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];
const WRITES_OWN_LOG = ['CreateLogStream', 'PutLogEvents'];
const RDS = 'arn:aws:rds:eu-west-1:111122223333';

export const ROLE_RULES: readonly Rule[] = [
  {
    rule: 'may rotate the secrets attached to its function',
    calls: ({ functionArn }) => judged(true, onSecret(ON_THE_ROTATED_SECRET, APP_SECRET, functionArn)),
  },
  {
    rule: 'may touch no secret attached to another function or to none',
    calls: ({ functionArn, otherFunctionArn }) =>
      [otherFunctionArn, `${functionArn}-2`, `${functionArn}:1`, undefined].flatMap((attachedTo) =>
        judged(false, onSecret(ON_THE_ROTATED_SECRET, OTHER_SECRET, attachedTo)),
      ),
  },
  {
    rule: 'may touch no secret of another account or region',
    calls: ({ functionArn }) =>
      elsewhere.flatMap((arn) => judged(false, onSecret(ON_THE_ROTATED_SECRET, arn, functionArn))),
  },
  {
    rule: 'may do nothing else to a secret, attached or not',
    calls: ({ functionArn }) =>
      judged(false, [
        ...onSecret(OTHER_OPERATIONS, APP_SECRET, functionArn),
        ...onSecret(OTHER_OPERATIONS, OTHER_SECRET),
        ...anywhere(['secretsmanager:ListSecrets', 'secretsmanager:BatchGetSecretValue']),
      ]),
  },
  {
    rule: 'may read the superuser secrets that are given if it is for alternating users, and never write them',
    calls: ({ strategy }, { superusers }) => {
      const reads = strategy === 'alternating-users';
      const writes = ['PutSecretValue', 'UpdateSecretVersionStage', 'UpdateSecret', 'ListSecretVersionIds'];
      return [
        ...judged(reads && superusers === 'named', onSecret(ON_A_SUPERUSER_SECRET, SUPERUSER_SECRET)),
        ...judged(reads && superusers !== 'none', onSecret(ON_A_SUPERUSER_SECRET, RDS_SUPERUSER_SECRET)),
        ...judged(false, onSecret(ON_A_SUPERUSER_SECRET, `${SUPERUSER_SECRET}x`)),
        ...judged(false, onSecret(ON_A_SUPERUSER_SECRET, OTHER_SECRET)),
        ...[SUPERUSER_SECRET, RDS_SUPERUSER_SECRET].flatMap((arn) => judged(false, onSecret(writes, arn))),
      ];
    },
  },
  {
    rule: 'may look databases up if it is for alternating users, and change none',
    calls: ({ strategy }, { superusers }) => [
      ...judged(strategy === 'alternating-users' && superusers !== 'none', [
        { action: 'rds:DescribeDBInstances', resource: `${RDS}:db:orders` },
        { action: 'rds:DescribeDBInstances', resource: `${RDS}:db:*` },
        { action: 'rds:DescribeDBClusters', resource: `${RDS}:cluster:orders` },
      ]),
      ...judged(false, [
        { action: 'rds:ModifyDBInstance', resource: `${RDS}:db:orders` },
        { action: 'rds:ModifyDBCluster', resource: `${RDS}:cluster:orders` },
      ]),
    ],
  },
  {
    rule: 'may log in by IAM as the administrators that are given if it is for alternating users, and as nobody else',
    calls: ({ strategy }, { superusers }) => {
      const connect = (...resources: readonly string[]) =>
        resources.map((resource) => ({ action: 'rds-db:connect', resource }));
      return [
        ...judged(strategy === 'alternating-users' && superusers === 'named', connect(IAM_ADMINISTRATOR)),
        ...judged(
          false,
          connect(
            IAM_ADMINISTRATOR.replace('/rotator', '/postgres'),
            `${IAM_ADMINISTRATOR}2`,
            IAM_ADMINISTRATOR.replace('db-A', 'db-B'),
            IAM_ADMINISTRATOR.replace('eu-west-1', 'us-east-1'),
            IAM_ADMINISTRATOR.replace('111122223333', '444455556666'),
            'arn:aws:rds-db:eu-west-1:111122223333:dbuser:*/*',
          ),
        ),
        ...judged(false, [{ action: 'rds-db:other', resource: IAM_ADMINISTRATOR }]),
      ];
    },
  },
  {
    rule: 'may use the given keys for the secrets of this account, through Secrets Manager only',
    calls: (_, { keys }) => [
      ...[KEY, OTHER_KEY].flatMap((key) => judged(keys, [onKey('Decrypt', key), onKey('GenerateDataKey', key)])),
      ...judged(false, [
        ...[...elsewhere, 'anything'].map((arn) => onKey('Decrypt', KEY, { 'kms:EncryptionContext:SecretARN': arn })),
        onKey('Decrypt', KEY, { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' }),
        { action: 'kms:Decrypt', resource: KEY },
        onKey('Decrypt', `${KEY.slice(0, -1)}c`),
        ...['Encrypt', 'ScheduleKeyDeletion', 'CreateGrant', 'PutKeyPolicy', 'ReEncryptFrom'].map((operation) =>
          onKey(operation, KEY),
        ),
      ]),
    ],
  },
  {
    rule: 'may write its own log and no other',
    calls: ({ logGroup, otherLogGroup }) => [
      ...judged(true, onLog(WRITES_OWN_LOG, logGroup)),
      ...judged(false, [
        ...onLog(WRITES_OWN_LOG, otherLogGroup),
        ...onLog(WRITES_OWN_LOG, `${logGroup}-2`),
        ...onLog(['CreateLogGroup', 'DeleteLogStream', 'DeleteLogGroup', 'GetLogEvents', 'FilterLogEvents'], logGroup),
      ]),
    ],
  },
  {
    rule: 'lets Lambda, and not the code, make network interfaces where there are subnets',
    calls: ({ functionArn }, { vpc }) => [
      ...judged(vpc, anywhere(NETWORK_ACTIONS)),
      ...judged(false, [
        ...anywhere(NETWORK_ACTIONS, { 'lambda:SourceFunctionArn': functionArn }),
        ...anywhere(['ec2:RunInstances', 'ec2:AuthorizeSecurityGroupEgress', 'ec2:ModifyNetworkInterfaceAttribute']),
      ]),
    ],
  },
  {
    rule: 'may do nothing anywhere else',
    calls: () =>
      judged(
        false,
        anywhere([
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
        ]),
      ),
  },
];
