import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { AUTHENTICATION, authenticationRequest, fatal } from './backend-messages.ts';
import { frames } from './crash/postgres-protocol.ts';

/**
 * An attacker's server: asks every client for its password in clear, notes it and says that it was wrong, so that the
 * client may try another.
 */
export class GreedyServer implements AsyncDisposable {
  readonly host = '127.0.0.1';
  /** What clients sent as passwords. */
  readonly passwords: string[] = [];
  /** What the error's message says after the password was sent. */
  readonly #refusal: (password: string) => { readonly state: string; readonly message: string };
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => void this.#serve(socket));

  static async start(
    refusal = (_password: string) => ({ state: '28P01', message: 'password authentication failed' }),
  ): Promise<GreedyServer> {
    const server = new GreedyServer(refusal);
    server.#server.listen(0, server.host);
    await once(server.#server, 'listening');
    return server;
  }

  private constructor(refusal: (password: string) => { readonly state: string; readonly message: string }) {
    this.#refusal = refusal;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    try {
      for await (const { type, bytes } of frames(socket, true)) {
        if (type === '') socket.write(authenticationRequest(AUTHENTICATION.clearText));
        if (type !== 'p') continue;
        const password = bytes.toString('utf8', 5, bytes.length - 1);
        this.passwords.push(password);
        socket.end(fatal({ ...this.#refusal(password), routine: 'auth_failed' }));
      }
    } catch {
      // The client hung up.
    }
  }
}
