/** What the account's other services have in common: who may be asked, and how a request is refused. */
import type { FunctionRegistry } from '../functions/function-registry.ts';
import { ServiceError } from '../secrets-manager/errors.ts';
import type { LogStore } from './log-store.ts';
import type { AccountResources } from './resources.ts';

export interface Account {
  readonly resources: AccountResources;
  readonly functions: FunctionRegistry;
  readonly logs: LogStore;
}

export interface ServiceRequest {
  readonly method: string;
  /** Path and query string, as sent. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** That the caller signed for. */
  readonly region: string;
  readonly requestId: string;
}

export interface ServiceReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers one request. @throws ServiceError, which it can also put into words itself: see `refusal`. */
export interface Service {
  reply(request: ServiceRequest, account: Account): ServiceReply;
  refusal(error: ServiceError, request: ServiceRequest): ServiceReply;
}

const CALLER = 'arn:aws:iam::123456789012:user/lab';

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

export { CALLER };
