import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Gate, OPEN } from './gate.ts';
import { backendLabel, frames, frontendLabel } from './postgres-protocol.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Between a function and PostgreSQL, without TLS so that it can see the messages: asks its gate before a connection is
 * made, before each of the function's messages is sent on and before each of the server's that ends something.
 */
export class PostgresProxy implements AsyncDisposable {
  gate: Gate = OPEN;
  readonly host = '127.0.0.1';
  /** Where new connections lead: a failover changes it. */
  target: Address;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer({ allowHalfOpen: true }, (client) => void this.#serve(client));
  #sessions = 0;

  static async start(target: Address): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(target);
    proxy.#server.listen(0, proxy.host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor({ host, port }: Address) {
    this.target = { host, port };
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Numbers sessions from 1 again, as at the beginning of a step. */
  restartNumbering(): void {
    this.#sessions = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(client: Socket): Promise<void> {
    const { gate } = this;
    const session = `session ${++this.#sessions}`;
    this.#keep(client);
    if ((await gate.reach(`${session}, connect`)) === 'cut') return void client.resetAndDestroy();
    const server = connect({ host: this.target.host, port: this.target.port, allowHalfOpen: true });
    this.#keep(server);
    const passes = async (label: string) => {
      if ((await gate.reach(`${session} ${label}`)) === 'pass') return true;
      client.resetAndDestroy();
      server.resetAndDestroy();
      return false;
    };
    await Promise.all([relayClient(client, server, passes), relayServer(server, client, passes)]);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

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
