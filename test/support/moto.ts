/** moto, an independent emulator of AWS, in a container: for what our own lab does not play, and as a second opinion. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { GenericContainer, Wait } from 'testcontainers';
import type { TestContext } from 'vitest';
import { containerEngineAnswers } from '../../scripts/lab/database/container.ts';

const PORT = 5000;

export interface Moto extends AsyncDisposable {
  readonly endpoint: string;
}

/**
 * Starts it, or skips the test where no container engine answers.
 * @throws Error where none answers and REQUIRE_CONTAINERS=1 insists.
 */
export async function startMoto(context: TestContext): Promise<Moto> {
  if (!(await containerEngineAnswers())) {
    if (process.env.REQUIRE_CONTAINERS === '1') throw new Error('A container engine is required, and none answered.');
    context.skip('no container engine answered, and moto runs in a container');
  }
  const container = await new GenericContainer('motoserver/moto:latest')
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forLogMessage(/Running on/))
    .start();
  return {
    endpoint: `http://${container.getHost()}:${container.getMappedPort(PORT)}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

/** A front that remembers the LoggingConfig of functions, which moto 5.2 takes and forgets. */
export async function withLoggingConfig(moto: Moto): Promise<Moto> {
  const remembered = new Map<string, unknown>();
  const server = createServer((request, response) => {
    relay(moto.endpoint, remembered, request, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

async function relay(
  target: string,
  remembered: Map<string, unknown>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url = '/' } = request;
  const body = await text(request);
  const headers = Object.entries(request.headers)
    .filter(([name]) => !/^(host|connection|content-length|transfer-encoding|expect)$/.test(name))
    .map(([name, value]): [string, string] => [name, String(value)]);
  const answer = await fetch(`${target}${url}`, { method, headers, ...(body === '' ? {} : { body }) });
  const said = await answer.text();
  const [, named] = /^\/2015-03-31\/functions(?:\/([^/?]+))?/.exec(url) ?? [];
  const sent = url.startsWith('/2015-03-31/functions') && body.startsWith('{') ? JSON.parse(body) : {};
  if (sent.LoggingConfig !== undefined) remembered.set(named ?? sent.FunctionName, sent.LoggingConfig);
  response.writeHead(
    answer.status,
    Object.fromEntries(
      [...answer.headers].filter(([name]) => !/^(content-|transfer-|connection)/.test(name) || name === 'content-type'),
    ),
  );
  response.end(said.startsWith('{') ? JSON.stringify(completed(JSON.parse(said), remembered)) : said);
}

/** A function's description, by itself or in GetFunction's answer, with what moto has left out. */
function completed(answer: Record<string, unknown>, remembered: ReadonlyMap<string, unknown>): unknown {
  if (typeof answer.Configuration === 'object' && answer.Configuration !== null) {
    return { ...answer, Configuration: completed({ ...answer.Configuration }, remembered) };
  }
  const logging = typeof answer.FunctionName === 'string' ? remembered.get(answer.FunctionName) : undefined;
  return logging === undefined ? answer : { ...answer, LoggingConfig: logging };
}
