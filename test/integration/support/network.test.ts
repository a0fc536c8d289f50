import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { closedPort, SilentServer, TcpProxy } from '../../support/network.ts';

test('a closed port refuses connections', async () => {
  const socket = connect(await closedPort(), '127.0.0.1');
  const code = await new Promise((resolve) =>
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  expect(code).toBe('ECONNREFUSED');
});

test('a silent server takes what it is sent and answers nothing', async () => {
  await using server = await SilentServer.start();
  const socket = connect(server.port, server.host);
  socket.write('hello');
  await waitFor('the server to receive', () => server.received.toString() === 'hello' || undefined);
  expect(socket.bytesRead).toBe(0);
  expect(server.connections).toBe(1);
  socket.destroy();
});

test('a proxy passes, delays, stalls and cuts', async () => {
  await using echo = await EchoServer.start();
  await using proxy = await TcpProxy.start({ host: '127.0.0.1', port: echo.port });
  const socket = connect(proxy.port, proxy.host);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  const ends = new Promise<string | undefined>((resolve) =>
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  const receive = (text: string) => waitFor(`"${text}"`, () => received === text || undefined);

  socket.write('a');
  await receive('a');

  proxy.mode = { delayMs: 100 };
  const sent = performance.now();
  socket.write('b');
  await receive('ab');
  expect(performance.now() - sent).toBeGreaterThanOrEqual(199); // there and back again

  proxy.mode = 'stall';
  const echoed = echo.bytes;
  socket.write('c');
  socket.write('d');
  await waitFor('the bytes to leave', () => socket.bytesWritten === 4 || undefined);
  expect(echo.bytes).toBe(echoed);

  proxy.mode = 'pass';
  await receive('abcd');

  proxy.mode = 'cut';
  expect(await ends).toBe('ECONNRESET');
});

class EchoServer implements AsyncDisposable {
  bytes = 0;
  readonly #server = createServer((socket) => {
    socket.on('data', (chunk) => {
      this.bytes += chunk.length;
      socket.write(chunk);
    });
    socket.on('error', () => undefined);
  });

  static async start(): Promise<EchoServer> {
    const echo = new EchoServer();
    echo.#server.listen(0, '127.0.0.1');
    await once(echo.#server, 'listening');
    return echo;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}
