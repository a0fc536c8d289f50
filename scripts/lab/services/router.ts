/** The account's other services on Secrets Manager's endpoint: which one is meant is what the caller signed for. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../secrets-manager/errors.ts';
import { readText, signedScope } from '../secrets-manager/wire.ts';
import { cloudformation } from './cloudformation.ts';
import { ec2 } from './ec2.ts';
import { iam } from './iam.ts';
import { kms } from './kms.ts';
import { lambda } from './lambda.ts';
import { logs } from './logs.ts';
import { rds } from './rds.ts';
import type { Account, Service, ServiceReply, ServiceRequest } from './service.ts';
import { sts } from './sts.ts';

/** By the service's name in the signature's scope. */
const SERVICES: Readonly<Record<string, Service>> = { cloudformation, ec2, iam, kms, lambda, logs, rds, sts };

export interface OtherServices {
  /** @returns false where the request is not for one of them. */
  serve(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<boolean>;
}

export function otherServices(account: Account): OtherServices {
  return {
    async serve(incoming, response, requestId) {
      const scope = signedScope(incoming);
      const service = scope && Object.hasOwn(SERVICES, scope.service) ? SERVICES[scope.service] : undefined;
      if (scope === undefined || service === undefined) return false;
      const request: ServiceRequest = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        headers: incoming.headers,
        body: await readText(incoming),
        region: scope.region,
        requestId,
      };
      send(response, answer(service, request, account));
      return true;
    },
  };
}

function answer(service: Service, request: ServiceRequest, account: Account): ServiceReply {
  try {
    return service.reply(request, account);
  } catch (error) {
    if (error instanceof ServiceError) return service.refusal(error, request);
    // Our own bug: shown, since whoever runs the lab is who would mend it.
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return service.refusal(new ServiceError('ServiceException', reason, 500), request);
  }
}

function send(response: ServerResponse, { status, headers, body }: ServiceReply): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
