import type { Command } from 'commander';
import { type Client, escapeIdentifier } from 'pg';
import { ExplicitClient } from '../../shared/database/client-options.ts';
import { TWIN_SUFFIX } from '../../shared/secret/database-secret.ts';
import { connectionFrom } from '../adopt-clone/connection.ts';
import { type Handover, handOver, planHandovers } from '../adopt-clone/handovers.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Runner } from '../options.ts';

const MORE = `
The connection is taken from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE (default: postgres) and PGSSLMODE
(verify-full, the default, no-verify or disable), and from nothing else. The user must be a superuser, or a member of
both roles. Privileges are not changed.

Examples:
  $ rotation adopt-clone --base app --clone app_clone
  $ rotation adopt-clone --base app --clone app_clone --apply`;

interface AdoptCloneOptions {
  readonly base: string;
  readonly clone?: string;
  readonly apply?: boolean;
}

export function addAdoptClone(program: Command, run: Runner): void {
  program
    .command('adopt-clone')
    .summary("hand the objects of a clone that AWS's function made to its user")
    .description(
      "Hands the objects that an alternating login of AWS's rotation function owns to the user that it is a clone of. Asks the database alone, and no AWS, whatever the options for AWS say.",
    )
    .requiredOption('--base <name>', "the application's user, such as app")
    .option(
      '--clone <name>',
      "its second login (default: the base's name with _clone appended); to be named where it does not act as the base yet (ALTER ROLE … SET role), since a membership alone proves nothing",
    )
    .option('--apply', 'do it; without, only show the SQL')
    .addHelpText('after', MORE)
    // Commander gives a command without arguments its options first.
    .action((options: AdoptCloneOptions) => run((context) => adoptClone(context, options))(undefined, options));
}

async function adoptClone(
  { output }: Context,
  { base, apply = false, ...named }: AdoptCloneOptions,
): Promise<ExitCode> {
  const clone = named.clone ?? base + TWIN_SUFFIX;
  const handovers = await planHandovers(connect, { base, clone, named: named.clone !== undefined });
  if (handovers.length === 0) output.line(comment(`${escapeIdentifier(clone)} owns nothing: there is nothing to do.`));
  for (const handover of handovers) {
    for (const line of told(handover)) output.line(line);
    if (!apply) continue;
    await handOver(connect, handover);
    output.line('-- done');
  }
  if (handovers.length > 0 && !apply) output.line('-- Nothing was changed. Run it again with --apply to do this.');
  output.result({ base, clone, applied: apply, handovers });
  return EXIT.done;
}

function told({ database, objects, sql }: Handover): readonly string[] {
  const objectLines = objects.map((object) => comment(`  ${object}`));
  return [comment(`In the database ${escapeIdentifier(database)}:`), ...objectLines, `${sql};`];
}

/** One line of SQL that does nothing, whatever the text: who names an object may put a line break into its name. */
function comment(text: string): string {
  return `-- ${text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}')}`;
}

async function connect(database?: string): Promise<Client> {
  const options = connectionFrom(process.env);
  const client = new ExplicitClient({ ...options, database: database ?? options.database });
  await client.connect();
  return client;
}
