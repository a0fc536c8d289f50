/**
 * `npm run test:soak -- <minutes>`: the model check for so many minutes, and a crash at every point of a rotation in
 * every way, on every PostgreSQL there is; and the simulation with larger bounds. FC_SEED and FC_PATH replay what the model check found.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { readArguments, UsageError, understood } from './lab/command/command-line.ts';
import { forgetShell } from './lab/shell.ts';

const SUITES = [
  ...['single-user', 'alternating-users', 'three-at-a-time'].map(
    (name) => `test/unit/rotation/simulation/${name}.test.ts`,
  ),
  ...['model', 'hostile', 'crash-everywhere', 'simulation', 'pinned-sessions'].map(
    (name) => `test/integration/resilience/${name}.test.ts`,
  ),
  ...['model', 'examples'].map((name) => `test/integration/client/${name}.test.ts`),
];

const program = new Command('npm run test:soak --')
  .description(
    'The model check for so many minutes, and a crash at every point of a rotation in every way, on every PostgreSQL there is; the simulation with larger bounds; and the samples of docs/applications.md with their libraries, which are installed for it (400 MB). What the model check finds is replayed by FC_SEED and FC_PATH, which it prints.',
  )
  .argument('[minutes]', 'of the model check', '30');

function readMinutes(): number {
  const [text] = readArguments(program, process.argv.slice(2)).processedArgs;
  const minutes = Number(text);
  if (minutes > 0) return minutes;
  throw new UsageError('The minutes of the model check were needed, such as: npm run test:soak -- 30.');
}

const minutes = understood('npm run test:soak', readMinutes);
forgetShell();
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const run = spawn(process.execPath, [vitest, 'run', ...SUITES], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: String(minutes) },
});
const [code] = await once(run, 'exit');
process.exitCode = typeof code === 'number' ? code : 1;
