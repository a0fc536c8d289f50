/** What stands where AWS should be: it takes requests, and answers all of them with one sentence, or never. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ServerCertificate } from '../../scripts/lab/database/instance.ts';
import { eventually } from './secrets-lab-client.ts';

export interface DeafOptions {
  /** Whether it refuses what it is asked; otherwise it is silent. */
  readonly answers: boolean;
  /** For `localhost`; default: it speaks plain HTTP. */
  readonly tls?: ServerCertificate;
}

export class DeafService implements AsyncDisposable {
  readonly #server: Server;
  readonly #answers: boolean;
  readonly #scheme: string;
  /** Access keys that signed the requests, in their order. */
  readonly accessKeys: string[] = [];

  private constructor(answers: boolean, tls: ServerCertificate | undefined) {
    const take = (request: IncomingMessage, response: ServerResponse) => this.#take(request, response);
    this.#server =
      tls === undefined ? createServer(take) : createTlsServer({ cert: tls.certificate, key: tls.privateKey }, take);
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#answers = answers;
  }

  static async start({ answers, tls }: DeafOptions): Promise<DeafService> {
    const service = new DeafService(answers, tls);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('A server that listens has a port.');
    return `${this.#scheme}://${this.#scheme === 'https' ? 'localhost' : '127.0.0.1'}:${address.port}`;
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
