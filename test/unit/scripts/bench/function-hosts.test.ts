import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, getPriority, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FunctionHosts } from '../../../../scripts/bench/function-hosts.ts';
import { TIMEOUT_MS } from '../../../../scripts/bench/timeout.mjs';
import type { Step } from '../../../../shared/rotation/event.ts';

/** Fails by what it is asked to tell: how often this instance was called, or how much time it has. */
const FUNCTION = `
  let calls = 0;
  export async function handler({ SecretId, Step }, context) {
    calls++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (Step === 'createSecret') return;
    if (Step === 'finishSecret') process.exit(1);
    const { getPriority } = process.getBuiltinModule('node:os');
    const told =
      SecretId === 'priority' ? getPriority() : Step === 'setSecret' ? calls : context.getRemainingTimeInMillis();
    throw Object.assign(new Error(String(told)), { code: 'TOLD' });
  }`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'function-hosts-'));
  await writeFile(join(folder, 'index.mjs'), FUNCTION);
});
afterAll(() => rm(folder, { recursive: true }));

const start = (concurrency: number) =>
  FunctionHosts.start(join(folder, 'index.mjs'), {}, { concurrency, processes: 2 });
const event = (Step: Step) => ({ Step, SecretId: 'arn', ClientRequestToken: 't' });
const times = async (count: number, work: () => Promise<string | undefined>) =>
  (await Promise.all(Array.from({ length: count }, work))).sort();

describe("instances that stand in for Lambda's", () => {
  it('have a state of their own each, and are taken again before a new one is made', async () => {
    await using hosts = await start(4);
    expect(await times(4, () => hosts.invoke(event('setSecret')))).toEqual(new Array(4).fill('TOLD: 1'));
    expect(await times(4, () => hosts.invoke(event('setSecret')))).toEqual(new Array(4).fill('TOLD: 2'));
    expect(hosts.peak).toBe(4);
  });

  it('are no more than the limit: whoever comes later waits', async () => {
    await using hosts = await start(2);
    const told = await times(6, () => hosts.invoke(event('setSecret')));
    expect(hosts.peak).toBe(2);
    expect(hosts.invocations).toBe(6);
    // Two instances between them had six calls.
    expect(told.filter((each) => each === 'TOLD: 1')).toHaveLength(2);
    expect(told).not.toContain('TOLD: 6');
  });

  it('have the time-out of the template, and answer nothing where all is well', async () => {
    await using hosts = await start(1);
    expect(await hosts.invoke(event('createSecret'))).toBeUndefined();
    const [, left] = /^TOLD: (\d+)$/.exec((await hosts.invoke(event('testSecret'))) ?? '') ?? [];
    expect(Number(left)).toBeGreaterThan(TIMEOUT_MS / 2);
    expect(Number(left)).toBeLessThanOrEqual(TIMEOUT_MS);
  });

  it('go before the server on the CPUs, where that is allowed', async () => {
    await using hosts = await start(1);
    const own = getPriority();
    let isAllowed = true;
    try {
      setPriority(constants.priority.PRIORITY_HIGH);
      setPriority(own);
    } catch {
      isAllowed = false;
    }
    const told = await hosts.invoke({ ...event('setSecret'), SecretId: 'priority' });
    expect(told).toBe(`TOLD: ${isAllowed ? constants.priority.PRIORITY_HIGH : own}`);
  });

  it('leave nobody waiting where their process ends, or never starts', async () => {
    await using hosts = await start(2);
    const calls = [hosts.invoke(event('finishSecret')), hosts.invoke(event('finishSecret'))];
    expect(await Promise.all(calls)).toEqual(new Array(2).fill('HOST_ENDED: its answer was lost.'));
    expect(await hosts.invoke(event('setSecret'))).toBe('HOST_ENDED: none is left.');
    const nowhere = FunctionHosts.start(join(folder, 'none.mjs'), {}, { concurrency: 1, processes: 1 });
    await expect(nowhere).rejects.toThrow('was to answer, and ended');
  });
});
