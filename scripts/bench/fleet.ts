/** A fleet: many secrets due at once, under the service's quotas and a limit of concurrent invocations. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pinnedQuery } from '../../shared/database/pinned.ts';
import { STEPS } from '../../shared/rotation/event.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { enforceQuotas, SERVICE_QUOTAS } from '../lab/quotas.ts';
import type { Arena, BenchSecret } from './arena.ts';
import { bundleOf, type StepEvent } from './contender.ts';
import { FunctionHosts } from './function-hosts.ts';

export interface FleetPlan {
  readonly strategy: StrategyName;
  /** Where the functions were built to. */
  readonly bundles: string;
  readonly secrets: number;
  readonly databases: number;
  /** Limits of concurrent invocations to measure, one after the other. */
  readonly concurrency: readonly number[];
  /** Part of the service's quotas to enforce: 1 is all of it. Less shows the ceiling on a machine that is slower than it. */
  readonly quota: number;
  readonly progress?: (done: number, all: number) => void;
}

export interface FleetResult {
  readonly strategy: StrategyName;
  readonly secrets: number;
  readonly databases: number;
  readonly concurrency: number;
  /** Rotations a second that the quota of writes allows: two writes each. */
  readonly ceiling: number;
  readonly finished: number;
  /** Rotations that used all their attempts up. */
  readonly failed: number;
  /** Attempts of whole rotations beyond the first. */
  readonly retried: number;
  /** What failed an attempt, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** From the first start to the last end. */
  readonly seconds: number;
  /** Rotations a second, over all of that time. */
  readonly throughput: number;
  /** Rotations finished by each second. */
  readonly curve: readonly number[];
  readonly apiCallsPerRotation: number;
  readonly throttledCalls: number;
  readonly peakInvocations: number;
  /** Of a rotation's four invocations together, waiting included: what Lambda bills. */
  readonly billedMsPerRotation: number;
  /** The most connections at one time to one of the databases, and the limit that each has. */
  readonly peakConnections: number;
  readonly connectionLimit: number;
}

const CONNECTION_LIMIT = 100;
const PROCESSES = 2;
/** The service's own number of attempts is not published. */
const ATTEMPTS = 5;
const RETRY_AFTER_MS = 2_000;
/** The harness's own. */
const AT_A_TIME = 8;

export async function benchFleet(arena: Arena, plan: FleetPlan): Promise<readonly FleetResult[]> {
  const databases = Array.from({ length: plan.databases }, (_, index) => `fleet_${index + 1}`);
  for (const name of databases)
    await arena.server.query(`CREATE DATABASE ${name} CONNECTION LIMIT ${CONNECTION_LIMIT}`);
  const secrets: BenchSecret[] = [];
  await forEach(Array.from({ length: plan.secrets }), async (_, index) => {
    const database = databases[index % databases.length] ?? 'postgres';
    secrets.push(await arena.newSecret({ strategy: plan.strategy, tls: false, database }));
    plan.progress?.(secrets.length, plan.secrets * (1 + plan.concurrency.length));
  });
  const results: FleetResult[] = [];
  for (const concurrency of plan.concurrency) {
    results.push(
      await rotateAll(arena, secrets, plan, concurrency, (done) =>
        plan.progress?.(plan.secrets * (1 + results.length) + done, plan.secrets * (1 + plan.concurrency.length)),
      ),
    );
  }
  return results;
}

async function rotateAll(
  arena: Arena,
  secrets: readonly BenchSecret[],
  plan: FleetPlan,
  concurrency: number,
  progress: (done: number) => void,
): Promise<FleetResult> {
  const versions: Omit<StepEvent, 'Step'>[] = [];
  await forEach(secrets, async (secret, index) => {
    versions[index] = await secret.begin();
  });
  await using hosts = await FunctionHosts.start(bundleOf(plan.strategy, plan.bundles), arena.environment(), {
    concurrency,
    processes: PROCESSES,
  });
  await using connections = await ConnectionWatch.start(arena);
  const { lab } = arena;
  if (lab === undefined)
    throw new Error('A fleet needs the quotas of the lab, and --endpoint-url names another service.');
  lab.requests.clear();
  let calls = 0;
  const counter = setInterval(() => {
    calls += lab.requests.all().length;
    lab.requests.clear();
  }, 100);
  const quotas = SERVICE_QUOTAS.map((each) => ({ ...each, perSecond: each.perSecond * plan.quota }));
  const throttled = enforceQuotas(lab.faults, quotas);
  const startsPerSecond = 50 * plan.quota;

  const errors: Record<string, number> = {};
  const ends: number[] = [];
  let retried = 0;
  let failed = 0;
  const from = performance.now();

  async function rotate(version: Omit<StepEvent, 'Step'>, index: number): Promise<void> {
    // As fast as RotateSecret may be called.
    await sleep((index / startsPerSecond) * 1000);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      if (attempt > 1) {
        retried++;
        await sleep(RETRY_AFTER_MS * attempt);
      }
      const error = await runSteps(hosts, version);
      if (error === undefined) {
        ends.push((performance.now() - from) / 1000);
        progress(ends.length);
        return;
      }
      const code = error.split(':')[0] ?? error;
      errors[code] = (errors[code] ?? 0) + 1;
    }
    failed++;
  }

  await Promise.all(versions.map(rotate));
  clearInterval(counter);
  calls += lab.requests.all().length;
  throttled.remove();
  await forEach(versions, async ({ ClientRequestToken }, index) => secrets[index]?.end(ClientRequestToken));
  ends.sort((a, b) => a - b);
  const seconds = ends.at(-1) ?? Number.NaN;
  return {
    strategy: plan.strategy,
    secrets: plan.secrets,
    databases: plan.databases,
    concurrency,
    ceiling: 25 * plan.quota,
    finished: ends.length,
    failed,
    retried,
    errors,
    seconds,
    throughput: ends.length / seconds,
    curve: Array.from({ length: Math.ceil(seconds) }, (_, second) => ends.filter((at) => at <= second + 1).length),
    apiCallsPerRotation: (calls - throttled.hits) / ends.length,
    throttledCalls: throttled.hits,
    peakInvocations: hosts.peak,
    billedMsPerRotation: hosts.billedMs / ends.length,
    peakConnections: connections.peak,
    connectionLimit: CONNECTION_LIMIT,
  };
}

/** @returns what the first step that failed threw. */
async function runSteps(hosts: FunctionHosts, version: Omit<StepEvent, 'Step'>): Promise<string | undefined> {
  for (const Step of STEPS) {
    const error = await hosts.invoke({ ...version, Step });
    if (error !== undefined) return error;
  }
  return undefined;
}

/** Looks ten times a second how many connections each database has. */
class ConnectionWatch implements AsyncDisposable {
  readonly #watching: Promise<void>;
  #ended = false;
  #peak = 0;

  static async start(arena: Arena): Promise<ConnectionWatch> {
    return new ConnectionWatch(arena);
  }

  private constructor(arena: Arena) {
    this.#watching = arena.server.withClient(async (client) => {
      while (!this.#ended) {
        const rows = await pinnedQuery<{ connections: number }>(
          client,
          "SELECT count(*)::int AS connections FROM pg_stat_activity WHERE datname LIKE 'fleet\\_%' GROUP BY datname",
        );
        this.#peak = Math.max(this.#peak, ...rows.map(({ connections }) => connections));
        await sleep(100);
      }
    });
  }

  get peak(): number {
    return this.#peak;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#watching;
  }
}

async function forEach<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  const left = items.entries();
  const worker = async () => {
    for (const [index, item] of left) await work(item, index);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
