/** `npm run adopt-clone`: hands what a clone made by AWS's function owns to the base role. See docs/adopting-aws-clones.md. */
import { parseArgs } from 'node:util';
import { type Client, escapeIdentifier } from 'pg';
import { ExplicitClient } from '../shared/database/client-options.ts';
import { handOver, planHandovers } from './adoption/adopt-clone.ts';
import { connectionFrom } from './adoption/connection.ts';

const HELP = `Hands the objects that an alternating login of AWS's rotation function owns to the user that it is a clone of.

  npm run adopt-clone -- --base NAME [--clone NAME] [--apply]

  --base NAME   the application's user, such as app
  --clone NAME  its second login (default: the base's name with _clone appended); it has to be named where it does not act
                as the base yet (ALTER ROLE … SET role), since a membership alone proves nothing
  --apply       do it; without, only show the SQL

The connection is taken from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE (default: postgres) and PGSSLMODE
(verify-full, the default, no-verify or disable), and from nothing else. The user must be a superuser, or a member of both roles. Privileges are not changed.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      base: { type: 'string' },
      clone: { type: 'string' },
      apply: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const { base, apply } = values;
  if (base === undefined) throw new Error('--base is needed: the application user whose clone is to be adopted.');
  const clone = values.clone ?? `${base}_clone`;

  const handovers = await planHandovers(connect, { base, clone, named: values.clone !== undefined });
  if (handovers.length === 0) console.log(comment(`${escapeIdentifier(clone)} owns nothing: there is nothing to do.`));
  for (const handover of handovers) {
    console.log(comment(`In the database ${escapeIdentifier(handover.database)}:`));
    for (const object of handover.objects) console.log(comment(`  ${object}`));
    console.log(`${handover.sql};`);
    if (apply) {
      await handOver(connect, handover);
      console.log('-- done');
    }
  }
  if (handovers.length > 0 && !apply) console.log('-- Nothing was changed. Run it again with --apply to do this.');
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

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
