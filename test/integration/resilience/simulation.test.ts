/** The simulation is held against reality: schedules that it plays in memory are played on real servers too. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { type Recording, record, replayReally } from '../../support/simulation/against-reality.ts';
import type { RealSurroundings } from '../../support/simulation/real-stage.ts';
import { scenarios } from '../../support/simulation/scenarios.ts';
import { time } from '../../support/simulation/time.ts';
import { TestAccount } from '../../support/test-account.ts';

vi.mock('node:timers/promises', async (original) => {
  const real = await original<typeof import('node:timers/promises')>();
  const simulated = (await import('../../support/simulation/time.ts')).time;
  return {
    ...real,
    setTimeout: (...args: Parameters<typeof real.setTimeout>) =>
      simulated.isSimulated ? simulated.sleep(...args) : real.setTimeout(...args),
  };
});
for (const clock of [performance, Date]) {
  const now = clock.now.bind(clock);
  vi.spyOn(clock, 'now').mockImplementation(() => (time.isSimulated ? time.now() : now()));
}

const isSoak = process.env.SOAK_MINUTES !== undefined;
/** Of each scenario. */
const SAMPLES = isSoak ? 20 : 2;
/** Schedules that play at a time, as most of their time is waiting. */
const LANES = 4;
const SEED = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);

/** Numbers by chance that come again with the seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
/** Searches all that the functions and the lab have said for every password there was. */
afterAll(async () => {
  await account?.[Symbol.asyncDispose]();
}, 3_600_000);

/** RotateSecret refuses to replace a rotation that has not ended; and one superuser is enough for a role. */
const PLAYABLE = scenarios(false).filter(({ name, shared }) => !shared && !name.includes('that was replaced'));

test('sampled schedules end on the lab and a real PostgreSQL as they do in memory', {
  timeout: 3_600_000,
}, async () => {
  const random = randomFrom(SEED);
  const recordings: Recording[] = [];
  for (const scenario of PLAYABLE)
    for (let sample = 0; sample < SAMPLES; sample++) {
      const recording = await record(scenario, random);
      if (recording !== undefined) recordings.push(recording);
    }
  const server = await sharedServer();
  await using scope = roleScope(server);
  const wrong: unknown[] = [];
  const queue = [...recordings];
  const lane = async () => await server.withClient(async (admin) => await work({ account, server, scope, admin }));
  const work = async (around: RealSurroundings) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { scenario, schedule, outcome } = next;
      const real = await replayReally(next, around).catch((error: unknown) => String(error));
      try {
        expect(real).toEqual(outcome);
      } catch {
        wrong.push({ scenario: scenario.name, schedule, inMemory: outcome, real });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  process.stdout.write(`Replayed ${recordings.length} schedules of ${PLAYABLE.length} scenarios, FC_SEED=${SEED}\n`);
  expect(wrong).toEqual([]);
  expect(recordings.length).toBeGreaterThan(PLAYABLE.length * SAMPLES * 0.7);
});
