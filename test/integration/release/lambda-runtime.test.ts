/** The released zips under AWS's own runtime client (aws-lambda-ric), which asks this process for events as Lambda answers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesOf } from '../../../scripts/build/archive.ts';
import { makeRelease } from '../../../scripts/build/release.ts';
import { nodeOf } from '../../support/nodes.ts';
import { releaseLibrary } from '../../support/release-libraries.ts';

const ric = releaseLibrary('aws-lambda-ric');
const NATIVE = fileURLToPath(new URL('../../support/rapid-client.cjs', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runtime-'));
  if (ric !== undefined) await makeRelease(join(folder, 'release'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  return body;
}

/** The Runtime API with one event. @returns what the function posts for it, and how. */
async function answerOf(node: string, code: string, event: object): Promise<{ how: string; body: string }> {
  const { promise: posted, resolve: post } = Promise.withResolvers<{ how: string; body: string }>();
  let given = false;
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    if (request.method === 'GET') {
      // A second event never comes: the function waits, frozen, as on Lambda.
      if (given) return;
      given = true;
      const headers = {
        'lambda-runtime-aws-request-id': 'request-1',
        'lambda-runtime-deadline-ms': `${Date.now() + 30_000}`,
        'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-west-1:111122223333:function:rotation',
      };
      response.writeHead(200, headers).end(JSON.stringify(event));
      return;
    }
    response.writeHead(202).end();
    post({ how: request.url?.split('/').at(-1) ?? '', body });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // Lambda developer guide, "Defined runtime environment variables".
  const environment = {
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    AWS_LAMBDA_FUNCTION_NAME: 'rotation',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/rotation',
    AWS_LAMBDA_LOG_STREAM_NAME: '2026/01/01/[$LATEST]0',
    LAMBDA_TASK_ROOT: code,
    AWS_REGION: 'eu-west-1',
  };
  // As Lambda's bootstrap starts it (aws-lambda-ric's own tests).
  const flags = ['--no-experimental-require-module', '--no-experimental-detect-module', '--require', NATIVE];
  const args = [...flags, join(ric ?? '', 'index.mjs'), 'index.handler'];
  const child = spawn(node, args, { cwd: code, env: { ...environment, _HANDLER: 'index.handler' }, stdio: 'pipe' });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  try {
    const early = ended.then(() => Promise.reject(new Error(`The runtime ended before it answered: ${said}`)));
    return await Promise.race([posted, early]);
  } finally {
    child.kill('SIGKILL');
    await ended;
    server.closeAllConnections();
    server.close();
  }
}

describe.skipIf(ric === undefined).each([22, 24] as const)('under the runtime of nodejs%i.x', (line) => {
  const node = nodeOf(line);

  test.skipIf(node === undefined).each(['single-user', 'alternating-users'])(
    '%s loads, and answers an event that makes no sense by its code',
    async (name) => {
      const code = join(folder, `${name}-${line}`);
      await mkdir(code);
      const released = await filesOf(join(folder, 'release'), (path) => path === `${name}.zip`);
      for (const [path, content] of Object.entries(unzipSync(released.get(`${name}.zip`) ?? new Uint8Array()))) {
        await writeFile(join(code, path), content);
      }
      const { how, body } = await answerOf(node ?? '', code, { Step: 'noStep' });
      expect(how).toBe('error');
      expect(JSON.parse(body)).toMatchObject({
        errorType: 'RotationError',
        errorMessage: expect.stringMatching(/event/),
      });
    },
  );
});
