import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedCall {
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An endpoint of Secrets Manager that hands everything on to another one, and remembers what was asked. */
export class EndpointRecorder implements AsyncDisposable {
  readonly calls: RecordedCall[] = [];
  readonly #target: string;
  readonly #server: Server = createServer((request, response) => void this.#forward(request, response));

  static async start(target: { readonly endpoint: string }): Promise<EndpointRecorder> {
    const recorder = new EndpointRecorder(target.endpoint);
    recorder.#server.listen(0, '127.0.0.1');
    await once(recorder.#server, 'listening');
    return recorder;
  }

  private constructor(target: string) {
    this.#target = target;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readText(request);
    const operation = String(request.headers['x-amz-target']).replace('secretsmanager.', '');
    this.calls.push({ operation, body: JSON.parse(body) });
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(this.#target, { method: 'POST', body, headers: headers as Record<string, string> });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(await answer.text());
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
