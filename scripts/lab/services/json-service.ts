/** AWS JSON 1.1, which CloudWatch Logs and KMS speak. */
import { ServiceError } from '../secrets-manager/errors.ts';
import { Input } from '../secrets-manager/validate.ts';
import { type Account, authorize, type Service, type ServiceReply, type ServiceRequest } from './service.ts';

const JSON_1_1 = 'application/x-amz-json-1.1';

export type JsonOperation = (input: Input, account: Account, region: string) => object;

/**
 * @param prefix of IAM's actions, such as "logs".
 * @param target that comes before the operation in X-Amz-Target, such as "Logs_20140328".
 */
export function jsonService(
  prefix: string,
  target: string,
  operations: Readonly<Record<string, JsonOperation>>,
): Service {
  return {
    reply(request, account) {
      const name = operationOf(request, target);
      const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
      if (operation === undefined) throw new ServiceError('UnknownOperationException', '');
      authorize(account, `${prefix}:${name}`);
      return send(request, 200, operation(new Input(parse(request.body)), account, request.region));
    },
    refusal: ({ type, message, status }, request) => send(request, status, { __type: type, message }),
  };
}

function operationOf({ method, headers }: ServiceRequest, target: string): string {
  const [service, operation] = String(headers['x-amz-target'] ?? '').split('.');
  const type = String(headers['content-type'] ?? '').split(';')[0];
  if (method !== 'POST' || service !== target || operation === undefined || type !== JSON_1_1) {
    throw new ServiceError('UnknownOperationException', '');
  }
  return operation;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body || '{}');
  } catch {
    throw new ServiceError('SerializationException', 'The request is not JSON.');
  }
}

function send({ requestId }: ServiceRequest, status: number, body: object): ServiceReply {
  return {
    status,
    headers: { 'Content-Type': JSON_1_1, 'x-amzn-RequestId': requestId },
    body: JSON.stringify(body),
  };
}
