/** AWS's Query protocols: a form in, XML out. STS, IAM, CloudFormation and RDS speak one, EC2 the other. */
import { ServiceError, type ServiceReply } from '../http/service.ts';
import { type Account, type AccountService, authorize } from './account.ts';
import { toXml, type XmlElements } from './xml.ts';

/** The parameters of a request; a list is `Name.member.1`, or `Name.1` with EC2. */
export class QueryParameters {
  readonly #form: URLSearchParams;
  readonly #read = new Set<string>(['Action', 'Version']);

  constructor(form: URLSearchParams) {
    this.#form = form;
  }

  text(name: string): string | undefined {
    this.#read.add(name);
    return this.#form.get(name) ?? undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value) return value;
    throw new ServiceError('ValidationError', `1 validation error detected: Value null at '${name}' must not be null`);
  }

  /** @param separator what stands between the name and the number: ".member." or ".". */
  list(name: string, separator = '.member.'): string[] {
    const values: string[] = [];
    for (let index = 1; ; index++) {
      const value = this.text(`${name}${separator}${index}`);
      if (value === undefined) return values;
      values.push(value);
    }
  }

  /** What the operation has not looked at it does not know: refused, so that no test passes on half an answer. */
  refuseUnread(): void {
    // An empty list is sent as its bare name.
    const given = [...this.#form].filter(([, value]) => value !== '').map(([name]) => name);
    const unread = given.filter((name) => !this.#read.has(name));
    if (unread.length > 0) {
      throw new ServiceError('InvalidParameterValue', `The lab does not know the parameter ${unread.join(', ')}.`);
    }
  }
}

/** @param caller the account of who calls. */
export type QueryOperation = (
  parameters: QueryParameters,
  account: Account,
  region: string,
  caller: string,
) => XmlElements;

export interface QueryServiceShape {
  /** Of IAM's actions, such as "sts". */
  readonly prefix: string;
  readonly version: string;
  readonly namespace: string;
  /** EC2 answers without the wrapping result element, and words its errors in its own way. */
  readonly dialect?: 'ec2';
}

export function queryService(
  { prefix, version, namespace, dialect }: QueryServiceShape,
  operations: Readonly<Record<string, QueryOperation>>,
): AccountService {
  return (account) => ({
    reply(request) {
      const form = new URLSearchParams(request.body);
      const action = form.get('Action') ?? '';
      const operation = Object.hasOwn(operations, action) ? operations[action] : undefined;
      if (request.method !== 'POST' || operation === undefined || form.get('Version') !== version) {
        throw new ServiceError('InvalidAction', `The lab does not serve ${prefix}:${action}.`);
      }
      authorize(account, `${prefix}:${action}`);
      const parameters = new QueryParameters(form);
      const result = operation(parameters, account, request.region, request.account);
      parameters.refuseUnread();
      const body =
        dialect === 'ec2'
          ? { requestId: request.requestId, ...result }
          : { [`${action}Result`]: result, ResponseMetadata: { RequestId: request.requestId } };
      return send(200, `${action}Response`, namespace, body);
    },
    refusal({ type, message, status }, { requestId }) {
      // The Query protocols' own name of it (common errors of the API references).
      const Code = type === 'AccessDeniedException' ? accessDenied(dialect) : type;
      if (dialect === 'ec2') {
        const body = { Errors: { Error: { Code, Message: message } }, RequestID: requestId };
        return {
          status,
          headers: XML,
          body: `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${toXml(body)}</Response>`,
        };
      }
      const body = { Error: { Type: 'Sender', Code, Message: message }, RequestId: requestId };
      return send(status, 'ErrorResponse', namespace, body);
    },
  });
}

const accessDenied = (dialect: 'ec2' | undefined) => (dialect === 'ec2' ? 'UnauthorizedOperation' : 'AccessDenied');

const XML = { 'Content-Type': 'text/xml' };

function send(status: number, root: string, namespace: string, body: XmlElements): ServiceReply {
  return { status, headers: XML, body: `<${root} xmlns="${namespace}">${toXml(body)}</${root}>` };
}
