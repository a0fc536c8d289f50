/**
 * `npm run test:soak -- <minutes>`: the model check for so many minutes, and a crash at every point of a rotation in
 * every way, on every PostgreSQL there is. FC_SEED and FC_PATH replay what the model check found.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SUITES = [
  ...['model', 'hostile', 'crash-everywhere'].map((name) => `test/integration/resilience/${name}.test.ts`),
  ...['model', 'examples'].map((name) => `test/integration/client/${name}.test.ts`),
];

const USAGE = `npm run test:soak -- [minutes]

The model check for so many minutes (30), and a crash at every point of a rotation in every way, on every PostgreSQL
there is; and the examples of docs/applications.md with their libraries, which are installed for it (400 MB). What the
model check finds is replayed by FC_SEED and FC_PATH, which it prints.
`;

const argument = process.argv[2] ?? '30';
if (argument === '--help' || argument === '-h') {
  process.stdout.write(USAGE);
  process.exit();
}
const minutes = Number(argument);
if (!(minutes > 0)) {
  console.error('The minutes of the model check were needed, such as: npm run test:soak -- 30');
  process.exit(2);
}
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const run = spawn(process.execPath, [vitest, 'run', '--project', 'integration', ...SUITES], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: String(minutes) },
});
const [code] = await once(run, 'exit');
process.exitCode = typeof code === 'number' ? code : 1;
