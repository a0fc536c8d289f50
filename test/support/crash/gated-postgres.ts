import { connect, type Socket } from 'node:net';
import { frames } from '../../../scripts/relays/postgres-messages.ts';
import { type Address, TcpServer } from '../../../scripts/relays/tcp-server.ts';
import { type Gate, OPEN } from './gate.ts';
import { backendLabel, frontendLabel } from './postgres-labels.ts';

/**
 * Between a function and PostgreSQL, without TLS so that it can see the messages: asks its gate before a connection is
 * made, before each of the function's messages is sent on and before each of the server's that ends something; but not of
 * a session's end, which nobody waits for.
 */
export class GatedPostgres extends TcpServer {
  gate: Gate = OPEN;
  /** Where new connections lead: a failover changes it. */
  target: Address;
  #sessions = 0;
  readonly #served = new Set<Promise<void>>();

  static async start(target: Address): Promise<GatedPostgres> {
    return await new GatedPostgres(target).listen();
  }

  private constructor({ host, port }: Address) {
    super({ allowHalfOpen: true });
    this.target = { host, port };
  }

  /** Numbers sessions from 1 again, as at the beginning of a step. */
  restartNumbering(): void {
    this.#sessions = 0;
  }

  /** Waits until no session is left: a step does not wait for the end of its last one. */
  async untilQuiet(): Promise<void> {
    await Promise.all(this.#served);
  }

  protected serve(client: Socket): void {
    const serving = this.#serve(client);
    this.#served.add(serving);
    void serving.finally(() => this.#served.delete(serving));
  }

  async #serve(client: Socket): Promise<void> {
    const { gate } = this;
    const session = `session ${++this.#sessions}`;
    client.setNoDelay(true);
    if ((await gate.reach(`${session}, connect`)) === 'cut') return void client.resetAndDestroy();
    const server = connect({ host: this.target.host, port: this.target.port, allowHalfOpen: true, noDelay: true });
    this.keep(server);
    let isEnding = false;
    const passes = async (label: string) => {
      isEnding ||= label === TERMINATE;
      if (isEnding) return true;
      if ((await gate.reach(`${session} ${label}`)) === 'pass') return true;
      client.resetAndDestroy();
      server.resetAndDestroy();
      return false;
    };
    await Promise.all([relayClient(client, server, passes), relayServer(server, client, passes)]);
  }
}

const TERMINATE = `> ${frontendLabel('X', Buffer.alloc(0))}`;

type Passes = (label: string) => Promise<boolean>;

async function relayClient(client: Socket, server: Socket, passes: Passes): Promise<void> {
  try {
    for await (const { type, bytes } of frames(client, true)) {
      if (!(await passes(`> ${frontendLabel(type, bytes)}`))) return;
      server.write(bytes);
    }
    server.end();
  } catch {
    // The function is gone: the server must see that as it would without us.
    server.destroy();
  }
}

async function relayServer(server: Socket, client: Socket, passes: Passes): Promise<void> {
  try {
    for await (const { type, bytes } of frames(server, false)) {
      const label = backendLabel(type, bytes);
      if (label !== undefined && !(await passes(`< ${label}`))) return;
      client.write(bytes);
    }
    if (await passes('< close')) client.end();
  } catch {
    client.destroy();
  }
}
