import type { Socket } from 'node:net';
import { AUTHENTICATION, authenticationRequest, fatal } from '../../scripts/relays/backend-messages.ts';
import { frames } from '../../scripts/relays/postgres-messages.ts';
import { TcpServer } from '../../scripts/relays/tcp-server.ts';

/**
 * An attacker's server: asks every client for its password in clear, notes it and says that it was wrong, so that the
 * client may try another.
 */
export class GreedyServer extends TcpServer {
  /** What clients sent as passwords. */
  readonly passwords: string[] = [];
  /** What the error's message says after the password was sent. */
  readonly #refusal: (password: string) => { readonly state: string; readonly message: string };

  static async start(
    refusal = (_password: string) => ({ state: '28P01', message: 'password authentication failed' }),
  ): Promise<GreedyServer> {
    return await new GreedyServer(refusal).listen();
  }

  private constructor(refusal: (password: string) => { readonly state: string; readonly message: string }) {
    super();
    this.#refusal = refusal;
  }

  protected serve(socket: Socket): void {
    void this.#serve(socket);
  }

  async #serve(socket: Socket): Promise<void> {
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
