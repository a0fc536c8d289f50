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
    // Shows that planted faults are found: of mutants it says nothing. And what small bounds leave out.
    exclude: ['planted', 'three-at-a-time'].map((name) => `test/unit/rotation/simulation/${name}.test.ts`),
  },
});
