/** Secrets Manager, as one of the services behind the lab's endpoint. */
import { setTimeout as delay } from 'node:timers/promises';
import { ACCOUNT_ID } from '../account.ts';
import type { FaultTarget } from '../faults.ts';
import { jsonReply, operationName, parseJson, unknownOperation } from '../http/aws-json.ts';
import { Input } from '../http/input.ts';
import { type EndpointService, ServiceError, type ServiceRequest, serviceError } from '../http/service.ts';
import { signedScope } from '../http/signature.ts';
import type { RequestLog, RequestSummary } from '../requests.ts';
import type { Answer, OperationCall } from './operation.ts';
import { operations } from './operations/table.ts';
import { refuseVisitor } from './other-accounts.ts';

export interface SecretsManagerParts extends Omit<OperationCall, 'region' | 'now'> {
  readonly now: () => Date;
  readonly requests: RequestLog;
}

const TARGET = 'secretsmanager';

export function secretsManager(parts: SecretsManagerParts): EndpointService {
  return {
    async reply(request) {
      const body = parseJson(request.body);
      const summary = summarise(operationName(request, TARGET), body, request);
      const record = (outcome: { status: number | undefined; errorType?: string }) =>
        parts.requests.add({ errorType: undefined, ...summary, ...outcome, at: parts.now() });
      try {
        const answer = await perform(parts, body, summary, request.account);
        record({ status: answer && 200 });
        return answer && jsonReply(request.requestId, 200, answer);
      } catch (error) {
        const refusal = serviceError(error);
        record({ status: refusal.status, errorType: refusal.type });
        throw refusal;
      }
    },
    refusal,
  };
}

/** What the endpoint, which is Secrets Manager's first of all, says to requests that are signed for no service of the lab. */
export const unsigned: EndpointService = {
  reply(request) {
    const { authorization } = request.headers;
    const scope = typeof authorization === 'string' ? signedScope(authorization) : undefined;
    if (scope && !isForUs(request))
      throw new ServiceError('UnknownOperationException', `The lab does not serve ${scope.service}.`);
    parseJson(request.body);
    operationName(request, TARGET);
    if (!request.headers.authorization) {
      throw new ServiceError('MissingAuthenticationTokenException', 'Missing Authentication Token');
    }
    throw new ServiceError(
      'IncompleteSignatureException',
      'Authorization header requires a Credential scoped to secretsmanager, SignedHeaders and a Signature.',
    );
  },
  refusal,
};

const isForUs = ({ headers }: ServiceRequest) => String(headers['x-amz-target'] ?? '').startsWith(`${TARGET}.`);

/** @returns undefined where a fault cut the connection. */
async function perform(
  parts: SecretsManagerParts,
  body: unknown,
  summary: RequestSummary,
  account: string,
): Promise<Answer | undefined> {
  const { faults, state } = parts;
  const { operation, region, secretId } = summary;
  const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  if (run === undefined) throw unknownOperation();
  const input = new Input(body);
  const secret = secretId === undefined ? undefined : state.find(region, secretId);
  const names = [secretId, secret?.arn, secret?.content.name].filter((name) => name !== undefined);
  const target: FaultTarget = { request: summary, secretNames: names };
  const wait = faults.delayFor(target);
  if (wait > 0) await delay(wait);
  const interruption = faults.interruptionBefore(target);
  if (interruption?.kind === 'cut') return undefined;
  if (interruption) throw new ServiceError(interruption.type, interruption.message, interruption.status);
  if (account !== ACCOUNT_ID) {
    refuseVisitor({ account, operation, secretId, secret });
    if (operation === 'ListSecrets') return { SecretList: [] };
  }
  const answer = run(input, { ...parts, region, now: parts.now() });
  return faults.isCutAfter(target) ? undefined : answer;
}

function summarise(operation: string, body: unknown, { region, headers }: ServiceRequest): RequestSummary {
  const members: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {};
  const text = (name: string) => (typeof members[name] === 'string' ? members[name] : undefined);
  const userAgent = headers['user-agent'];
  return {
    operation,
    region,
    secretId: text('SecretId') ?? (operation === 'CreateSecret' ? text('Name') : undefined),
    versionId: text('VersionId') ?? text('MoveToVersionId'),
    versionStage: text('VersionStage'),
    token: text('ClientRequestToken'),
    userAgent: typeof userAgent === 'string' ? userAgent : undefined,
  };
}

/** The errors of the service's model, and one more, spell it with a capital; those of the framework under it do not. */
const MODELLED: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'DecryptionFailure',
  'EncryptionFailure',
  'InternalServiceError',
  'InvalidNextTokenException',
  'InvalidParameterException',
  'InvalidRequestException',
  'LimitExceededException',
  'MalformedPolicyDocumentException',
  'PreconditionNotMetException',
  'PublicPolicyException',
  'ResourceExistsException',
  'ResourceNotFoundException',
]);

function refusal({ type, message, status }: ServiceError, { requestId }: Pick<ServiceRequest, 'requestId'>) {
  const words = message === '' ? {} : { [MODELLED.has(type) ? 'Message' : 'message']: message };
  return jsonReply(requestId, status, { __type: type, ...words });
}
