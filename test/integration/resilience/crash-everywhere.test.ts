import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { crashAt, recordPoints, type Start, VARIANTS, type Variant } from '../../support/crash/crash-run.ts';
import { Lane } from '../../support/crash/lane.ts';
import { type LeakWatch, watchLeaks } from '../../support/leaks.ts';
import { postgresVersions, startTestServer } from '../../support/postgres.ts';
import { clientOf } from '../../support/secrets-lab-client.ts';

/** The soak run tries every variant at every point, on every version; `npm test` one variant at each, in turn. */
const isSoak = process.env.SOAK_MINUTES !== undefined;
const versions = isSoak ? postgresVersions() : postgresVersions().slice(-1);
const LANES = 2;

interface Job {
  readonly point: string;
  readonly variant: Variant;
}

describe.each(versions)('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let lab: SecretsLab;
  let client: SecretsManagerClient;
  let leaks: LeakWatch;
  beforeAll(async () => {
    server = await startTestServer({ version });
    lab = await startSecretsManager({ retries: 0 });
    client = clientOf(lab);
    leaks = watchLeaks(lab);
  });
  afterAll(async () => {
    leaks?.verify();
    leaks?.verifyServerLog(await server.log());
    client?.destroy();
    await lab?.close();
    await server?.close();
  });

  test.each([
    ['of a single user', 'single-user', 'first', {}],
    ['of a single user whose AWSCURRENT is moved early', 'single-user', 'first', { PROMOTE: 'early' }],
    ['that makes the twin', 'alternating-users', 'first', {}],
    ["of the twins' base role", 'alternating-users', 'later', {}],
  ] as const)(
    'a crash at any moment of a rotation %s locks nobody out',
    { timeout: 1_800_000 },
    async (name, strategy, start, environment) => {
      const lanes = await Promise.all(
        Array.from({ length: LANES }, () =>
          Lane.open(strategy, { lab, client, server, leaks }, { spare: true, environment }),
        ),
      );
      try {
        const points = await recordTwice(lanes, start);
        const jobs = jobsFor(points);
        const wrong = await crashAll(lanes, strategy, start, jobs);
        process.stdout.write(`A rotation ${name}: ${points.length} points, ${jobs.length} crashes\n`);
        expect(wrong).toEqual([]);
      } finally {
        await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
      }
    },
  );
});

/**
 * Points that come in one recording only would make a run that covers less than it says. A login that is made anew, on a busy
 * machine, has more of them.
 */
async function recordTwice(lanes: readonly Lane[], start: Start): Promise<readonly string[]> {
  const recordings: (readonly string[])[] = [];
  for (let round = 0; round < 3; round++) {
    recordings.push(...(await Promise.all(lanes.map((lane) => recordPoints(lane, start)))));
  }
  const [first = [], second = []] = recordings.toSorted((a, b) => a.length - b.length);
  expect([...second].sort()).toEqual([...first].sort());
  for (const kind of ['PutSecretValue, request', 'PutSecretValue, answer', 'connect', '> Query', 'COMMIT'])
    expect(first.join('\n')).toContain(kind);
  return first;
}

function jobsFor(points: readonly string[]): Job[] {
  if (isSoak) return points.flatMap((point) => VARIANTS.map((variant) => ({ point, variant })));
  // Shifted by one after each round, because requests and answers, which take turns, would always get the same ones.
  return points.flatMap((point, index) => {
    const variant = VARIANTS[(index + Math.floor(index / VARIANTS.length)) % VARIANTS.length];
    return variant === undefined ? [] : [{ point, variant }];
  });
}

async function crashAll(
  lanes: readonly Lane[],
  strategy: StrategyName,
  start: Start,
  jobs: readonly Job[],
): Promise<string[]> {
  const queue = [...jobs];
  const wrong: string[] = [];
  const work = async (lane: Lane) => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const { point, variant } = job;
      const found = await crashAt(lane, start, point, variant);
      const where = `${strategy}, ${start}, ${variant.harm} at "${point}" and ${variant.afterwards}`;
      wrong.push(...found.map((what) => `${where}: ${what}`));
    }
  };
  await Promise.all(lanes.map(work));
  return wrong;
}
