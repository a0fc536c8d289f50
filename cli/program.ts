import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommanderError } from 'commander';
import description from '../package.json' with { type: 'json' };
import { unlessAborted } from '../shared/terminal/interruption.ts';
import type { AwsOptions } from './clients.ts';
import { commandsOn } from './commands.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { asCommandError, type CommandError, usage } from './failures.ts';
import type { Runner } from './options.ts';
import { Output } from './output.ts';

const AFTER = `
Exit codes:
  0  done, and nothing is wrong
  1  AWS refused a call or could not be reached, or there is no secret of those that were asked for
  2  the command line makes no sense
  3  something is not well: a rotation failed, a secret is stuck, a check found something broken
  4  refused before anything was changed
  5  not known: watching ended first, or the new login could not be tried from here
  130  Ctrl-C

Credentials, region and endpoint come from where the AWS CLI has them. No password is ever an argument or shown.`;

/** What may be said once for all, by an environment variable; an option has the last word. */
const VARIABLES: Readonly<Record<string, string>> = {
  '--ca-file': 'ROTATION_CA_FILE',
  '--lang': 'ROTATION_LANG',
};

/** Runs the command. @returns its exit code. @param signal is aborted by Ctrl-C. */
export async function runRotation(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let exitCode: number = EXIT.done;
  // Behind -- stands what is for another program.
  const json = (argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv).includes('--json');
  const program = new Command('rotation');
  const contextOf = async (ids: readonly string[]): Promise<Context> => {
    const [{ Aws }, { Prompts }, { regionOfSecrets }] = await Promise.all([
      import('./clients.ts'),
      import('./prompts.ts'),
      import('./secrets.ts'),
    ]);
    const { json = false, ...options } = program.opts<AwsOptions & { json?: true }>();
    const output = new Output(json);
    const prompts = new Prompts(signal, json);
    const askMfaCode = async (device: string) => {
      output.busy(undefined);
      return await prompts.mfaCode(device);
    };
    const place = { ...options, ...regionOfSecrets(ids) };
    const aws = new Aws(place, prompts.interactive ? askMfaCode : undefined);
    return { aws, output, prompts, signal };
  };
  const run: Runner = (work) => async (argument, options) => {
    const context = await contextOf(argument === undefined ? [] : [argument].flat().map(String));
    try {
      exitCode = (await unlessLeft(signal, work(context, argument, options))) ?? EXIT.interrupted;
    } finally {
      context.output.busy(undefined);
    }
  };

  program
    .description('Creates, attaches, rotates and examines PostgreSQL secrets in AWS Secrets Manager.')
    .option('--region <region>', 'AWS region')
    .option('--profile <profile>', 'profile of the AWS configuration files')
    .option('--endpoint-url <url>', 'where every AWS service is asked, such as a lab')
    .option('--json', 'the result as JSON on stdout, for programs')
    .addHelpText('after', AFTER)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput(json ? { writeErr: () => undefined } : {})
    .exitOverride();
  for (const add of await commandsOn(argv)) add(program, run);
  for (const command of program.commands) {
    command.exitOverride();
    for (const option of command.options) {
      const variable = VARIABLES[option.long ?? ''];
      if (variable !== undefined) option.env(variable);
    }
  }
  // Which version of a secret is a question of these two; commander would answer with the package's.
  if (!argv.some((word) => ['psql', 'run'].includes(word))) program.version(description.version);

  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const failure = error instanceof CommanderError ? misused(error) : asCommandError(error);
    // Commander has told its own errors, but for programs.
    if (json || !(error instanceof CommanderError)) new Output(json).error(failure);
    return failure.exitCode;
  }
}

/** What a command may take, in ms, to say goodbye after Ctrl-C, before it is left alone with whatever does not answer. */
const GOODBYE_MS = 1_500;

/** @returns what `work` does; undefined where it goes on too long after Ctrl-C. */
async function unlessLeft<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  return await unlessAborted(signal, work).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return Promise.race([work, sleep(GOODBYE_MS, undefined)]);
  });
}

function misused({ code, message }: CommanderError): CommandError {
  return usage(code === 'commander.help' ? 'A subcommand was needed, found none.' : message.replace(/^error: /, ''));
}
