/** Prints the counts of a Vitest JSON report as one plain line. */
import { readFile } from 'node:fs/promises';

const report = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Record<string, number>;
const { numPassedTests, numFailedTests, numPendingTests } = report;
process.stdout.write(`\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped\n`);
