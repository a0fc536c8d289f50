/** What stands where AWS should be: it takes requests, and answers all of them with one sentence, or never. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { eventually } from './secrets-lab-client.ts';

export class DeafService implements AsyncDisposable {
  readonly #server = createServer((request, response) => this.#take(request, response));
  readonly #answers: boolean;
  /** Access keys that signed the requests, in their order. */
  readonly accessKeys: string[] = [];

  private constructor(answers: boolean) {
    this.#answers = answers;
  }

  /** @param answers whether it refuses what it is asked; otherwise it is silent. */
  static async start({ answers }: { readonly answers: boolean }): Promise<DeafService> {
    const service = new DeafService(answers);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('A server that listens has a port.');
    return `http://127.0.0.1:${address.port}`;
  }

  async asked(): Promise<void> {
    await eventually(() => (this.accessKeys.length > 0 ? true : undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #take({ headers }: IncomingMessage, response: ServerResponse): void {
    this.accessKeys.push(/Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? 'none');
    if (!this.#answers) return;
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify({ __type: 'ResourceNotFoundException', message: 'Nothing is here.' }));
  }
}
