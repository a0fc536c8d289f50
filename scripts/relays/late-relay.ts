import { connect, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { TcpServer } from './tcp-server.ts';

/** Stands on the way to an HTTP endpoint, and lets what it is asked arrive later. Answers pass at once. */
export class LateRelay extends TcpServer {
  readonly #to: URL;
  readonly #ms: number;

  private constructor(to: URL, ms: number) {
    super();
    this.#to = to;
    this.#ms = ms;
  }

  /** @param to http://host:port @param ms that each call is later. */
  static async start(to: string, ms: number): Promise<LateRelay> {
    return new LateRelay(new URL(to), ms).listen();
  }

  get endpoint(): string {
    return `http://${this.host}:${this.port}`;
  }

  protected serve(client: Socket): void {
    const upstream = connect({ host: this.#to.hostname, port: Number(this.#to.port || 80), noDelay: true });
    client.setNoDelay(true);
    this.keep(upstream);
    pipeline(client, late(this.#ms), upstream, ignore);
    pipeline(upstream, client, ignore);
  }
}

/** Whoever asked sees the broken connection itself. */
const ignore = () => undefined;

/** Each piece is passed on so much later than it came; those that come meanwhile don't wait for one another. */
function late(ms: number): Transform {
  let last: Promise<unknown> = Promise.resolve();
  return new Transform({
    highWaterMark: 2 ** 20,
    transform(piece, _, done) {
      const due = pause(ms);
      last = last.then(() => due).then(() => this.push(piece));
      done();
    },
    flush(done) {
      last.then(() => done());
    },
  });
}
