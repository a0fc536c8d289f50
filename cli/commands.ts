/** Which subcommands there are, in the order of the help. Only what a line names is loaded: the rest takes longer than the work. */
import type { Command } from 'commander';
import type { Runner } from './options.ts';

type Add = (program: Command, run: Runner) => void;

const COMMANDS: readonly (readonly [names: readonly string[], load: () => Promise<Add>])[] = [
  [['create'], async () => (await import('./commands/create.ts')).addCreate],
  [['attach'], async () => (await import('./commands/attach.ts')).addAttach],
  [['now'], async () => (await import('./commands/now.ts')).addNow],
  [['rollback'], async () => (await import('./commands/rollback.ts')).addRollback],
  [['status'], async () => (await import('./commands/status.ts')).addStatus],
  [['doctor'], async () => (await import('./commands/doctor.ts')).addDoctor],
  [['adopt-clone'], async () => (await import('./commands/adopt-clone.ts')).addAdoptClone],
  [['coverage'], async () => (await import('./commands/coverage.ts')).addCoverage],
  [['report'], async () => (await import('./commands/report.ts')).addReport],
  [['history'], async () => (await import('./commands/history.ts')).addHistory],
  [['pause', 'resume', 'detach'], async () => (await import('./commands/hold.ts')).addHold],
  [['update'], async () => (await import('./commands/update.ts')).addUpdate],
  [['psql', 'run'], async () => (await import('./commands/run.ts')).addRun],
  [['code'], async () => (await import('./commands/code.ts')).addCode],
  [['completion', '__complete'], async () => (await import('./commands/completion.ts')).addCompletion],
];

/**
 * The subcommands that a line may mean. Each word that names one counts, wherever it stands: which of them is an
 * option's value is not known here. Without any it is all of them, for the help, and for completion too.
 */
export async function commandsOn(argv: readonly string[]): Promise<readonly Add[]> {
  const named = COMMANDS.filter(([names]) => names.some((name) => argv.includes(name)));
  if (named.length === 0 && argv.length === 1 && argv[0] === '--version') return [];
  const wanted = named.length === 0 || argv.includes('__complete') ? COMMANDS : named;
  return await Promise.all(wanted.map(([, load]) => load()));
}
