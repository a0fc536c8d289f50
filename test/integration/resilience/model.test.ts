import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { type Command, histories, inWords } from '../../support/model/commands.ts';
import { History } from '../../support/model/history.ts';
import { World } from '../../support/model/world.ts';
import { startTestServer } from '../../support/postgres.ts';

/** Minutes that the soak run has, for all three. */
const SOAK_MINUTES = process.env.SOAK_MINUTES === undefined ? undefined : Number(process.env.SOAK_MINUTES);
const BUDGET_MS = SOAK_MINUTES === undefined ? 14_000 : (SOAK_MINUTES * 60_000) / 3;
/** Histories that play at a time, as most of their time is waiting. */
const WORKERS = 3;
/** FC_SEED and FC_PATH replay a failure: both are in its message. */
const replayed = process.env.FC_SEED;
const seed = replayed === undefined ? Date.now() % 2 ** 31 : Number(replayed);
const path = process.env.FC_PATH;

let server: PostgresServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.close());

async function play(world: World, commands: readonly Command[]): Promise<void> {
  const history = new History(world, await world.newSubject());
  for (const [index, command] of commands.entries()) {
    const broken = await history.run(command);
    if (broken.length > 0) throw new Error(`after command ${index + 1} (${inWords(command)}): ${broken.join('; ')}`);
  }
  const broken = await history.recover();
  if (broken.length > 0) throw new Error(`when an operator cleans up: ${broken.join('; ')}`);
}

describe.each([
  ['single-user', {}],
  ['single-user', { PROMOTE: 'early' }],
  ['alternating-users', {}],
] as const)('%s %j', (strategy, environment) => {
  test('no history of a secret locks anyone out', { timeout: 4 * BUDGET_MS + 60_000 }, async () => {
    const seeds = replayed === undefined ? Array.from({ length: WORKERS }, (_, index) => seed + index) : [seed];
    const results = await Promise.all(seeds.map((each) => check(strategy, environment, each)));
    const played = results.reduce((sum, { histories: count }) => sum + count, 0);
    process.stdout.write(
      `Model check of ${strategy} ${JSON.stringify(environment)}: ${played} histories, FC_SEED=${seeds.join(' or ')}\n`,
    );
    expect(results.flatMap(({ failure }) => failure ?? [])).toEqual([]);
    expect(played).toBeGreaterThan(0);
  });
});

/** Plays histories until the time is over or one fails, in a world of their own. */
async function check(
  strategy: StrategyName,
  environment: Readonly<Record<string, string>>,
  seed: number,
): Promise<{ histories: number; failure?: string }> {
  await using world = await World.open(strategy, server, environment);
  let played = 0;
  const property = fc.asyncProperty(histories, async (commands) => {
    await play(world, commands);
    played++;
  });
  const result = await fc.check(property, {
    seed,
    ...(path === undefined ? { interruptAfterTimeLimit: BUDGET_MS } : { path }),
    numRuns: 1_000_000,
    markInterruptAsFailure: false,
  });
  if (!result.failed) return { histories: played };
  const commands = result.counterexample?.[0].map(inWords).join(', ');
  const replay = `FC_SEED=${seed} FC_PATH=${result.counterexamplePath}`;
  return { histories: played, failure: `${result.errorInstance} (replay: ${replay}; history: ${commands})` };
}
