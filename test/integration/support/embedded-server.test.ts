import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test, vi } from 'vitest';
import { startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';

const SCRIPT = join(import.meta.dirname, 'abandoned-server.ts');

test('the embedded server starts for whoever runs the tests, listens on loopback only and keeps its data over a restart', async () => {
  await using server = await startPostgres({ source: 'embedded', settings: { work_mem: '3MB' } });
  await server.query(`CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')`);
  const { port } = server;

  await server.reconfigure({ max_connections: '42' });

  expect(server.port).toBe(port);
  const rows = await server.query(
    `SELECT word, current_setting('max_connections') AS connections, current_setting('work_mem') AS memory,
            current_setting('listen_addresses') AS addresses FROM kept`,
  );
  expect(rows).toEqual([{ word: 'still here', connections: '42', memory: '3MB', addresses: '127.0.0.1' }]);
});

test('several embedded servers start at once, each on a port of its own', async () => {
  const servers = await Promise.all([1, 2, 3].map(() => startPostgres({ source: 'embedded' })));
  try {
    expect(new Set(servers.map(({ port }) => port)).size).toBe(3);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
});

test('a start that fails says why and leaves no folder behind', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'empty-'));
  try {
    await chmod(temporary, 0o777); // root's server runs as another user
    vi.stubEnv('TMPDIR', temporary);
    const start = startPostgres({ source: 'embedded', settings: { shared_buffers: 'plenty' } });
    await expect(start).rejects.toThrow(/invalid value for parameter "shared_buffers"/);
    expect(await readdir(temporary)).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
    await rm(temporary, { recursive: true });
  }
});

test('a running server can be used by its URL, and is left running', async () => {
  await using server = await startPostgres({ source: 'embedded' });
  const { username, password } = server.superuser;
  await server.query('CREATE DATABASE other');

  const same = await startPostgres({
    source: `postgres://${username}:${encodeURIComponent(password)}@${server.host}:${server.port}/other`,
  });
  expect(await same.query('SELECT current_database() AS name')).toEqual([{ name: 'other' }]);
  expect({ version: same.version, log: await same.log() }).toEqual({ version: server.version, log: '' });
  await expect(same.restart()).rejects.toThrow(/not be stopped or restarted/);
  await same.close();

  expect(await server.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('close() leaves neither process nor folder', async () => {
  const server = await startPostgres({ source: 'embedded' });
  const [row] = await server.query<{ data: string }>(`SELECT current_setting('data_directory') AS data`);
  const remains = await whatBelongsTo(row?.data ?? '');
  expect(remains()).not.toEqual([]);

  await server.close();

  expect(remains()).toEqual([]);
});

test.each([
  'SIGKILL',
  'SIGINT',
  'SIGTERM',
] as const)('neither process nor folder outlives a process that %s ended before it could close its server', async (signal) => {
  const { child, ended, remains } = await runScript('stay');
  expect(remains()).not.toEqual([]);
  child.kill(signal);
  expect(await ended).toEqual([null, signal]);
  await waitFor('the abandoned server to go', () => remains().length === 0 || undefined);
});

test('a process that forgets to close its server ends nevertheless, and the server with it', async () => {
  const { ended, remains } = await runScript('end');
  expect(await ended).toEqual([0, null]);
  await waitFor('the forgotten server to go', () => remains().length === 0 || undefined);
});

test('Ctrl-C on the terminal leaves it to the process to end its sessions and then the server', async () => {
  const { child, ended, remains } = await runScript('close when interrupted');
  process.kill(-(child.pid ?? Number.NaN), 'SIGINT'); // as a terminal does: to the whole process group
  expect(await ended).toEqual([0, null]);
  expect(remains()).toEqual([]);
});

/** Runs abandoned-server.ts, as the leader of a process group, until its server runs. */
async function runScript(mode: 'end' | 'stay' | 'close when interrupted') {
  const child = spawn(process.execPath, [SCRIPT, mode], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const ended = once(child, 'exit');
  const [data] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, ended, remains: await whatBelongsTo(data) };
}

/** @returns a function that lists the server's folder and process, as far as they are still there. */
async function whatBelongsTo(data: string): Promise<() => string[]> {
  const folder = dirname(data);
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '0')).split('\n')[0]);
  return () => [...(existsSync(folder) ? [folder] : []), ...(pid > 0 && runs(pid) ? [`process ${pid}`] : [])];
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
