/** AWS JSON 1.1, which Secrets Manager, CloudWatch Logs and KMS speak. */
import { ServiceError, type ServiceReply, type ServiceRequest } from './service.ts';

const JSON_1_1 = 'application/x-amz-json-1.1';

/**
 * The operation that is asked for.
 * @param target what comes before the operation in X-Amz-Target, such as "Logs_20140328".
 * @throws UnknownOperationException
 */
export function operationName({ method, headers }: ServiceRequest, target: string): string {
  const [service, name, ...more] = String(headers['x-amz-target'] ?? '').split('.');
  const type = String(headers['content-type'] ?? '')
    .split(';')[0]
    ?.trim();
  if (method !== 'POST' || service !== target || !name || more.length > 0 || type !== JSON_1_1) {
    throw unknownOperation();
  }
  return name;
}

export const unknownOperation = () => new ServiceError('UnknownOperationException', '');

/** A call that AWS knows, perhaps, and the lab does not. @param service as in IAM's actions, such as "kms". */
export const notServed = (service: string, operation: string) =>
  new ServiceError('UnknownOperationException', `The lab does not serve ${service}:${operation}.`);

/** @throws SerializationException */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body || '{}');
  } catch {
    throw new ServiceError('SerializationException', 'The request is not JSON.');
  }
}

/** Members that are undefined are left out. */
export function jsonReply(requestId: string, status: number, body: object): ServiceReply {
  return {
    status,
    headers: { 'Content-Type': JSON_1_1, 'x-amzn-RequestId': requestId },
    body: JSON.stringify(body),
  };
}
