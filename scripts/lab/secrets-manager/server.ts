/** The HTTP side of the lab's Secrets Manager. Listens on loopback only. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultTarget } from '../faults.ts';
import type { RequestLog, RequestSummary } from '../requests.ts';
import type { OtherServices } from '../services/router.ts';
import { ServiceError } from './errors.ts';
import type { Answer, Call, Operation } from './operation.ts';
import { operations } from './operations/table.ts';
import { Input } from './validate.ts';
import { operationName, readJson, sendJson, signedRegion, unknownOperation } from './wire.ts';

export interface Service extends Omit<Call, 'region' | 'now'> {
  readonly now: () => Date;
  readonly requests: RequestLog;
  /** Those of the account's services that share the endpoint. */
  readonly others: OtherServices;
}

export interface RunningServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

export async function startServer(service: Service, port: number): Promise<RunningServer> {
  const server = createServer((request, response) => void serve(service, request, response));
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

/** What became of a request. No reply: the connection was cut. */
interface Outcome {
  request: RequestSummary | undefined;
  reply: { status: number; body: object; errorType?: string } | undefined;
}

async function serve(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = randomUUID();
  if (await service.others.serve(request, response, requestId)) return;
  const { request: summary, reply } = await handle(service, request);
  const errorType = reply?.errorType;
  if (summary) service.requests.add({ ...summary, status: reply?.status, errorType, at: service.now() });
  if (!reply) {
    request.socket.destroy();
    return;
  }
  sendJson(response, requestId, reply.status, reply.body);
}

async function handle(service: Service, request: IncomingMessage): Promise<Outcome> {
  let summary: RequestSummary | undefined;
  try {
    const body = await readJson(request);
    const operation = operationName(request);
    const region = signedRegion(request);
    summary = summarise(operation, region, body, request);
    const run = operations[operation];
    if (!run || !Object.hasOwn(operations, operation)) throw unknownOperation();
    const answer = await perform(service, run, new Input(body), summary);
    return { request: summary, reply: answer && { status: 200, body: answer } };
  } catch (error) {
    return { request: summary, reply: replyTo(error) };
  }
}

/** @returns undefined where a fault cut the connection. */
async function perform(
  service: Service,
  run: Operation,
  input: Input,
  summary: RequestSummary,
): Promise<Answer | undefined> {
  const { faults, state } = service;
  const { region, secretId } = summary;
  const secret = secretId === undefined ? undefined : state.find(region, secretId);
  const names = [secretId, secret?.arn, secret?.content.name].filter((name) => name !== undefined);
  const target: FaultTarget = { request: summary, secretNames: names };
  const wait = faults.delayFor(target);
  if (wait > 0) await delay(wait);
  const interruption = faults.interruptionBefore(target);
  if (interruption?.kind === 'cut') return undefined;
  if (interruption) throw new ServiceError(interruption.type, interruption.message, interruption.status);
  const answer = run(input, { ...service, region, now: service.now() });
  return faults.isCutAfter(target) ? undefined : answer;
}

function summarise(operation: string, region: string, body: unknown, request: IncomingMessage): RequestSummary {
  const members: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {};
  const text = (name: string) => (typeof members[name] === 'string' ? members[name] : undefined);
  return {
    operation,
    region,
    secretId: text('SecretId') ?? (operation === 'CreateSecret' ? text('Name') : undefined),
    versionId: text('VersionId') ?? text('MoveToVersionId'),
    versionStage: text('VersionStage'),
    token: text('ClientRequestToken'),
    userAgent: request.headers['user-agent'],
  };
}

function replyTo(error: unknown): Outcome['reply'] {
  if (error instanceof ServiceError) {
    const { type, status, message } = error;
    return { status, errorType: type, body: { __type: type, ...(message && { Message: message }) } };
  }
  // Our own bug: shown, since whoever runs the lab is who would mend it. Messages of ours never hold a value.
  const reason = error instanceof Error ? error.stack : String(error);
  return { status: 500, errorType: 'InternalServiceError', body: { __type: 'InternalServiceError', Message: reason } };
}
