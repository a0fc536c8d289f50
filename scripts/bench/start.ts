/** How long `rotation` takes to start, bundled as it is published: from the process to its first call of AWS, or its answer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCommand } from '../build/command.ts';
import { summarise } from './statistics.ts';
import { table } from './table.ts';

const ROUNDS = 20;
/** What an empty script takes is Node's own. */
const SUBJECTS = {
  'node -e 0': ['-e', '0'],
  'rotation --version': ['--version'],
  'rotation status': ['status', 'shop'],
};

export async function tellStart(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'start-'));
  const answers = createServer((_, response) => response.writeHead(400).end('{"__type":"ResourceNotFoundException"}'));
  try {
    await buildCommand(folder);
    await new Promise<void>((resolve) => answers.listen(0, '127.0.0.1', resolve));
    const rows: [string, number, number, number][] = [];
    const samples = new Map(Object.keys(SUBJECTS).map((name) => [name, [] as number[]]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, args] of Object.entries(SUBJECTS)) samples.get(name)?.push(await time(folder, args, answers));
    }
    for (const [name, times] of samples) {
      const { median, p95 } = summarise(times);
      rows.push([name, Math.min(...times), median, p95]);
    }
    process.stdout.write(table([`ms, ${ROUNDS} starts`, 'fastest', 'median', 'p95'], rows));
  } finally {
    answers.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** In ms. Of a subcommand, until it has asked AWS for the first time. */
async function time(folder: string, args: readonly string[], answers: Server): Promise<number> {
  const { port } = Object(answers.address());
  const words = args[0] === '-e' ? args : [join(folder, 'rotation.mjs'), ...args];
  const env = {
    PATH: process.env.PATH,
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const began = performance.now();
  const child = spawn(process.execPath, words, { env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  const enough = new AbortController();
  const asked = once(answers, 'request', { signal: enough.signal });
  await Promise.race([asked, ended]);
  const took = performance.now() - began;
  enough.abort();
  asked.catch(() => undefined);
  await ended;
  return took;
}
