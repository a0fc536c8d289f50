import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SecretLogin } from '../../../client/index.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { arrange } from '../../support/arrangement.ts';
import { labLogin, logInByHand, poolOfOneQuery } from '../../support/login-clients.ts';
import { type LoadResult, LoginLoad } from '../../support/login-load.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { RotationBench } from '../../support/rotation-bench.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

const ROTATIONS = 20;
/** Logins a second, of each application. */
const RATE = 20;
/** How far apart the steps of a slow rotation are, in seconds. */
const APART = 3;

let bench: RotationBench;
beforeAll(async () => {
  bench = await RotationBench.open();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Two applications at once: one with a pool, one whose clients connect each for themselves. */
async function whileLoggingIn(secret: TestSecret, rotate: (loads: readonly LoginLoad[]) => Promise<void>) {
  const logins = [labLogin(bench.lab, secret.arn), labLogin(bench.lab, secret.arn)] as const;
  const pool = poolOfOneQuery(logins[0]);
  const calls = callsFor(secret);
  const onPool = new LoginLoad(async () => void (await pool.query('SELECT 1')), RATE);
  const byHand = new LoginLoad(() => logInByHand(logins[1]), RATE);
  await Promise.all([onPool.more(5), byHand.more(5)]);
  const pendingUsed = logins.map(countPendingUsed);
  await rotate([onPool, byHand]);
  await Promise.all([onPool.more(5), byHand.more(5)]);
  const results = [await onPool.end(), await byHand.end()] as const;
  await pool.end();
  return { results, pendingUsed: pendingUsed.map((count) => count()), calls: calls() };
}

function countPendingUsed(login: SecretLogin): () => number {
  let times = 0;
  login.on('pendingUsed', () => {
    times += 1;
  });
  return () => times;
}

/** How often applications read this secret. */
function callsFor(secret: TestSecret): () => number {
  const count = () =>
    bench.lab.requests
      .all()
      .filter(({ secretId, userAgent }) => secretId === secret.arn && !userAgent?.includes('exec-env/AWS_Lambda'))
      .filter(({ operation }) => operation === 'GetSecretValue').length;
  const before = count();
  return () => count() - before;
}

async function rotateInTurn(secret: TestSecret, loads: readonly LoginLoad[]): Promise<void> {
  for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    await Promise.all(loads.map((load) => load.more(1)));
  }
}

/** One rotation, with three seconds' logins between its steps. */
async function rotateSlowly(secret: TestSecret, loads: readonly LoginLoad[]): Promise<void> {
  const token = await secret.begin();
  for (const step of STEPS) {
    await Promise.all(loads.map((load) => load.more(RATE * APART)));
    expect(await secret.step(step, token)).not.toMatchObject({ outcome: 'failed' });
  }
}

function expectNoneRefused(results: readonly LoadResult[], what: string): void {
  const words = results.map(({ tried, slowestMs }) => `${tried} logins, the slowest ${Math.round(slowestMs)} ms`);
  process.stdout.write(`${what}: pool ${words[0]}; clients ${words[1]}.\n`);
  for (const { tried, refused, problems } of results) {
    expect(problems).toEqual([]);
    expect(refused).toBe(0);
    expect(tried).toBeGreaterThan(0);
  }
}

describe('single user', () => {
  test(`no application sees a refused login in ${ROTATIONS} rotations back to back`, async () => {
    await using here = await arrange(bench, await sharedServer(), { strategy: 'single-user' });
    const { results } = await whileLoggingIn(here.secret, (loads) => rotateInTurn(here.secret, loads));
    expectNoneRefused(results, 'Single user, back to back');
  }, 120_000);

  test('nor while the steps of a rotation are 3 s apart, with a handful of calls to Secrets Manager', async () => {
    await using here = await arrange(bench, await sharedServer(), { strategy: 'single-user' });
    const { results, pendingUsed, calls } = await whileLoggingIn(here.secret, (loads) =>
      rotateSlowly(here.secret, loads),
    );
    expectNoneRefused(results, 'Single user, 3 s apart');
    expect(pendingUsed).toEqual([1, 1]);
    // Two logins: AWSCURRENT at first, anew after the refusal, AWSPENDING, and every 5 s from then on.
    expect(calls).toBeLessThanOrEqual(2 * 5);
  }, 120_000);
});

describe('alternating users', () => {
  test(`no application sees a refused login in ${ROTATIONS} rotations back to back`, async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(bench, scope);
    const { results } = await whileLoggingIn(app.secret, (loads) => rotateInTurn(app.secret, loads));
    expectNoneRefused(results, 'Alternating users, back to back');
  }, 120_000);

  test('nor while the steps of a rotation are 3 s apart', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(bench, scope);
    const { results } = await whileLoggingIn(app.secret, async (loads) => {
      await app.rotate();
      await rotateSlowly(app.secret, loads);
    });
    expectNoneRefused(results, 'Alternating users, 3 s apart');
  }, 120_000);
});

test('sessions that are open live through rotations, and new ones beside them log in with the new password', async () => {
  await using here = await arrange(bench, await sharedServer(), { strategy: 'single-user' });
  const login = labLogin(bench.lab, here.secret.arn);
  const pool = poolOfOneQuery(login);
  const session = await pool.connect();
  const pid = async () => (await session.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
  try {
    const before = await pid();
    const { versionId } = await login.current();
    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    await waitFor('a new session', async () => (await pool.query('SELECT 1')).rowCount ?? undefined);
    expect((await login.current()).versionId).not.toBe(versionId);
    expect(await pid()).toBe(before);
  } finally {
    session.release();
    await pool.end();
  }
});
