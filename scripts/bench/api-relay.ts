/** Stands between a rotation function and Secrets Manager, and counts. */
import { once } from 'node:events';
import { Agent, createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ApiCounts {
  readonly calls: Readonly<Record<string, number>>;
  /** Answers with an error. */
  readonly failed: number;
  /** Bodies of requests and answers. */
  readonly bytes: number;
}

export class ApiRelay implements AsyncDisposable {
  readonly #server;
  readonly #agent = new Agent({ keepAlive: true });
  #calls: Record<string, number> = {};
  #failed = 0;
  #bytes = 0;

  /** @param endpoint an http:// URL. */
  static async open(endpoint: string): Promise<ApiRelay> {
    const relay = new ApiRelay(endpoint);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  private constructor(endpoint: string) {
    this.#server = createServer((request, response) => {
      const { method = 'POST', url = '/', headers } = request;
      const operation = String(headers['x-amz-target'] ?? '').replace(/^secretsmanager\./, '');
      this.#calls[operation] = (this.#calls[operation] ?? 0) + 1;
      const onward = send(new URL(url, endpoint), { method, headers, agent: this.#agent }, (answer) => {
        const { statusCode = 502 } = answer;
        if (statusCode >= 400) this.#failed++;
        response.writeHead(statusCode, answer.headers);
        answer.on('data', (chunk: Buffer) => {
          this.#bytes += chunk.length;
        });
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      request.on('data', (chunk: Buffer) => {
        this.#bytes += chunk.length;
      });
      request.pipe(onward);
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What was counted since the last time. */
  take(): ApiCounts {
    const counts = { calls: this.#calls, failed: this.#failed, bytes: this.#bytes };
    this.#calls = {};
    this.#failed = 0;
    this.#bytes = 0;
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
