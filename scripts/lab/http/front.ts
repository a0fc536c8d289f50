/** The lab's one endpoint. Which service is meant is what the caller signed for. Listens on loopback only. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ACCOUNT_ID, REGIONS } from '../account.ts';
import { type EndpointService, ServiceError, type ServiceReply, serviceError } from './service.ts';
import { signedScope } from './signature.ts';

export interface EndpointServices {
  /** By the service's name in the signature's scope. */
  readonly known: Readonly<Record<string, EndpointService>>;
  /** Refuses what is signed for none of them. */
  readonly unsigned: EndpointService;
}

export interface Front {
  readonly endpoint: string;
  close(): Promise<void>;
}

const SERVES_OTHER_ACCOUNTS: ReadonlySet<string> = new Set(['secretsmanager', 'sts']);
const LOOPBACK = '127.0.0.1';
// A secret's value of 64 KB as JSON escapes (six bytes for one), and everything around it.
const MAX_BODY_BYTES = 1_048_576;

/** @param port 0: any free one. */
export async function startFront(services: EndpointServices, port: number): Promise<Front> {
  const server = createServer((request, response) => {
    // Whatever goes wrong on the way out is this connection's affair, and never the lab's.
    serve(services, request, response).catch(() => request.socket.destroy());
  });
  // Longer than clients keep an idle connection, so that none is closed under a request.
  server.keepAliveTimeout = 120_000;
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP port.');
  return {
    endpoint: `http://${LOOPBACK}:${address.port}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(services: EndpointServices, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = await answer(services, incoming);
  if (reply === undefined) {
    incoming.socket.destroy();
    return;
  }
  response.writeHead(reply.status, { ...reply.headers, 'Content-Length': Buffer.byteLength(reply.body) });
  response.end(reply.body);
}

/** Never throws: whatever a client sends, the lab goes on. */
async function answer(
  { known, unsigned }: EndpointServices,
  incoming: IncomingMessage,
): Promise<ServiceReply | undefined> {
  const { method = '', url = '', headers } = incoming;
  const scope = signedScope(headers.authorization);
  const service = signedService(known, scope?.service) ?? unsigned;
  const requestId = randomUUID();
  try {
    const body = await readText(incoming);
    if (headers.origin !== undefined) throw fromPage();
    if (scope !== undefined && !REGIONS.has(scope.region)) {
      const message = `Credential should be scoped to a valid region, not '${scope.region}'.`;
      throw new ServiceError('InvalidSignatureException', message);
    }
    const { region = '', account = ACCOUNT_ID } = scope ?? {};
    if (account !== ACCOUNT_ID && !SERVES_OTHER_ACCOUNTS.has(scope?.service ?? '')) {
      throw new ServiceError(
        'AccessDeniedException',
        `The lab does not serve ${scope?.service} to other accounts.`,
        403,
      );
    }
    return await service.reply({ method, url, headers, body, region, account, requestId });
  } catch (error) {
    return service.refusal(serviceError(error), { requestId });
  }
}

/**
 * Browsers name the page whose script sends a POST, and clients of AWS name none. Any page that somebody looks at could have
 * its own name lead to the lab, which checks no signature, and read the superuser's secret of a server that `--postgres` names.
 */
function fromPage(): ServiceError {
  return new ServiceError('AccessDeniedException', 'The lab answers no page in a browser.', 403);
}

/** Its own members only: `constructor` is no service. */
function signedService(known: EndpointServices['known'], name: string | undefined): EndpointService | undefined {
  return name !== undefined && Object.hasOwn(known, name) ? known[name] : undefined;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // What is left of a request that is too large is passed over by Node, so that its refusal is read.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new ServiceError('RequestEntityTooLargeException', 'Request is too large.', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
