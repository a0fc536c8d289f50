/** The account's services besides Secrets Manager, by their names in a signature's scope. */
import type { EndpointService } from '../http/service.ts';
import type { Account } from './account.ts';
import { cloudformation } from './cloudformation.ts';
import { ec2 } from './ec2.ts';
import { iam } from './iam.ts';
import { kms } from './kms.ts';
import { lambda } from './lambda.ts';
import { logs } from './logs.ts';
import { rds } from './rds.ts';
import { sts } from './sts.ts';

const SERVICES = { cloudformation, ec2, iam, kms, lambda, logs, rds, sts };

export function accountServices(account: Account): Readonly<Record<string, EndpointService>> {
  return Object.fromEntries(Object.entries(SERVICES).map(([name, service]) => [name, service(account)]));
}
