import { afterAll, describe, expect, it, vi } from 'vitest';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { type Coverage, explore } from './explore.ts';
import { isSoak, type Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { time } from './time.ts';

/** Smaller ones, for mutants: calls go wrong nowhere, and two act at a time. */
const isSmall = process.env.SIMULATION_BOUNDS === 'small';

/** How many act beside each other: by this, a strategy's scenarios are in two files, which run beside each other. */
export type Company = 'two' | 'three';

function chosen(strategy: StrategyName, company: Company): readonly Scenario[] {
  const all = scenarios(isSoak).filter(
    (scenario) => scenario.strategy === strategy && scenario.parts.length > 2 === (company === 'three'),
  );
  if (!isSmall) return all;
  return all.filter(({ parts }) => parts.length < 3).map((scenario) => ({ ...scenario, faults: 0, lags: false }));
}

/** Has clocks show simulated time, as `node:timers/promises` must, which a test file mocks itself. */
export function simulateTime(): void {
  vi.spyOn(performance, 'now').mockImplementation(time.now);
  vi.spyOn(Date, 'now').mockImplementation(time.now);
  // A schedule that is played again must find the same number of tries.
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
}

/** Tests: every schedule of each scenario keeps every promise; says how many there were. */
export function playEvery(strategy: StrategyName, company: Company = 'two'): void {
  const covered: Coverage[] = [];
  const all = chosen(strategy, company);
  describe(`every interleaving of ${strategy} keeps every promise`, () => {
    it.each(all.map((scenario): [string, Scenario] => [scenario.name, scenario]))(
      '%s',
      { timeout: isSoak ? 3_600_000 : 600_000 },
      async (_, scenario) => {
        const coverage = await explore(scenario);
        covered.push(coverage);
        expect(coverage.schedules).toBeGreaterThan(0n);
      },
    );
    afterAll(() => {
      const schedules = covered.reduce((sum, each) => sum + each.schedules, 0n);
      const states = covered.reduce((sum, each) => sum + each.states, 0);
      const plays = covered.reduce((sum, each) => sum + each.plays, 0);
      process.stdout.write(
        `Simulation of ${strategy}, ${company} at a time: ${covered.length} scenarios, ${schedules.toLocaleString('en')} schedules through ${states.toLocaleString('en')} distinct states, in ${plays.toLocaleString('en')} plays\n`,
      );
    });
  });
}
