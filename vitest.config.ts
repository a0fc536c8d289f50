import { defineConfig } from 'vitest/config';
import { forgetShell } from './scripts/lab/shell.ts';

// Before the workers start, which inherit what is left.
forgetShell();
// What the tests look at is not coloured, as what goes into a pipe; Vitest itself has read it by now.
delete process.env.FORCE_COLOR;
// What they and their programs call is on this machine: no proxy is asked for it.
const direct = [process.env.no_proxy || process.env.NO_PROXY, '127.0.0.1', 'localhost'].filter(Boolean).join(',');
Object.assign(process.env, { no_proxy: direct, NO_PROXY: direct });

/** Test files at a time: what they start takes the rest of a small machine. Vitest begins none where projects differ in it. */
const maxWorkers = 2;

export default defineConfig({
  test: {
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'test-results/vitest.json' }]] : ['default'],
    projects: [
      // Speed is judged by benchmarks: no test fails for a busy machine.
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000, maxWorkers } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          maxWorkers,
        },
      },
    ],
  },
});
