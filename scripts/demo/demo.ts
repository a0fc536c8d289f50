import { unlessAborted } from '../lab/command/interruption.ts';
import { duration, green, plural, red } from '../lab/command/text.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { showAlternatingUsers } from './alternating-users.ts';
import { Page } from './page.ts';
import { showSingleUser } from './single-user.ts';

/** Shows both strategies at work on a lab of its own, which it removes. @returns the exit code: 0 if all was checked and held. */
export async function demo(write: (text: string) => void, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  // What is still under way when Ctrl-C comes has nothing more to say.
  const page = new Page((text) => {
    if (!signal.aborted) write(text);
  });
  try {
    await using lab = await startLab({ seed: false, signal });
    await unlessAborted(signal, show(lab, page, signal));
  } catch (error) {
    if (signal.aborted) {
      write('\nInterrupted. Everything was stopped and removed.');
      throw error;
    }
    const message = error instanceof Error ? error.message : String(error);
    page.check(`the demo goes on to its end: ${message}`, false);
  }
  return conclude(page, write, performance.now() - startedAt);
}

async function show(lab: Lab, page: Page, signal: AbortSignal): Promise<void> {
  const { database, endpoint } = lab;
  page.table([
    [`PostgreSQL ${database.version}`, `${database.host}:${database.port}`, 'embedded, on this machine only'],
    ['Secrets Manager', endpoint, 'local, speaks the protocol of AWS'],
    ['Rotation functions', 'dist/', 'as they are deployed, in processes of their own'],
  ]);
  await showSingleUser(lab, page, signal);
  await showAlternatingUsers(lab, page, signal);
}

function conclude({ checks, failed }: Page, write: (text: string) => void, ms: number): number {
  if (failed.length > 0) {
    const list = failed.map((sentence) => `  ${sentence}`).join('\n');
    write(`\n${red(`${failed.length} of ${plural(checks, 'check')} failed:`)}\n${list}\nNothing was left behind.`);
    return 1;
  }
  write(`\n${green(`All ${plural(checks, 'check')} passed`)} in ${duration(ms)}. Nothing was left behind.`);
  return 0;
}
