/** Deployments that both the template and the module are asked for, in the template's words. */
import type { Parameters } from '../../support/cloudformation.ts';
import {
  APP_SECRET,
  EVERY_RDS_SECRET,
  IAM_ADMINISTRATOR,
  KEY,
  OTHER_KEY,
  RDS_SUPERUSER_SECRET,
  type RoleChoices,
  SUPERUSER_SECRET,
} from '../../support/role-calls.ts';

const VPC: Parameters = { SubnetIds: 'subnet-0a1b2c3d,subnet-1a2b3c4d', SecurityGroupIds: 'sg-0a1b2c3d' };

export const DEPLOYMENTS = {
  plain: { AlarmTopicArn: 'arn:aws:sns:eu-west-1:111122223333:operators' },
  full: {
    ...VPC,
    SecretsManagerEndpoint: 'https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com',
    SuperuserSecretArns: SUPERUSER_SECRET,
    IamAdministratorArns: IAM_ADMINISTRATOR,
    KmsKeyArns: `${KEY},${OTHER_KEY}`,
    PermissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/boundary',
    RolePath: '/rotation/',
    PasswordLength: '48',
    ExcludeCharacters: '/@" \'\\',
    ExcludeUppercase: 'true',
    ExcludeLowercase: 'false',
    ExcludeNumbers: 'true',
    ExcludePunctuation: 'false',
    RequireEachIncludedType: 'false',
    ConnectionStringKeys: 'DATABASE_URL,jdbcUrl',
    PasswordHashing: 'server',
    TlsFallback: 'allow',
    DatabaseCaFile: '/opt/ca.pem',
    DatabaseCaLayerArn: 'arn:aws:lambda:eu-west-1:111122223333:layer:ca:3',
    AllowPooler: 'true',
    AlternatingSetRole: 'false',
    PromoteEarly: 'true',
    Runtime: 'nodejs22.x',
    Architecture: 'x86_64',
    MemorySize: '512',
    TimeoutSeconds: '90',
    AwsMaxAttempts: '5',
    LogLevel: 'DEBUG',
    LogRetentionDays: '365',
    LogKmsKeyArn: OTHER_KEY,
    AlarmEmail: 'ops@example.com',
    SecretArn: APP_SECRET,
    Strategy: 'alternating-users',
    ScheduleExpression: 'rate(7 days)',
    Duration: '3h',
    RotateImmediately: 'true',
  },
  bare: {
    SuccessTopicArn: 'arn:aws:sns:eu-west-1:111122223333:restarts',
    CreateAlarms: 'false',
    CreateDashboard: 'false',
    FunctionNamePrefix: 'SecretsManager-team',
  },
} satisfies Readonly<Record<string, Parameters>>;

const SUPERUSERS: Readonly<Record<RoleChoices['superusers'], Parameters>> = {
  none: {},
  named: {
    SuperuserSecretArns: `${SUPERUSER_SECRET},${RDS_SUPERUSER_SECRET}`,
    IamAdministratorArns: IAM_ADMINISTRATOR,
  },
  managed: { SuperuserSecretArns: EVERY_RDS_SECRET },
};

/** What the roles depend on, and nothing else that would only take time. */
export function forRoles({ vpc, keys, superusers }: RoleChoices): Parameters {
  return {
    ...(vpc ? VPC : {}),
    ...(keys ? { KmsKeyArns: `${KEY},${OTHER_KEY}` } : {}),
    ...SUPERUSERS[superusers],
    CreateAlarms: 'false',
    CreateDashboard: 'false',
  };
}
