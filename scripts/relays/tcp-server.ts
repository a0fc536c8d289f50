import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A TCP server on loopback that keeps its connections until it is disposed of. */
export abstract class TcpServer implements AsyncDisposable {
  readonly host = '127.0.0.1';
  /** How many connections were made so far. */
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  /** @param allowHalfOpen whether a connection lives on, one way, when the client has nothing more to send. */
  protected constructor({ allowHalfOpen = false } = {}) {
    this.#server = createServer({ allowHalfOpen }, (socket) => {
      this.connections++;
      this.keep(socket);
      this.serve(socket);
    });
  }

  protected abstract serve(client: Socket): void;

  /** Has a socket end with the server. */
  protected keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  protected async listen(): Promise<this> {
    this.#server.listen(0, this.host);
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections (RST); new ones are still taken. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.dropConnections();
    await closed;
  }
}
