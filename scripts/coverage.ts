/**
 * `npm run test:coverage -- <what vitest takes>`: which lines the tests reach, those in the processes that they start
 * included: the built functions, by their source maps, and `rotation`. A process that a test kills writes nothing, so
 * that what only runs in such a one counts as not reached.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { table } from '../shared/terminal/table.ts';
import { type FilesCoverage, type Lines, linesOf, reach } from './coverage/lines.ts';
import { reachedInProcesses } from './coverage/processes.ts';
import { forgetShell } from './lab/shell.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, 'coverage');
const PROCESSES = join(FOLDER, 'processes');
/** The products and what they share. */
const MEASURED = ['functions', 'client', 'cli', 'shared'];

async function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(process.execPath, [join(ROOT, 'node_modules', script), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
}

/** The processes know each line of a built file; what counts as a line at all says vitest, which reads the sources. */
async function reached(): Promise<Map<string, Lines>> {
  const ofTests: FilesCoverage = JSON.parse(await readFile(join(FOLDER, 'tests', 'coverage-final.json'), 'utf8'));
  const files = linesOf(ofTests, ROOT);
  const inProcesses = await reachedInProcesses(PROCESSES, ROOT);
  for (const [path, lines] of files) {
    for (const line of lines.keys()) reach(lines, line, inProcesses.get(path)?.get(line) === true);
  }
  return files;
}

const roomOf = (path: string) =>
  path
    .split('/')
    .slice(0, path.startsWith('shared/') ? 2 : 1)
    .join('/');

function report(files: ReadonlyMap<string, Lines>): string[] {
  const rooms = Map.groupBy(files, ([path]) => roomOf(path));
  const rows = Array.from(rooms, ([room, members]) => {
    const lines = members.flatMap(([, each]) => [...each.values()]);
    const hit = lines.filter(Boolean).length;
    return [
      room,
      lines.length,
      hit,
      { right: lines.length === 0 ? '' : `${((100 * hit) / lines.length).toFixed(1)} %` },
    ];
  });
  return table([
    ['', { right: 'lines' }, { right: 'reached' }, ''],
    ...rows.sort(([a], [b]) => (`${a}` < `${b}` ? -1 : 1)),
  ]);
}

/** In the form that editors read: `file:line` of all that no test reaches. */
const unreached = (files: ReadonlyMap<string, Lines>) =>
  [...files]
    .flatMap(([path, lines]) => [...lines].filter(([, hit]) => !hit).map(([line]) => `${path}:${line}\n`))
    .join('');

forgetShell();
await rm(FOLDER, { recursive: true, force: true });
await mkdir(PROCESSES, { recursive: true });
const include = MEASURED.map((folder) => `--coverage.include=${folder}/**/*.ts`);
const settings = ['--coverage.enabled', '--coverage.provider=v8', '--coverage.reporter=json', ...include];
const tests = await run(
  'vitest/vitest.mjs',
  [
    'run',
    ...settings,
    `--coverage.reportsDirectory=${join(FOLDER, 'tests')}`,
    '--coverage.reportOnFailure',
    ...process.argv.slice(2),
  ],
  { COVERAGE_FOLDER: PROCESSES },
);
const files = await reached();
for (const line of report(files)) console.log(line);
await writeFile(join(FOLDER, 'unreached.txt'), unreached(files));
console.log('Every line that no test reaches: coverage/unreached.txt');
process.exitCode = tests;
