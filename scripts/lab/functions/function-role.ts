import type { Role } from '../resources.ts';

/** The administrator of the lab that logs in by IAM. */
export const LAB_ADMINISTRATOR = 'lab_rotator';

/** The execution role that template.yaml gives a rotation function, superuser secrets by name left aside. */
export function roleFor(functionArn: string, roleArn: string): Role {
  const actions = [
    'DescribeSecret',
    'GetSecretValue',
    'ListSecretVersionIds',
    'PutSecretValue',
    'UpdateSecretVersionStage',
  ];
  return {
    arn: roleArn,
    policies: [
      {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'RotateSecretsAttachedToThisFunction',
            Effect: 'Allow',
            Action: actions.map((action) => `secretsmanager:${action}`),
            Resource: '*',
            Condition: { StringEquals: { 'secretsmanager:resource/AllowRotationLambdaArn': functionArn } },
          },
          {
            Sid: 'ReadSuperuserSecrets',
            Effect: 'Allow',
            Action: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
            Resource: '*',
          },
          {
            Sid: 'LogInByIam',
            Effect: 'Allow',
            Action: ['rds-db:connect'],
            Resource: `arn:aws:rds-db:*:*:dbuser:*/${LAB_ADMINISTRATOR}`,
          },
        ],
      },
    ],
  };
}
