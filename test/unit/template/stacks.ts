/** Parameters that a deployment might have, for the tests of template.yaml. */
import type { Parameters } from '../../support/cloudformation.ts';

const secret = (name: string) => `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}`;

export const APP_SECRET = secret('team/app-a1B2c3');
export const OTHER_SECRET = secret('team/other-d4E5f6');
export const SUPERUSER_SECRET = secret('admin-g7H8i9');
export const RDS_SUPERUSER_SECRET = secret('rds!db-0a1b2c3d-4e5f-6789-j0K1l2');
export const KEY = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
export const OTHER_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';
export const TOPIC = 'arn:aws:sns:eu-west-1:111122223333:operators';

export const VPC: Parameters = { SubnetIds: 'subnet-0a1b2c3d,subnet-1a2b3c4d', SecurityGroupIds: 'sg-0a1b2c3d' };
export const KEYS: Parameters = { KmsKeyArns: `${KEY},${OTHER_KEY}` };
export const SUPERUSERS: Parameters = { SuperuserSecretArns: `${SUPERUSER_SECRET},${RDS_SUPERUSER_SECRET}` };
export const ATTACHED: Parameters = { SecretArn: APP_SECRET };
export const ALTERNATING: Parameters = { ...ATTACHED, ...SUPERUSERS, Strategy: 'alternating-users' };
