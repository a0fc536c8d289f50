/** What the services besides Secrets Manager have in common: what they know of the account, and who may ask. */
import { ACCOUNT_ID } from '../account.ts';
import type { FunctionRegistry } from '../functions/function-registry.ts';
import { type EndpointService, ServiceError } from '../http/service.ts';
import type { AccountResources } from '../resources.ts';
import type { LogStore } from './log-store.ts';

export interface Account {
  readonly resources: AccountResources;
  readonly functions: FunctionRegistry;
  readonly logs: LogStore;
}

export type AccountService = (account: Account) => EndpointService;

/** Who calls, where the access key is of that account: each has one user. */
export const userOf = (account: string) => `arn:aws:iam::${account}:user/lab`;

export const CALLER = userOf(ACCOUNT_ID);

/** The authorization of every call: the lab's user may do everything but what a test took away. */
export function authorize({ resources }: Account, action: string, resource = '*'): void {
  resources.noteCall(action);
  if (!resources.isRefused(action)) return;
  throw new ServiceError(
    'AccessDeniedException',
    `User: ${CALLER} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
    403,
  );
}
