/** The cost of a rotation, by step: what it asks of Secrets Manager and PostgreSQL, and how long that takes. */
import { STEPS, type Step } from '../../shared/rotation/event.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { ApiRelay } from '../relays/api-relay.ts';
import { ApiCounter } from './api-counter.ts';
import type { Arena, SecretWish } from './arena.ts';
import { Contender, type Implementation } from './contender.ts';
import { PostgresCounter } from './postgres-counter.ts';
import { median, rotated, type Summary, sum, summarise } from './statistics.ts';
import { NOTHING, type Sample, timeRotation, total } from './timing.ts';

export type Occasion = 'first' | 'later';

export interface Variant {
  readonly strategy: StrategyName;
  readonly tls: boolean;
}

/** What one step, or all four together, asked for. */
export interface Counts {
  readonly apiCalls: Readonly<Record<string, number>>;
  readonly apiErrors: number;
  readonly apiBytes: number;
  readonly logins: number;
  readonly failedLogins: number;
  readonly statements: number;
  readonly roundTrips: number;
  readonly databaseBytes: number;
}

export interface Cost {
  /** ms. */
  readonly wall: Summary;
  /** ms, mean; null where the system does not tell. */
  readonly cpu: number | null;
  readonly counts: Counts;
}

export interface RotationResult extends Variant {
  readonly implementation: string;
  readonly occasion: Occasion;
  readonly steps: Readonly<Record<Step, Cost>>;
  readonly whole: Cost;
  /** Median of the wall's ratio to ours in the same block; 1 for ours. */
  readonly ratio: number;
}

export interface RotationPlan {
  readonly implementations: readonly Implementation[];
  readonly variants: readonly Variant[];
  /** In each: one secret per contender, its first rotation and two later ones. */
  readonly blocks: number;
  /** Of the timed calls, where it is not the arena's own. */
  readonly endpoint?: string | undefined;
  readonly progress?: (done: number, all: number) => void;
}

const LATER_ROTATIONS = 2;
const OCCASIONS: readonly Occasion[] = ['first', 'later'];

/** One implementation on one variant. */
interface Case {
  readonly implementation: Implementation;
  readonly variant: Variant;
  readonly counts: Readonly<Record<Occasion, Readonly<Record<Step, Counts>>>>;
  /** The same index is the same block. */
  readonly samples: Readonly<Record<Occasion, Sample[]>>;
}

export async function benchRotations(arena: Arena, plan: RotationPlan): Promise<readonly RotationResult[]> {
  const cases: Case[] = [];
  for (const variant of plan.variants) {
    for (const implementation of plan.implementations) {
      const counts = await countCalls(arena, implementation, variant);
      cases.push({ implementation, variant, counts, samples: { first: [], later: [] } });
    }
  }
  await timeBlocks(arena, cases, plan);
  return cases.flatMap((each) => {
    // The first implementation is ours.
    const reference = cases.find(({ variant }) => variant === each.variant);
    return OCCASIONS.map((occasion) => result(each, occasion, reference?.samples[occasion] ?? []));
  });
}

/** All cases take turns in every block, so that whatever else the machine does meets them alike. */
async function timeBlocks(
  arena: Arena,
  cases: readonly Case[],
  { blocks, endpoint, progress }: RotationPlan,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const contenders = cases.map(({ implementation, variant, samples }) => ({
    variant,
    samples,
    contender: stack.use(new Contender(implementation, variant.strategy, arena.environment(endpoint))),
  }));
  // The first block warms the processes up and is not kept.
  for (let block = 0; block <= blocks; block++) {
    for (const { variant, samples, contender } of rotated(contenders, block)) {
      const secret = await arena.newSecret(variant);
      for (let rotation = 0; rotation <= LATER_ROTATIONS; rotation++) {
        const sample = await timeRotation(secret, contender);
        if (block > 0) samples[rotation === 0 ? 'first' : 'later'].push(sample);
      }
    }
    progress?.(block, blocks);
  }
}

/** One first and one later rotation through relays that count. Not timed: the relays cost time themselves. */
async function countCalls(
  arena: Arena,
  implementation: Implementation,
  variant: Variant,
): Promise<Readonly<Record<Occasion, Record<Step, Counts>>>> {
  const api = new ApiCounter();
  await using relay = await ApiRelay.start(arena.endpoint, api);
  await using database = await PostgresCounter.start(arena.server, await arena.authority.issue(['127.0.0.1']));
  const wish: SecretWish = { ...variant, address: database };
  await using contender = new Contender(implementation, variant.strategy, {
    ...arena.environment(relay.endpoint),
    ...arena.ownTrust(),
  });
  const secret = await arena.newSecret(wish);

  async function rotate(): Promise<Record<Step, Counts>> {
    const version = await secret.begin();
    const counts: Partial<Record<Step, Counts>> = {};
    for (const Step of STEPS) {
      await contender.run({ ...version, Step });
      const { calls, failed, bytes } = api.take();
      const { bytes: databaseBytes, ...rest } = await database.take();
      counts[Step] = { apiCalls: calls, apiErrors: failed, apiBytes: bytes, ...rest, databaseBytes };
    }
    await secret.end(version.ClientRequestToken);
    return counts as Record<Step, Counts>;
  }
  return { first: await rotate(), later: await rotate() };
}

function result(
  { implementation, variant, counts: counted, samples: timed }: Case,
  occasion: Occasion,
  reference: readonly Sample[],
): RotationResult {
  const samples = timed[occasion];
  const counts = counted[occasion];
  const cost = (walls: readonly number[], cpus: readonly number[], of: Counts): Cost => {
    const cpu = sum(cpus) / cpus.length;
    return { wall: summarise(walls), cpu: Number.isFinite(cpu) ? cpu : null, counts: of };
  };
  const step = (name: Step) =>
    cost(
      samples.map(({ wall }) => wall[name]),
      samples.map(({ cpu }) => cpu[name]),
      counts[name],
    );
  const ratios = samples.map(({ wall }, index) => total(wall) / total(reference[index]?.wall ?? NOTHING));
  return {
    ...variant,
    implementation: implementation.name,
    occasion,
    steps: {
      createSecret: step('createSecret'),
      setSecret: step('setSecret'),
      testSecret: step('testSecret'),
      finishSecret: step('finishSecret'),
    },
    whole: cost(
      samples.map(({ wall }) => total(wall)),
      samples.map(({ cpu }) => total(cpu)),
      addCounts(STEPS.map((each) => counts[each])),
    ),
    ratio: median(ratios),
  };
}

function addCounts(all: readonly Counts[]): Counts {
  const apiCalls: Record<string, number> = {};
  for (const counts of all) {
    for (const [name, calls] of Object.entries(counts.apiCalls)) apiCalls[name] = (apiCalls[name] ?? 0) + calls;
  }
  const add = (of: (counts: Counts) => number) => sum(all.map(of));
  return {
    apiCalls,
    apiErrors: add((counts) => counts.apiErrors),
    apiBytes: add((counts) => counts.apiBytes),
    logins: add((counts) => counts.logins),
    failedLogins: add((counts) => counts.failedLogins),
    statements: add((counts) => counts.statements),
    roundTrips: add((counts) => counts.roundTrips),
    databaseBytes: add((counts) => counts.databaseBytes),
  };
}

export const allCalls = ({ apiCalls }: Counts) => sum(Object.values(apiCalls));
