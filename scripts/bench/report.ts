/** Runs one benchmark and shows what came of it: tables on the terminal, or JSON. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { STEPS } from '../../shared/rotation/event.ts';
import { buildFunctions, LEVERS } from '../build.ts';
import { LateRelay } from '../relays/late-relay.ts';
import { Arena } from './arena.ts';
import { benchClients, type ClientResult } from './clients.ts';
import { benchCold, type ColdResult } from './cold.ts';
import { against, ours } from './contender.ts';
import { benchFleet, type FleetResult } from './fleet.ts';
import { type FleetNeeds, fleetNeeds, type Inputs, inputsWith, type Measured } from './fleet-needs.ts';
import type { BenchmarkName, Options } from './options.ts';
import { allCalls, benchRotations, type RotationResult } from './rotation.ts';
import { benchScale, type ScaleResult } from './scale.ts';
import { significant } from './statistics.ts';
import { table } from './table.ts';

export const RESULTS_FILE = fileURLToPath(new URL('../../docs/plots/results.json', import.meta.url));

/** What each benchmark has to say; --json prints it, --save keeps it by the benchmark's name. */
export interface Results {
  readonly rotation?: Saved<readonly RotationResult[]>;
  readonly cold?: Saved<readonly ColdResult[]>;
  readonly scale?: Saved<readonly ScaleResult[]>;
  readonly fleet?: Saved<FleetReport>;
  readonly clients?: Saved<readonly ClientResult[]>;
}

export interface FleetReport {
  readonly runs: readonly FleetResult[];
  readonly measured: Measured;
  readonly inputs: Inputs;
  readonly needs: readonly FleetNeeds[];
}

export interface Saved<Result> {
  readonly date: string;
  readonly machine: Machine;
  readonly results: Result;
}

interface Machine {
  readonly node: string;
  /** PostgreSQL's major version; undefined where several servers took part. */
  readonly postgres?: number | undefined;
  readonly cpus: number;
  readonly memoryGb: number;
}

interface Outcome {
  readonly results: unknown;
  readonly text: string;
  readonly postgres?: number | undefined;
}

/** @param bundles where the functions were built to. */
type Benchmark = (options: Options, bundles: string) => Promise<Outcome>;

const BENCHMARKS: Readonly<Record<Exclude<BenchmarkName, 'plots'>, Benchmark>> = {
  rotation,
  cold,
  scale,
  fleet,
  clients,
};

export async function report(options: Options): Promise<void> {
  const { command } = options;
  if (command === 'plots') return;
  const bundles = await mkdtemp(join(tmpdir(), 'rotation-bench-'));
  const { results, text, postgres } = await buildFunctions({ folder: bundles })
    .then(() => BENCHMARKS[command](options, bundles))
    .finally(() => rm(bundles, { recursive: true, force: true }));
  process.stderr.write('\r\x1b[K');
  const saved: Saved<unknown> = {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      node: process.version,
      postgres,
      cpus: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
    },
    results,
  };
  process.stdout.write(options.json ? print({ [command]: saved }) : `${text}\n`);
  if (options.save) await save(command, saved);
}

async function rotation(options: Options, bundles: string): Promise<Outcome> {
  await using arena = await Arena.open(options);
  await using relay = await late(arena, options);
  const results = await benchRotations(arena, {
    implementations: [ours(bundles), ...(options.against === undefined ? [] : [against(options.against)])],
    variants: options.strategies.flatMap((strategy) => options.tls.map((tls) => ({ strategy, tls }))),
    blocks: options.rotations ?? 20,
    endpoint: relay?.endpoint,
    progress,
  });
  return { results, text: rotationTables(results), postgres: arena.server.version };
}

/** @returns what stands before the arena's Secrets Manager for --api-latency; undefined: nothing. */
async function late(arena: Arena, { apiLatency }: Options): Promise<LateRelay | undefined> {
  return apiLatency === 0 ? undefined : LateRelay.start(arena.endpoint, apiLatency);
}

function rotationTables(results: readonly RotationResult[]): string {
  const head = ['', 'ms', 'p95', 'CPU ms', 'API', 'logins', 'failed', 'statements', 'round trips', 'bytes', 'ratio'];
  return results
    .map((result) => {
      const { implementation, strategy, tls, occasion, steps, whole, ratio } = result;
      const rows = [...STEPS.map((step) => [step, steps[step]] as const), ['whole', whole] as const];
      const lines = rows.map(([name, { wall, cpu, counts }]) => [
        name,
        ...[wall.median, wall.p95, cpu ?? Number.NaN, allCalls(counts), counts.logins, counts.failedLogins],
        ...[counts.statements, counts.roundTrips, counts.apiBytes + counts.databaseBytes],
        name === 'whole' ? ratio : '',
      ]);
      const calls = Object.entries(whole.counts.apiCalls).map(([name, count]) => `${count} ${name}`);
      const title = `${implementation}: ${strategy}, ${tls ? 'TLS' : 'no TLS'}, ${occasion} rotation (${whole.wall.samples} measured)`;
      return `${title}\n${table(head, lines)}API calls: ${calls.join(', ')}\n`;
    })
    .join('\n');
}

async function cold(options: Options): Promise<Outcome> {
  await using arena = await Arena.open(options);
  await using relay = await late(arena, options);
  const results = await benchCold(arena, {
    strategies: options.strategies,
    against: options.against === undefined ? undefined : against(options.against),
    levers: options.levers ? LEVERS : [],
    tls: options.tls.includes(true),
    blocks: options.rotations ?? 20,
    endpoint: relay?.endpoint,
    progress,
  });
  const rows = results.map((result) => [
    `${result.strategy}: ${result.name}`,
    ...[result.loaded?.median, result.created.median, result.created.p95, result.ratio].map(
      (each) => each ?? Number.NaN,
    ),
    ...[result.whole?.median, result.wholeRatio].map((each) => each ?? Number.NaN),
    ...[result.cpu?.median, result.peakMemory, result.bytes && result.bytes / 1000].map((each) => each ?? Number.NaN),
  ]);
  const head = [
    'process start →',
    'loaded ms',
    'createSecret',
    'p95',
    'ratio',
    'rotation',
    'ratio',
    'CPU ms',
    'peak MB',
    'KB',
  ];
  return { results, text: table(head, rows), postgres: arena.server.version };
}

async function scale(options: Options, bundles: string): Promise<Outcome> {
  const results = await benchScale({ bundles, blocks: options.rotations ?? 10, progress });
  const rows = results.map(({ dimension, points, growth }) => [
    dimension,
    points.map(({ size }) => size.toLocaleString('en-US')).join(' → '),
    points.map(({ wall }) => significant(wall)).join(' → '),
    points.map(({ cpu }) => (cpu === null ? '–' : significant(cpu))).join(' → '),
    growth,
  ]);
  return { results, text: table(['what grows', 'from → to', 'ms', 'CPU ms', 'growth'], rows) };
}

async function fleet(options: Options, bundles: string): Promise<Outcome> {
  const inputs = inputsWith(options.prices);
  const [strategy = 'single-user'] = options.strategies;
  await using arena = await Arena.open({ ...options, settings: { max_connections: '500' } });
  const measured = await oneRotation(arena, options, bundles, strategy);
  const { secrets, databases, concurrency, quota } = options;
  const runs = await benchFleet(arena, { strategy, bundles, secrets, databases, concurrency, quota, progress });
  const needs = [10_000, 100_000].map((size) => fleetNeeds(size, measured, inputs));
  const results: FleetReport = { runs, measured, inputs, needs };
  return { results, text: fleetTables(results), postgres: arena.server.version };
}

/** What the calculation is based on: a rotation that nothing disturbs. */
async function oneRotation(
  arena: Arena,
  options: Options,
  bundles: string,
  strategy: RotationResult['strategy'],
): Promise<Measured> {
  const variants = [{ strategy, tls: options.tls.includes(true) }];
  const results = await benchRotations(arena, {
    implementations: [ours(bundles)],
    variants,
    blocks: options.rotations ?? 10,
    progress,
  });
  const later = results.find(({ occasion }) => occasion === 'later');
  if (later === undefined) throw new Error('A later rotation was to be measured.');
  const { wall, cpu, counts } = later.whole;
  return { apiCalls: allCalls(counts), wallMs: wall.median, cpuMs: cpu ?? wall.median };
}

function fleetTables({ runs, needs, inputs }: FleetReport): string {
  const runHead = [
    ...['concurrency', 'finished', 'failed', 'retried', 'seconds', 'rotations/s', 'ceiling'],
    ...['API/rotation', 'throttled', 'invocations', 'connections'],
  ];
  const runRows = runs.map((run) => [
    run.concurrency,
    ...[run.finished, run.failed, run.retried, run.seconds, run.throughput, run.ceiling],
    ...[run.apiCallsPerRotation, run.throttledCalls, run.peakInvocations],
    `${run.peakConnections} of ${run.connectionLimit}`,
  ]);
  const needHead = [
    ...['secrets', 'minutes at the quota', 'hours at a fifth', 'concurrency', 'USD/month: secrets'],
    ...['rotation', 'of it API', 'Lambda', 'logs'],
  ];
  const needRows = needs.map(({ secrets, minutesAtQuota, hoursAtFifth, concurrency, dollarsMonth: dollars }) => [
    secrets,
    ...[minutesAtQuota, hoursAtFifth, concurrency, dollars.secrets],
    ...[dollars.rotation, dollars.api, dollars.lambda, dollars.logs],
  ]);
  const given = Object.entries(inputs).map(([name, value]) => `${name}=${value}`);
  return `${table(runHead, runRows)}\n${table(needHead, needRows)}inputs (--price): ${given.join(' ')}`;
}

async function clients(options: Options, bundles: string): Promise<Outcome> {
  await using arena = await Arena.open(options);
  const plan = { bundles, packages: options.packages, loginsPerSecond: 40, window: 3, progress };
  const results = await benchClients(arena, plan);
  const rows = results.map((result) => {
    const { application, installed, logins, refused, failed, medianMs, slowestMs, apiCalls } = result;
    if (!installed) return [application, 'not installed'];
    return [application, logins, refused, failed, medianMs, slowestMs, apiCalls];
  });
  const head = ['application', 'logins', 'refused', 'otherwise failed', 'median ms', 'slowest ms', 'API calls'];
  return { results, text: table(head, rows), postgres: arena.server.version };
}

function progress(done: number, all: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.floor((100 * done) / all)} %`);
}

async function save(command: string, saved: Saved<unknown>): Promise<void> {
  const before: object = existsSync(RESULTS_FILE) ? JSON.parse(await readFile(RESULTS_FILE, 'utf8')) : {};
  await writeFile(RESULTS_FILE, print({ ...before, [command]: saved }));
}

/** Measured times have three digits at best, and a diff of more would be noise. */
function print(value: unknown): string {
  const round = (_: string, each: unknown) =>
    typeof each === 'number' && !Number.isInteger(each) && Math.abs(each) > 0.01 ? significant(each, 4) : each;
  return `${JSON.stringify(value, round, 1)}\n`;
}
