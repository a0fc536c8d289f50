import type { Command } from 'commander';
import { table } from '../../shared/terminal/table.ts';
import { bold, dim, plural, red } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError, usage } from '../failures.ts';
import { type Candidate, type Coverage, coverageOf, isUnrotated, type Uncovered } from '../fleet/coverage.ts';
import { names, type PlaceOptions, placesOf } from '../fleet/places.ts';
import { filterOption, type Runner } from '../options.ts';
import { moment } from '../secret-status.ts';
import { listSecrets, parseFilter, placeOf } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation coverage
  $ rotation coverage --filter name:prod/ --yes --csv > unrotated.csv

Whether a secret is a PostgreSQL login stands in its value only. So the values of all secrets that nothing rotates are
read, after asking: each counts as an access (LastAccessedDate), and as a line in CloudTrail.`;

interface CoverageOptions extends PlaceOptions {
  readonly filter?: readonly string[];
  readonly yes?: true;
  readonly csv?: true;
}

export function addCoverage(program: Command, run: Runner): void {
  program
    .command('coverage')
    .summary('PostgreSQL secrets that nothing rotates')
    .description('Finds PostgreSQL logins among the secrets that nothing rotates. Exits with 3 where there are any.')
    .addOption(filterOption())
    .option('--regions <regions>', 'several, with commas', names)
    .option('--profiles <profiles>', 'several, with commas', names)
    .option('--csv', 'what was found as CSV')
    .option('--yes', 'read without asking')
    .addHelpText('after', EXAMPLES)
    .action(async (options: CoverageOptions) => {
      await run((context, _: undefined, given: CoverageOptions) => coverage(context, given))(undefined, options);
    });
}

async function coverage(context: Context, options: CoverageOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  if (options.csv && output.json) throw usage('--csv does not go with --json.');
  const filters = (options.filter ?? []).map(parseFilter);
  output.busy('looking for secrets …');
  const all: Candidate[] = [];
  for (const place of placesOf(context, options)) {
    const found = await listSecrets(place.context, filters);
    all.push(...found.map((entry) => ({ entry, place })));
  }
  const secrets = [...new Map(all.map((each) => [each.entry.ARN, each])).values()];
  if (secrets.length === 0) throw await nothingFound(context);
  const candidates = secrets.filter(({ entry }) => isUnrotated(entry));
  output.busy(undefined);
  const say = (text: string) => (options.csv ? output.note(text) : output.line(text));
  say(`${plural(secrets.length, 'secret')}: nothing rotates ${candidates.length} of them.`);
  if (candidates.length > 0) {
    const question = `Read ${plural(candidates.length, 'value')} to see which are PostgreSQL logins?`;
    if (!(await prompts.agree(question, options.yes === true))) {
      output.line('Nothing was read.');
      return EXIT.refused;
    }
  }
  const result = await coverageOf(candidates, (done) => output.busy(`read ${done}/${candidates.length} …`));
  output.busy(undefined);
  await show(context, result, options, say);
  const { uncovered, read, unread } = result;
  output.result({ secrets: secrets.length, unrotated: candidates.length, read, uncovered, unread });
  if (uncovered.length > 0) return EXIT.unwell;
  return unread.length > 0 ? EXIT.unproven : EXIT.done;
}

async function nothingFound(context: Context): Promise<CommandError> {
  return new CommandError('NOTHING_FOUND', `Secrets were needed, and none was found in ${await placeOf(context)}.`, {
    exitCode: EXIT.error,
    remedy: 'Check --filter, --region and --profile: aws secretsmanager list-secrets',
  });
}

const COLUMNS = ['name', 'arn', 'why', 'engine', 'username', 'host', 'lastChanged'] as const;

async function show(
  { output }: Context,
  { uncovered, read, unread }: Coverage,
  { csv }: CoverageOptions,
  say: (text: string) => void,
): Promise<void> {
  if (csv) output.verbatim((await import('../fleet/csv.ts')).csv(uncovered, COLUMNS));
  else for (const line of tableOf(uncovered)) output.line(line);
  for (const { name, why } of unread) output.note(`${red('not read')}: ${name}: ${why}`);
  const logins = uncovered.length === 0 ? 'none is a PostgreSQL login' : `${uncovered.length} PostgreSQL`;
  say(`${plural(read, 'value')} read: ${logins}${unread.length === 0 ? '' : `; ${unread.length} could not be read`}.`);
  if (uncovered.length > 0) say('Next: rotation attach SECRET --stack …');
}

function tableOf(uncovered: readonly Uncovered[]): string[] {
  if (uncovered.length === 0) return [];
  const head = ['SECRET', 'WHY', 'USER', 'LAST CHANGED'].map((text) => ({ text, style: dim }));
  const rows = uncovered.map(({ name, place, why, username = '–', lastChanged }) => [
    { text: place === undefined ? name : `${name} (${place})`, style: bold },
    why,
    username,
    moment(lastChanged).slice(0, 10),
  ]);
  return table([head, ...rows], process.stdout.columns || undefined);
}
