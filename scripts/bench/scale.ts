/** The cost of a rotation as everything around it grows. */
import { randomUUID } from 'node:crypto';
import { CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { escapeIdentifier } from 'pg';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { Arena, type BenchSecret } from './arena.ts';
import { Contender, ours } from './contender.ts';
import { DayByDay } from './day-by-day.ts';
import { median, rotated } from './statistics.ts';
import { timeRotation, wholeOf } from './timing.ts';

export interface ScaleResult {
  readonly dimension: string;
  readonly strategy: StrategyName;
  readonly points: readonly ScalePoint[];
  /** From the smallest size to the largest: median over blocks of the wall's ratio, 1 being flat. */
  readonly growth: number;
}

export interface ScalePoint {
  readonly size: number;
  /** Median, ms. */
  readonly wall: number;
  /** Mean of the function's CPU time, ms; null where the system does not tell. */
  readonly cpu: number | null;
}

export interface ScalePlan {
  /** Where the functions were built to. */
  readonly bundles: string;
  readonly blocks: number;
  /** Default: DIMENSIONS. */
  readonly dimensions?: readonly Dimension[];
  readonly progress?: (done: number, all: number) => void;
}

/** One thing that grows. */
export interface Dimension {
  readonly name: string;
  readonly strategy: StrategyName;
  readonly sizes: readonly number[];
  /** Of the function. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Makes what there is `size` of. */
  grow(arena: Arena, secret: BenchSecret, size: number, clock: DayByDay): Promise<void>;
}

export const DIMENSIONS: readonly Dimension[] = [
  { name: 'versions of the secret', strategy: 'single-user', sizes: [1, 10, 100], grow: growVersions },
  { name: 'secrets in the account', strategy: 'single-user', sizes: [10, 500, 5_000], grow: growSecrets },
  { name: 'roles in the cluster', strategy: 'alternating-users', sizes: [10, 1_000, 20_000], grow: growRoles },
  { name: 'settings of the role', strategy: 'alternating-users', sizes: [0, 10, 50], grow: growSettings },
  { name: 'tables, in schemas of 100', strategy: 'alternating-users', sizes: [10, 1_000, 10_000], grow: growTables },
  {
    name: 'the same, for twins that only inherit',
    strategy: 'alternating-users',
    sizes: [10, 1_000, 10_000],
    environment: { ALTERNATING_SET_ROLE: 'false' },
    grow: growTables,
  },
];

export async function benchScale(plan: ScalePlan): Promise<readonly ScaleResult[]> {
  const results: ScaleResult[] = [];
  const { dimensions = DIMENSIONS } = plan;
  for (const dimension of dimensions) {
    results.push(await measure(dimension, plan));
    plan.progress?.(results.length, dimensions.length);
  }
  return results;
}

/** All sizes stand side by side, each with an account and a server of its own, and take turns. */
async function measure(
  { name, strategy, sizes, environment, grow }: Dimension,
  { bundles, blocks }: ScalePlan,
): Promise<ScaleResult> {
  await using stack = new AsyncDisposableStack();
  const places = [];
  for (const size of sizes) {
    // Enough for a transaction's locks on all of a batch.
    const settings = { max_locks_per_transaction: '256' };
    const clock = new DayByDay();
    const arena = stack.use(await Arena.open({ settings, lab: { clock } }));
    const secret = await arena.newSecret({ strategy, tls: false });
    await grow(arena, secret, size, clock);
    const contender = stack.use(new Contender(ours(bundles), strategy, { ...arena.environment(), ...environment }));
    places.push({ size, clock, secret, contender, walls: [] as number[], cpus: [] as number[] });
  }
  // The first two blocks warm up, and make the twin.
  for (let block = -2; block < blocks; block++) {
    for (const place of rotated(places, block + 2)) {
      place.clock.nextDay();
      const { wall, cpu } = wholeOf(await timeRotation(place.secret, place.contender));
      if (block < 0) continue;
      place.walls.push(wall);
      place.cpus.push(cpu);
    }
  }
  const [smallest, largest] = [places[0]?.walls ?? [], places.at(-1)?.walls ?? []];
  return {
    dimension: name,
    strategy,
    points: places.map(({ size, walls, cpus }) => {
      const cpu = cpus.reduce((all, each) => all + each, 0) / cpus.length;
      return { size, wall: median(walls), cpu: Number.isFinite(cpu) ? cpu : null };
    }),
    growth: median(largest.map((wall, block) => wall / (smallest[block] ?? Number.NaN))),
  };
}

/** Labelled by nobody: what many rotations leave behind. */
async function growVersions({ client }: Arena, { arn }: BenchSecret, size: number, clock: DayByDay): Promise<void> {
  for (let version = 1; version < size; version++) {
    clock.nextDay();
    const value = { SecretString: `{"version":${version}}`, VersionStages: ['BENCHMARK'] };
    await client.send(new PutSecretValueCommand({ SecretId: arn, ClientRequestToken: randomUUID(), ...value }));
  }
}

async function growSecrets({ client }: Arena, _: BenchSecret, size: number): Promise<void> {
  for (let secret = 1; secret < size; secret++) {
    await client.send(new CreateSecretCommand({ Name: `other/${secret}`, SecretString: '{}' }));
  }
}

async function growRoles({ server }: Arena, _: BenchSecret, size: number): Promise<void> {
  await server.query(`DO $$ BEGIN
    FOR i IN 1..${size} LOOP EXECUTE format('CREATE ROLE other_%s', i); END LOOP;
  END $$`);
}

/** Custom settings, which a role may have any number of. */
async function growSettings({ server }: Arena, { role }: BenchSecret, size: number): Promise<void> {
  for (let setting = 1; setting <= size; setting++) {
    await server.query(`ALTER ROLE ${escapeIdentifier(role)} SET "bench.setting_${setting}" = 'value ${setting}'`);
  }
}

async function growTables({ server }: Arena, { role }: BenchSecret, size: number): Promise<void> {
  const owner = escapeIdentifier(role);
  await server.withClient(async (client) => {
    for (let made = 0; made < size; made += 100) {
      const schema = `schema_${made / 100}`;
      await client.query(`CREATE SCHEMA ${schema} AUTHORIZATION ${owner}; SET ROLE ${owner}`);
      const tables = Math.min(100, size - made);
      await client.query(`DO $$ BEGIN
        FOR i IN 1..${tables} LOOP EXECUTE format('CREATE TABLE ${schema}.table_%s (id int)', i); END LOOP;
      END $$; RESET ROLE`);
    }
  });
}
