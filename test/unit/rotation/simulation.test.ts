import { describe, expect, it, vi } from 'vitest';
import { explore, Violation } from '../../support/simulation/explore.ts';
import { scenarios } from '../../support/simulation/scenarios.ts';
import { time } from '../../support/simulation/time.ts';

vi.mock('node:timers/promises', async () => ({
  setTimeout: (await import('../../support/simulation/time.ts')).time.sleep,
}));
vi.spyOn(performance, 'now').mockImplementation(time.now);
vi.spyOn(Date, 'now').mockImplementation(time.now);
const clock = () => Number(process.hrtime.bigint() / 1_000_000n);

it.each(scenarios(false))('$name', async (scenario) => {
    const t = clock();
    const c = await explore(scenario);
    console.log(scenario.name, String(c.schedules), c.states, c.plays, c.ends.length, clock() - t, 'ms');
}, 600000);
