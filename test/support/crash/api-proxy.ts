import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Gate, OPEN } from './gate.ts';

/** Between a function and the lab's Secrets Manager: asks its gate before a request is sent on and before its answer is. */
export class ApiProxy implements AsyncDisposable {
  gate: Gate = OPEN;
  readonly #target: string;
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  static async start(target: string): Promise<ApiProxy> {
    const proxy = new ApiProxy(target);
    proxy.#server.keepAliveTimeout = 120_000;
    proxy.#server.on('connection', (socket) => socket.on('error', () => undefined));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: string) {
    this.#target = target;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      const what = labelOf(request, body);
      const { gate } = this;
      if ((await gate.reach(`${what}, request`)) === 'cut') return void request.socket.resetAndDestroy();
      const answer = await fetch(this.#target, { method: 'POST', headers: headersOf(request), body });
      const text = await answer.text();
      if ((await gate.reach(`${what}, answer`)) === 'cut') return void request.socket.resetAndDestroy();
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(text);
    } catch {
      // Either end is gone: the function was killed, or the lab was closed.
      request.socket.destroy();
    }
  }
}

function labelOf(request: IncomingMessage, body: string): string {
  const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
  const { VersionStage, VersionId, SecretId }: Record<string, unknown> = JSON.parse(body);
  const version = VersionStage ?? (VersionId === undefined ? '' : 'by id');
  const owner = String(SecretId).includes('superuser') ? "superuser's" : '';
  return [operation, owner, version].filter((word) => word !== '').join(' ');
}

/** The request's own, but for those that are about the connection. */
function headersOf(request: IncomingMessage): [string, string][] {
  const ofConnection = ['host', 'connection', 'content-length', 'expect', 'transfer-encoding', 'keep-alive'];
  return Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
    ofConnection.includes(name) || value === undefined ? [] : [[name, String(value)]],
  );
}
