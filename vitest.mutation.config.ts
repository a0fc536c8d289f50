import { defineConfig } from 'vitest/config';

/**
 * What `npm run test:mutation` runs against each mutant: the unit tests of what is mutated, and the simulation, of which each
 * mutant takes only the tests that come by it.
 */
export default defineConfig({
  test: {
    env: { SIMULATION_BOUNDS: 'small' },
    testTimeout: 120_000,
    include: ['test/unit/rotation/**/*.test.ts', 'test/unit/database/twin-plan*.test.ts'],
    // These say nothing of mutants: that planted faults are found, what the sources' text looks like, what small bounds leave out.
    exclude: ['simulation/planted', 'simulation/three-at-a-time', 'remedies-in-sources'].map(
      (name) => `test/unit/rotation/${name}.test.ts`,
    ),
  },
});
