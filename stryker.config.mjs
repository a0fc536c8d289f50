export default {
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  mutate: ['shared/rotation/*.ts', '!shared/rotation/ports.ts', 'shared/database/twin-plan.ts'],
  ignorePatterns: ['dist', 'docs', 'coverage', 'test-results', 'examples'],
  // Stryker would rewrite it by TypeScript's JavaScript interface, which TypeScript 7 has not; nothing here compiles by it.
  tsconfigFile: 'none',
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // A mutant that retries for ever is a dead one.
  timeoutMS: 10_000,
  dryRunTimeoutMinutes: 30,
  reporters: ['clear-text', 'html', 'json', 'progress'],
  htmlReporter: { fileName: 'test-results/mutation.html' },
  jsonReporter: { fileName: 'test-results/mutation.json' },
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  thresholds: { high: 98, low: 95, break: 95 },
  tempDirName: '.stryker-tmp',
  allowEmpty: true,
};
