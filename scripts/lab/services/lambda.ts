/** Lambda's REST API, as far as GetFunction, GetFunctionConfiguration and GetPolicy. */

import { ACCOUNT_ID } from '../account.ts';
import type { DescribedFunction } from '../functions/function-registry.ts';
import { ServiceError, type ServiceReply } from '../http/service.ts';
import { type Account, type AccountService, authorize } from './account.ts';

const PATH = /^\/2015-03-31\/functions\/([^/]+)(\/configuration|\/policy)?$/;

type Answer = (found: DescribedFunction) => object;

const ANSWERS: Readonly<Record<string, { readonly action: string; readonly answer: Answer }>> = {
  '': { action: 'lambda:GetFunction', answer: showFunction },
  '/configuration': { action: 'lambda:GetFunctionConfiguration', answer: showConfiguration },
  '/policy': { action: 'lambda:GetPolicy', answer: showPolicy },
};

export const lambda: AccountService = (account) => ({
  reply({ method, url, region, requestId }) {
    const [path = '', query] = url.split('?');
    const [, id, what = ''] = PATH.exec(path) ?? [];
    const known = ANSWERS[what];
    const { Qualifier, ...others } = Object.fromEntries(new URLSearchParams(query));
    if (method !== 'GET' || id === undefined || known === undefined || Object.keys(others).length > 0) {
      throw new ServiceError('UnknownOperationException', `The lab does not serve ${method} ${path} of Lambda.`, 404);
    }
    const found = find(account, region, decoded(id), Qualifier);
    authorize(account, known.action, found.arn);
    return send(200, requestId, known.answer(found));
  },

  refusal({ type, message, status }, { requestId }) {
    const reply = send(status, requestId, { Type: 'User', Message: message });
    return { ...reply, headers: { ...reply.headers, 'x-amzn-ErrorType': type } };
  },
});

/** @throws ServiceError where a `%` begins no escape. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ServiceError('InvalidParameterValueException', 'The path of the request has a malformed escape.');
  }
}

/** A name, a partial ARN or an ARN, and what follows it (API reference, GetFunction). */
const FUNCTION_ID =
  /^(?:arn:aws:lambda:(?<region>[a-z0-9-]+):)?(?:(?<account>\d{12}):)?(?:function:)?(?<name>[\w-]+)(?::(?<qualifier>[\w$-]+))?$/;

/** In the region of the call. The lab's functions have no versions or aliases: `$LATEST` is all there is. */
function find({ functions }: Account, region: string, id: string, qualifier?: string): DescribedFunction {
  const groups = FUNCTION_ID.exec(id)?.groups;
  if (groups === undefined) {
    throw new ServiceError(
      'ValidationException',
      `1 validation error detected: Value '${id}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: ${FUNCTION_ID.source}`,
    );
  }
  const wanted = qualifier ?? groups.qualifier ?? '$LATEST';
  const arn = `arn:aws:lambda:${groups.region ?? region}:${groups.account ?? ACCOUNT_ID}:function:${groups.name}`;
  const found = (groups.region ?? region) === region && wanted === '$LATEST' ? functions.describe(arn) : undefined;
  if (found !== undefined) return found;
  const shown = wanted === '$LATEST' ? arn : `${arn}:${wanted}`;
  throw new ServiceError('ResourceNotFoundException', `Function not found: ${shown}`, 404);
}

function showFunction(found: DescribedFunction): object {
  const { reservedConcurrency } = found.settings;
  return {
    Configuration: showConfiguration(found),
    Code: { RepositoryType: 'S3' },
    Concurrency: reservedConcurrency === undefined ? undefined : { ReservedConcurrentExecutions: reservedConcurrency },
  };
}

function showConfiguration({ arn, name, timeoutMs, environment, logGroup, settings }: DescribedFunction): object {
  const { description = '', packageType = 'Zip', runtime = 'nodejs24.x', state = 'Active', vpc } = settings;
  const isZip = packageType === 'Zip';
  return {
    FunctionName: name,
    FunctionArn: arn,
    Description: description,
    Runtime: isZip ? runtime : undefined,
    State: state,
    Role: settings.role,
    Handler: isZip ? 'index.handler' : undefined,
    Timeout: Math.ceil(timeoutMs / 1000),
    MemorySize: 256,
    LastModified: '2026-01-01T00:00:00.000+0000',
    Version: '$LATEST',
    PackageType: packageType,
    Architectures: ['arm64'],
    LastUpdateStatus: 'Successful',
    Environment: { Variables: environment },
    LoggingConfig: { LogFormat: 'Text', LogGroup: logGroup },
    VpcConfig: vpc && { VpcId: vpc.vpcId, SubnetIds: vpc.subnetIds, SecurityGroupIds: vpc.securityGroupIds },
  };
}

function showPolicy({ arn, settings: { permission = 'account' } }: DescribedFunction): object {
  if (permission === 'none') {
    throw new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.', 404);
  }
  const statement = {
    Sid: 'secrets-manager',
    Effect: 'Allow',
    Principal: { Service: 'secretsmanager.amazonaws.com' },
    Action: 'lambda:InvokeFunction',
    Resource: arn,
    Condition: permission === 'account' ? { StringEquals: { 'AWS:SourceAccount': ACCOUNT_ID } } : undefined,
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: [statement] });
  return { Policy, RevisionId: '6a0b4a3c-8d7c-4b3f-9a57-5d1c2a1a0f11' };
}

function send(status: number, requestId: string, body: object): ServiceReply {
  return {
    status,
    headers: { 'Content-Type': 'application/json', 'x-amzn-RequestId': requestId },
    body: JSON.stringify(body),
  };
}
