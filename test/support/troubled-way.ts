import { connect, type Socket } from 'node:net';
import { fatal, type Refusal } from '../../scripts/relays/backend-messages.ts';
import { frames } from '../../scripts/relays/postgres-messages.ts';
import { type Address, TcpServer } from '../../scripts/relays/tcp-server.ts';

/**
 * What meets one connection:
 * - pass: nothing
 * - reset, end: the TCP connection is broken off (RST), or ended (FIN), as load balancers do
 * - a refusal: what a server says to a start-up message
 * - answersAfterMs: it is taken at once, and nobody answers for so long, as of a database that has to be woken up
 */
export type Trouble = 'pass' | 'reset' | 'end' | Refusal | { readonly answersAfterMs: number };

/** A way to a real server on which the next connections meet trouble, one each; then it is as if it were not there. */
export class TroubledWay extends TcpServer {
  readonly #target: Address;
  readonly #troubles: Trouble[] = [];
  /** Runs when a connection meets one. */
  onTrouble: () => void = () => {};

  static async start({ host, port }: Address): Promise<TroubledWay> {
    return await new TroubledWay({ host, port }).listen();
  }

  private constructor(target: Address) {
    super();
    this.#target = target;
  }

  meets(trouble: Trouble, times = 1): void {
    this.#troubles.push(...new Array<Trouble>(times).fill(trouble));
  }

  protected serve(client: Socket): void {
    const trouble = this.#troubles.shift();
    if (trouble === undefined || trouble === 'pass') {
      this.#pass(client);
      return;
    }
    this.onTrouble();
    if (trouble === 'reset') client.resetAndDestroy();
    else if (trouble === 'end') client.end();
    else if ('answersAfterMs' in trouble) setTimeout(() => this.#pass(client), trouble.answersAfterMs);
    else void refuse(client, trouble);
  }

  #pass(client: Socket): void {
    const upstream = connect(this.#target);
    this.keep(upstream);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  }
}

async function refuse(client: Socket, refusal: Refusal): Promise<void> {
  try {
    for await (const { type } of frames(client, true)) if (type === '') client.end(fatal(refusal));
  } catch {
    // The client hung up.
  }
}
