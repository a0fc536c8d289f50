/**
 * What a rotation costs, and how fast it is. `npm run bench -- --help` lists the benchmarks.
 *
 * Each is loaded only if it is asked for: `stdio` is a process that others time.
 */
import { type Options, parseOptions, type StartOptions, type StdioOptions } from './bench/options.ts';
import { tell } from './lab/command/command-line.ts';
import { forgetShell } from './lab/shell.ts';

const options = understood();
// A function's process lives by its environment: what it is to find there, whoever measures it has put there.
if (options !== undefined && options.command !== 'stdio') forgetShell();
if (options !== undefined) await run(options);

/** The command line; where it can't be understood, or help was all that it asked for, the exit code is set. */
function understood(): Options | StartOptions | StdioOptions | undefined {
  try {
    return parseOptions(process.argv.slice(2), process.env);
  } catch (error) {
    process.exitCode = tell(error, 'npm run bench');
    return undefined;
  }
}

async function run(options: Options | StartOptions | StdioOptions): Promise<void> {
  switch (options.command) {
    case 'stdio':
      return (await import('./bench/stdio.ts')).serveStdio(options.strategy);
    case 'start':
      return await (await import('./bench/start.ts')).tellStart();
    case 'plots':
      return (await import('./bench/plots.ts')).drawPlots();
    default: {
      const { report } = await import('./bench/report.ts');
      await report(options);
    }
  }
}
