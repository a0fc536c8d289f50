/** `npm run lab`: an AWS account and a database on your desk. See `npm run lab -- --help`. */

import { runCommand, untilAborted } from '../shared/terminal/interruption.ts';
import { tell } from './lab/command/command-line.ts';
import { guide, readyLine } from './lab/command/guide.ts';
import { labNews } from './lab/command/news.ts';
import { type LabCommand, parseLabCommand } from './lab/command/options.ts';
import { containerEngineAnswers } from './lab/database/container.ts';
import { type Lab, type LabOptions, startLab } from './lab/lab.ts';
import { forgetShell } from './lab/shell.ts';

await runCommand(async (signal) => {
  const shell = forgetShell();
  let command: LabCommand;
  try {
    command = parseLabCommand(process.argv.slice(2), shell);
  } catch (error) {
    return tell(error, 'npm run lab');
  }
  warn(command);
  if (!command.json) console.log('Starting PostgreSQL, Secrets Manager and the rotation functions …');
  await using lab = await start({ ...command, signal });
  if (command.json) console.log(readyLine(lab));
  else show(lab, signal);
  await untilAborted(signal);
  if (!command.json) console.log('\nStopping …');
  return 0;
});

function warn({ postgres, seed }: LabCommand): void {
  if (!seed || !URL.canParse(postgres)) return;
  console.error(
    `The lab makes roles lab_… with a table each on ${new URL(postgres).host}, and drops them at its end; --no-seed makes none.`,
  );
}

async function start(options: LabOptions): Promise<Lab> {
  if (options.postgres === 'container' && !(await containerEngineAnswers())) {
    throw new Error(
      '--postgres container needs a container engine (Docker, Podman …), and none answered; --postgres embedded needs none.',
    );
  }
  try {
    return await startLab(options);
  } catch (error) {
    throw explained(error, options);
  }
}

/** The two errors that a person can do something about, as sentences. */
function explained(error: unknown, { port, postgres = '' }: LabOptions): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'EADDRINUSE') {
    return new Error(`The lab needs port ${port}, which another process has: choose one with --port.`);
  }
  if (!URL.canParse(postgres)) return error;
  const reason = error.message === '' ? error.code : error.message;
  return new Error(
    `The PostgreSQL server at ${new URL(postgres).host} must let the superuser log in, and did not: ${reason}`,
  );
}

function show(lab: Lab, signal: AbortSignal): void {
  process.stdout.write(guide(lab));
  const linesOf = labNews({ showDates: lab.timeScale !== 1 });
  lab.secretsManager.on((event) => {
    if (signal.aborted) return;
    for (const line of linesOf(event)) console.log(line);
  });
}
