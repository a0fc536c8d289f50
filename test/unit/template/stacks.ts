/** Parameters that a deployment might have, for the tests of template.yaml. */
import type { Parameters } from '../../support/cloudformation.ts';
import {
  APP_SECRET,
  IAM_ADMINISTRATOR,
  KEY,
  OTHER_KEY,
  RDS_SUPERUSER_SECRET,
  SUPERUSER_SECRET,
} from '../../support/role-calls.ts';

export {
  APP_SECRET,
  IAM_ADMINISTRATOR,
  KEY,
  OTHER_SECRET,
  RDS_SUPERUSER_SECRET,
  SUPERUSER_SECRET,
} from '../../support/role-calls.ts';

export const TOPIC = 'arn:aws:sns:eu-west-1:111122223333:operators';

export const VPC: Parameters = { SubnetIds: 'subnet-0a1b2c3d,subnet-1a2b3c4d', SecurityGroupIds: 'sg-0a1b2c3d' };
export const KEYS: Parameters = { KmsKeyArns: `${KEY},${OTHER_KEY}` };
export const SUPERUSERS: Parameters = { SuperuserSecretArns: `${SUPERUSER_SECRET},${RDS_SUPERUSER_SECRET}` };
export const ADMINISTRATORS: Parameters = { IamAdministratorArns: IAM_ADMINISTRATOR };
export const ATTACHED: Parameters = { SecretArn: APP_SECRET };
export const ALTERNATING: Parameters = { ...ATTACHED, ...SUPERUSERS, Strategy: 'alternating-users' };
