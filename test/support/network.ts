import { connect, type Socket } from 'node:net';
import { freePort } from '../../scripts/lab/database/free-port.ts';
import { type Address, TcpServer } from '../../scripts/relays/tcp-server.ts';

/** A port of 127.0.0.1 that refuses connections. */
export async function closedPort(): Promise<number> {
  return await freePort('127.0.0.1');
}

/** Takes connections and whatever clients send, and never answers: a host behind a firewall that lost its way. */
export class SilentServer extends TcpServer {
  /** Everything that clients sent: nothing that is secret should be in it. */
  received: Buffer = Buffer.alloc(0);

  static async start(): Promise<SilentServer> {
    return await new SilentServer().listen();
  }

  private constructor() {
    super();
  }

  protected serve(client: Socket): void {
    client.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
  }
}

/**
 * - pass: as if the proxy were not there
 * - stall: keeps what either side sends until the mode changes
 * - cut: breaks every connection, new ones included
 * - delayMs: hands on what either side sends so many milliseconds later
 */
export type ProxyMode = 'pass' | 'stall' | 'cut' | { readonly delayMs: number };

/** A TCP proxy to a real server whose network can be made bad at any moment. */
export class TcpProxy extends TcpServer {
  readonly #target: Address;
  #mode: ProxyMode = 'pass';
  #resume = Promise.withResolvers<void>();

  static async start(target: Address, mode: ProxyMode = 'pass'): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.mode = mode;
    return await proxy.listen();
  }

  private constructor({ host, port }: Address) {
    super();
    this.#target = { host, port };
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  set mode(mode: ProxyMode) {
    this.#mode = mode;
    if (mode === 'cut') this.dropConnections();
    this.#resume.resolve();
    this.#resume = Promise.withResolvers();
  }

  protected serve(client: Socket): void {
    if (this.#mode === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(this.#target);
    this.keep(upstream);
    this.#hand(client, upstream);
    this.#hand(upstream, client);
  }

  #hand(from: Socket, to: Socket): void {
    let order = Promise.resolve();
    const enqueue = (step: () => void) => {
      const due = this.#due();
      order = order
        .then(() => due)
        .then(() => this.#whileStalled())
        .then(step);
    };
    from.on('data', (chunk: Buffer) => enqueue(() => void to.write(chunk)));
    from.on('end', () => enqueue(() => void to.end()));
    from.on('close', (hadError) => hadError && to.destroy());
  }

  #due(): Promise<void> {
    const mode = this.#mode;
    return typeof mode === 'object' ? new Promise((resolve) => setTimeout(resolve, mode.delayMs)) : Promise.resolve();
  }

  async #whileStalled(): Promise<void> {
    while (this.#mode === 'stall') await this.#resume.promise;
  }
}

/** A way to a real server on which nothing goes on, in either direction, once a client has sent something: no end, no reset. */
export class SilencedWay extends TcpServer {
  /** What a client sends, within one write that still gets through. */
  silentAfter: string | undefined;
  readonly #target: Address;

  static async start(target: Address): Promise<SilencedWay> {
    return await new SilencedWay(target).listen();
  }

  private constructor({ host, port }: Address) {
    super({ allowHalfOpen: true });
    this.#target = { host, port };
  }

  protected serve(client: Socket): void {
    const server = connect({ host: this.#target.host, port: this.#target.port, allowHalfOpen: true });
    this.keep(server);
    let silent = false;
    const hand = (from: Socket, to: Socket) => {
      from.on('data', (chunk: Buffer) => {
        if (!silent) to.write(chunk);
        if (from === client && this.silentAfter !== undefined && chunk.includes(this.silentAfter)) silent = true;
      });
      from.on('end', () => silent || to.end());
    };
    hand(client, server);
    hand(server, client);
  }
}
