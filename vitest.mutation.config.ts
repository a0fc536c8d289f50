import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take seconds: most mutants are found before they begin. */
const SLOW = ['/proof.', '/way-back.', '/interleavings.'];
const slowness = ({ moduleId }: TestSpecification) => SLOW.findIndex((part) => moduleId.includes(part));

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => slowness(a) - slowness(b));
  }
}

const testsIn = (folder: string) => `test/unit/rotation/${folder}*.test.ts`;

/**
 * What `npm run test:mutation` runs against each mutant until one test fails: the unit tests of what is mutated, then the
 * simulation with small bounds; of both only the tests that come by the mutant.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: QuickFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: [testsIn(''), 'test/unit/database/twin-plan*.test.ts'],
          // What the sources' text looks like says nothing of mutants.
          exclude: [testsIn('remedies-in-sources')],
          // Enough for a machine that is busy: what does not end is found by Stryker.
          testTimeout: 120_000,
          // One worker for all files of a mutant: it loads what they test once.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'simulation',
          env: { SIMULATION_BOUNDS: 'small' },
          include: [testsIn('simulation/')],
          // That planted faults are found says nothing of mutants; what is left of the other one with small bounds is none.
          exclude: [testsIn('simulation/planted'), testsIn('simulation/three-at-a-time')],
          testTimeout: 120_000,
          // It replaces time, for which what uses time has to be loaded anew.
          isolate: true,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
