import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  request as send,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ApiCall {
  /** As X-Amz-Target names it, such as "GetSecretValue". */
  readonly operation: string;
  readonly body: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** 'cut': the connection breaks (RST) instead. */
export type Passage = 'pass' | 'cut';

/** Whoever stands at the relay: it sees each call before it is sent on, and its answer before that is. */
export interface ApiWatcher {
  request(call: ApiCall): Passage | Promise<Passage>;
  answer(call: ApiCall, answer: ApiAnswer): Passage | Promise<Passage>;
}

/** Stands between a function and a Secrets Manager, and hands everything on. */
export class ApiRelay implements AsyncDisposable {
  readonly #target: string;
  readonly #watcher: ApiWatcher;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  /** @param target an http:// URL. */
  static async start(target: string, watcher: ApiWatcher): Promise<ApiRelay> {
    const relay = new ApiRelay(target, watcher);
    // Longer than clients keep an idle connection, so that none is closed under a request.
    relay.#server.keepAliveTimeout = 120_000;
    relay.#server.on('connection', (socket) => socket.on('error', () => undefined));
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  private constructor(target: string, watcher: ApiWatcher) {
    this.#target = target;
    this.#watcher = watcher;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    this.#agent.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const call = {
        operation: String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? '',
        body: await text(request),
      };
      if ((await this.#watcher.request(call)) === 'cut') return void request.socket.resetAndDestroy();
      const { headers, ...answer } = await this.#ask(request, call.body);
      if ((await this.#watcher.answer(call, answer)) === 'cut') return void request.socket.resetAndDestroy();
      response.writeHead(answer.status, headers);
      response.end(answer.body);
    } catch {
      // Either end is gone: the function was killed, or the service was closed.
      request.socket.destroy();
    }
  }

  async #ask({ method = 'POST', url = '/', headers }: IncomingMessage, body: string) {
    const onward = send(new URL(url, this.#target), { method, headers, agent: this.#agent });
    onward.end(body);
    const [answer]: IncomingMessage[] = await once(onward, 'response');
    if (answer === undefined) throw new Error('An answer was needed, and there was none.');
    return { status: answer.statusCode ?? 502, headers: answer.headers, body: await text(answer) };
  }
}
