import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Arena } from '../../../scripts/bench/arena.ts';
import type { ClientResult } from '../../../scripts/bench/clients.ts';
import type { RotationResult } from '../../../scripts/bench/rotation.ts';
import { benchScale, DIMENSIONS } from '../../../scripts/bench/scale.ts';
import { buildFunctions, LEVERS } from '../../../scripts/build.ts';
import { STEPS } from '../../../shared/rotation/event.ts';

const BENCH = fileURLToPath(new URL('../../../scripts/bench.ts', import.meta.url));

async function bench(...args: string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCH, ...args, '--json']);
  return JSON.parse(stdout);
}

const calls = ({ whole }: RotationResult) => whole.counts.apiCalls;
const EXPECTED_CALLS = { DescribeSecret: 3, PutSecretValue: 1, UpdateSecretVersionStage: 1 };

test('a rotation costs 8 or 9 API calls and 3 logins, first or later, with TLS or without', async () => {
  const { rotation } = await bench('-n', '1');
  const results: RotationResult[] = rotation.results;

  expect(results.map(({ strategy, tls, occasion }) => [strategy, tls, occasion])).toEqual(
    ['single-user', 'alternating-users'].flatMap((strategy) =>
      [false, true].flatMap((tls) => ['first', 'later'].map((occasion) => [strategy, tls, occasion])),
    ),
  );
  for (const result of results) {
    const alternating = result.strategy === 'alternating-users';
    expect(calls(result)).toEqual({ ...EXPECTED_CALLS, GetSecretValue: alternating ? 4 : 3 });
    expect(result.whole.counts).toMatchObject({ apiErrors: 0, logins: 3, failedLogins: 0 });
    expect(result).toMatchObject({ implementation: 'ours', ratio: 1 });
    expect(Object.keys(result.steps)).toEqual([...STEPS]);
    expect(result.whole.wall.samples).toBe(result.occasion === 'first' ? 1 : 2);
    for (const value of [result.whole.wall.median, result.whole.counts.apiBytes, result.whole.counts.databaseBytes]) {
      expect(value).toBeGreaterThan(0);
    }
  }
}, 120_000);

test('another implementation that speaks the protocol is measured in the same run', async () => {
  const command = `exec '${process.execPath}' '${BENCH}' stdio --strategy {scheme}`;
  const { rotation } = await bench('-n', '1', '--strategy', 'single-user', '--tls', 'off', '--against', command);
  const results: RotationResult[] = rotation.results;

  expect(results.map(({ implementation }) => implementation)).toEqual(['ours', 'ours', 'against', 'against']);
  const [ours, , theirs] = results;
  expect(theirs && calls(theirs)).toEqual(ours && calls(ours));
  expect(theirs?.ratio).toBeGreaterThan(0);
}, 120_000);

test('cold starts of both functions are measured beside a bare Node', async () => {
  const { cold } = await bench('cold', '-n', '1', '--tls', 'off');
  expect(cold.results.map(({ strategy, name }: { strategy: string; name: string }) => `${strategy} ${name}`)).toEqual(
    ['single-user', 'alternating-users'].flatMap((strategy) =>
      ['ours', 'node -e 0', 'an empty function'].map((name) => `${strategy} ${name}`),
    ),
  );
  const [ours] = cold.results;
  expect(ours.bytes).toBeLessThan(300_000);
  expect(ours.peakMemory).toBeGreaterThan(0);
  expect(ours.loaded.median).toBeLessThan(ours.created.median);
  expect(ours.created.median).toBeLessThan(ours.whole.median);
}, 120_000);

test('a small fleet that is throttled finishes every rotation', async () => {
  const { fleet } = await bench(
    ...['fleet', '-n', '1', '--secrets', '8', '--databases', '2', '--concurrency', '4', '--quota', '0.1'],
    ...['--strategy', 'single-user', '--tls', 'off'],
  );
  const [run] = fleet.results.runs;
  expect(run).toMatchObject({ secrets: 8, concurrency: 4, finished: 8, failed: 0 });
  expect(run.peakInvocations).toBeGreaterThan(0);
  expect(run.peakInvocations).toBeLessThanOrEqual(4);
  expect(run.throttledCalls).toBeGreaterThan(0);
  expect(run.curve.at(-1)).toBe(8);
  expect(fleet.results.needs.map(({ secrets }: { secrets: number }) => secrets)).toEqual([10_000, 100_000]);
}, 120_000);

test('applications with our client see no refused login where others do, for two calls to Secrets Manager', async () => {
  const { clients } = await bench('clients');
  const results: ClientResult[] = clients.results;
  const [fetching, ...others] = results.filter(({ installed }) => installed);
  expect(fetching?.refused).toBeGreaterThan(0);
  expect(others.map(({ application }) => application)).toEqual(['rotatingPool()', 'secretLogin(), pg.Client']);
  for (const other of others) expect(other).toMatchObject({ refused: 0, failed: 0, apiCalls: 2 });
}, 120_000);

test("rotations of a secret that has 100 versions already stay within the service's quota", async () => {
  const [versions] = DIMENSIONS;
  if (versions === undefined) throw new Error('A dimension of versions was expected.');
  const bundles = fileURLToPath(new URL('../../../dist', import.meta.url));
  const [result] = await benchScale({ bundles, blocks: 3, dimensions: [{ ...versions, sizes: [100] }] });
  expect(result?.points).toMatchObject([{ size: 100, wall: expect.any(Number) }]);
  expect(result?.points[0]?.wall).toBeGreaterThan(0);
}, 120_000);

test('the functions can be built without each lever', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'levers-'));
  try {
    // Minifying again takes most of a build's time.
    for (const lever of LEVERS) {
      const built = await buildFunctions({ folder: join(folder, 'built'), without: [lever, 'minified again'] });
      expect(built.map(({ path }) => path)).toContain(join('single-user', 'index.mjs'));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

describe('stdio', () => {
  test.each([
    'single-user',
    'alternating-users',
  ] as const)('serves the %s function: one answer per line, errors too', async (strategy) => {
    await using arena = await Arena.open();
    const child = spawn(process.execPath, [BENCH, 'stdio', '--strategy', strategy], {
      env: { ...process.env, ...arena.environment() },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const logged = collect(child);
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (question: object | string) => {
      child.stdin.write(`${typeof question === 'string' ? question : JSON.stringify(question)}\n`);
      return JSON.parse(String((await answers.next()).value));
    };

    const secret = await arena.newSecret({ strategy, tls: true });
    const version = await secret.begin();
    expect(await ask('no event')).toEqual({ error: expect.any(String) });
    expect(await ask({ ...version, Step: 'testSecret' })).toEqual({ error: expect.stringContaining('pending') });
    for (const Step of STEPS) expect(await ask({ ...version, Step })).toEqual({ ok: true });
    await secret.end(version.ClientRequestToken);

    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect((await answers.next()).done).toBe(true);
    expect(logged.text).toContain('Rotation step succeeded');
  }, 120_000);
});

test('what it can not do is said in a sentence', async () => {
  await expect(bench('--strategy', 'both')).rejects.toThrow('--strategy needs single-user or alternating-users');
});

function collect({ stderr }: ChildProcess): { text: string } {
  const collected = { text: '' };
  stderr?.on('data', (chunk: Buffer) => {
    collected.text += chunk.toString();
  });
  return collected;
}
