import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

/** Listens, and never takes a connection up: the thread that would is asleep. */
const LISTENER = `
  const { workerData, parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ ...workerData, backlog: 1 }, () => {
    parentPort.postMessage('listening');
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

/** An address at which nobody answers a SYN, as of a host that is gone: the queue of its port is full. */
export class DeafHost implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #queue: Socket[] = [];

  static async at(host: string, port: number): Promise<DeafHost> {
    const worker = new Worker(LISTENER, { eval: true, workerData: { host, port } });
    await once(worker, 'message');
    const deaf = new DeafHost(worker);
    await deaf.#fill(host, port);
    return deaf;
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Takes every place in the queue: the first connection that is not there in time found none. */
  async #fill(host: string, port: number): Promise<void> {
    for (;;) {
      const socket = connect({ host, port });
      socket.on('error', () => undefined);
      this.#queue.push(socket);
      const late = AbortSignal.timeout(500);
      const isIn = await once(socket, 'connect', { signal: late }).then(
        () => true,
        () => false,
      );
      if (!isIn) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#queue) socket.destroy();
    await this.#worker.terminate();
  }
}
