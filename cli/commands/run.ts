/** `rotation psql` and `rotation run`: a program that is logged in by PG* variables, which only it gets. */
import { type Command, Option } from 'commander';
import { parseDatabaseSecret } from '../../shared/secret/database-secret.ts';
import { runChild } from '../child.ts';
import type { Context } from '../context.ts';
import { refused, usage } from '../failures.ts';
import { caFile, type Runner } from '../options.ts';
import { pgEnvironment } from '../pg-environment.ts';
import { describeSecret, readVersion } from '../secrets.ts';

const PSQL_EXAMPLES = `
Examples:
  $ rotation psql prod/shop
  $ rotation psql prod/shop -- -c 'select current_user'
  $ rotation psql prod/shop --version previous       does the login before the last rotation still work?`;

const RUN_EXAMPLES = `
Examples:
  $ rotation run prod/shop -- pg_dump -Fc -f shop.dump
  $ rotation run prod/shop -- npm run migrate

The program gets PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE=verify-full and PGSSLROOTCERT, and none of
your own PG* variables that say where to log in. It keeps the password that was right when it began.`;

const LABELS = { current: 'AWSCURRENT', previous: 'AWSPREVIOUS', pending: 'AWSPENDING' } as const;

interface RunOptions {
  readonly version: keyof typeof LABELS;
  readonly caFile?: string;
}

export function addRun(program: Command, run: Runner): void {
  withOptions(
    program
      .command('psql')
      .summary('psql, logged in as a secret says')
      .description('Starts psql with the login of a secret. What follows -- goes to psql.')
      .argument('<secret>', 'name or ARN')
      .argument('[args...]', 'for psql, behind --'),
  )
    .addHelpText('after', PSQL_EXAMPLES)
    .action(async (secret: string, args: readonly string[], options: RunOptions) => {
      await run((context, id: string, given: RunOptions) => runAs(context, id, ['psql', ...args], given))(
        secret,
        options,
      );
    });
  withOptions(
    program
      .command('run')
      .summary('any program, with PG* variables of a secret')
      .description('Runs a program that finds the login of a secret in its PG* variables. It ends as the program does.')
      .argument('<secret>', 'name or ARN')
      .argument('[command...]', 'the program and its arguments, behind --'),
  )
    .addHelpText('after', RUN_EXAMPLES)
    .action(async (secret: string, words: readonly string[], options: RunOptions) => {
      await run((context, id: string, given: RunOptions) => runAs(context, id, words, given))(secret, options);
    });
}

function withOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--version <version>', 'of the secret').choices(Object.keys(LABELS)).default('current', 'current'),
    )
    .option('--ca-file <file>', "CA certificates (PEM) to verify the server's with; for RDS Amazon's bundle", caFile);
}

async function runAs(
  context: Context,
  id: string,
  [command, ...args]: readonly string[],
  { version, caFile }: RunOptions,
): Promise<number> {
  if (command === undefined) throw usage('A program was needed behind --, found none.');
  if (context.output.json) throw usage('--json does not go with a program that writes what it likes.');
  context.output.busy('reading the secret …');
  const secret = await describeSecret(context, id);
  const label = LABELS[version];
  const stored = await readVersion(context, secret.ARN, { VersionStage: label });
  if (stored === undefined) {
    throw refused('NO_SUCH_VERSION', `${secret.Name} must have a version with ${label} and a value, and it has none.`);
  }
  const environment = await pgEnvironment(parseDatabaseSecret(stored.text), { caFile });
  context.output.busy(undefined);
  return await runChild(command, args, environment);
}
