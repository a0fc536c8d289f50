/** Services that speak AWS JSON 1.1: CloudWatch Logs and KMS. */
import { jsonReply, notServed, operationName, parseJson } from '../http/aws-json.ts';
import { Input } from '../http/input.ts';
import { type Account, type AccountService, authorize } from './account.ts';

export type JsonOperation = (input: Input, account: Account, region: string) => object;

/**
 * @param prefix of IAM's actions, such as "logs".
 * @param target that comes before the operation in X-Amz-Target, such as "Logs_20140328".
 */
export function jsonService(
  prefix: string,
  target: string,
  operations: Readonly<Record<string, JsonOperation>>,
): AccountService {
  return (account) => ({
    reply(request) {
      const name = operationName(request, target);
      const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
      if (operation === undefined) throw notServed(prefix, name);
      authorize(account, `${prefix}:${name}`);
      const answer = operation(new Input(parseJson(request.body)), account, request.region);
      return jsonReply(request.requestId, 200, answer);
    },
    refusal: ({ type, message, status }, { requestId }) => jsonReply(requestId, status, { __type: type, message }),
  });
}
