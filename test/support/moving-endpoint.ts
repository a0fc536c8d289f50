import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** One address for servers that take turns, as the endpoint of a cluster has: each new connection goes where it points. */
export class MovingEndpoint implements AsyncDisposable {
  readonly host = '127.0.0.1';
  target: Address;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  static async at(target: Address): Promise<MovingEndpoint> {
    const endpoint = new MovingEndpoint(target);
    endpoint.#server.listen(0, endpoint.host);
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  private constructor(target: Address) {
    this.target = target;
    this.#server = createServer((client) => {
      const upstream = connect(this.target.port, this.target.host);
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => this.#sockets.delete(socket));
        socket.pipe(other);
      }
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}
