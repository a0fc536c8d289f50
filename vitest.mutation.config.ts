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
    // These say nothing of mutants: that planted faults are found, and what the sources' text looks like.
    exclude: ['test/unit/rotation/simulation/planted.test.ts', 'test/unit/rotation/remedies.test.ts'],
  },
});
