/** What somebody of another account may do here: as much as a secret's own policy gives. That account has no secrets itself. */
import { evaluate } from '../../../shared/iam/policy-evaluation.ts';
import { ServiceError } from '../http/service.ts';
import { userOf } from '../services/account.ts';
import { invalidRequest, secretNotFound } from './errors.ts';
import type { Secret } from './secret.ts';

export interface Visit {
  /** The account of who calls. */
  readonly account: string;
  readonly operation: string;
  /** As the caller names it. */
  readonly secretId: string | undefined;
  /** What that finds. */
  readonly secret: Secret | undefined;
}

/** What needs no secret. */
const ALWAYS: ReadonlySet<string> = new Set(['GetRandomPassword', 'ListSecrets', 'ValidateResourcePolicy']);
/** Recorded of these two. */
const NEEDS_A_KEY_OF_YOUR_OWN: ReadonlySet<string> = new Set(['GetSecretValue', 'PutSecretValue']);
const DEFAULT_KEYS: readonly (string | undefined)[] = [undefined, 'alias/aws/secretsmanager'];

/** @throws ServiceError where the call may not be made. */
export function refuseVisitor({ account, operation, secretId, secret }: Visit): void {
  if (ALWAYS.has(operation)) return;
  if (secretId === undefined || operation === 'CreateSecret') {
    throw new ServiceError('UnknownOperationException', 'The lab does not serve the secrets of other accounts.');
  }
  if (!secretId.startsWith('arn:')) throw secretNotFound();
  const action = `secretsmanager:${operation}`;
  if (secret === undefined || !policyAllows(secret, account, action)) {
    throw new ServiceError(
      'AccessDeniedException',
      `User: ${userOf(account)} is not authorized to perform: ${action} on resource: ${secretId} because no resource-based policy allows the ${action} action`,
    );
  }
  if (NEEDS_A_KEY_OF_YOUR_OWN.has(operation) && DEFAULT_KEYS.includes(secret.kmsKeyId)) {
    throw invalidRequest(
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
    );
  }
}

function policyAllows({ arn, content: { policy } }: Secret, account: string, action: string): boolean {
  if (policy === undefined) return false;
  try {
    const Statement = statementsFor(JSON.parse(policy).Statement, account);
    return Statement.length > 0 && evaluate([{ Statement }], { action, resource: arn }) === 'allowed';
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServiceError('AccessDeniedException', `The lab can't judge the secret's policy: ${reason}`);
  }
}

/** Those whose principals the account's user is among, as statements without principals. */
function statementsFor(statements: unknown, account: string): object[] {
  const names: readonly unknown[] = ['*', account, `arn:aws:iam::${account}:root`, userOf(account)];
  return [statements].flat().flatMap((statement) => {
    const { Principal, ...rest } = members(statement);
    const found = [Principal === '*' ? '*' : members(Principal).AWS].flat();
    // Whom NotPrincipal means is for the evaluator to refuse.
    return Principal === undefined || found.some((each) => names.includes(each)) ? [rest] : [];
  });
}

const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};
