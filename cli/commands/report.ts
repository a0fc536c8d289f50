import { writeFile } from 'node:fs/promises';
import type { SecretListEntry } from '@aws-sdk/client-secrets-manager';
import type { Command } from 'commander';
import { green, red } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError } from '../failures.ts';
import { type Candidate, coverageOf, isUnrotated, rotatedBy } from '../fleet/coverage.ts';
import { lookAt } from '../fleet/look.ts';
import { names, type PlaceOptions, placesOf } from '../fleet/places.ts';
import { countsOf, headline, isRowUnwell } from '../fleet/row.ts';
import { caFileOption, filterOption, type Runner } from '../options.ts';
import { windowStart } from '../report/figures.ts';
import type { ReportFacts, Unrotated } from '../report/page.ts';
import { listSecrets, parseFilter, placeOf } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation report rotation.html
  $ rotation report rotation.html --regions eu-west-1,us-east-1 --coverage --yes

One page that needs no network: states, age of passwords, when the next windows open, and what nothing rotates. It names
secrets and what failed of them, which may name a user, and no password. Exits with 3 where something is not well, the page written all the same.`;

interface ReportOptions extends PlaceOptions {
  readonly filter?: readonly string[];
  readonly coverage?: true;
  readonly login?: true;
  readonly caFile?: string;
  readonly yes?: true;
}

export function addReport(program: Command, run: Runner): void {
  program
    .command('report')
    .summary('the state of all rotations, as one HTML page')
    .description('Writes the state of all rotations as one HTML page with plots.')
    .argument('<file>', 'where to write it')
    .addOption(filterOption())
    .option('--regions <regions>', 'several, with commas', names)
    .option('--profiles <profiles>', 'several, with commas', names)
    .option('--coverage', 'read the values of what nothing rotates, after asking, to name PostgreSQL logins only')
    .option('--login', 'log in with each AWSCURRENT too, to find those that are locked out')
    .addOption(caFileOption())
    .option('--yes', 'with --coverage: do not ask')
    .addHelpText('after', EXAMPLES)
    .action(run((context, file: string, options: ReportOptions) => report(context, file, options)));
}

async function report(context: Context, file: string, options: ReportOptions): Promise<ExitCode> {
  const { output } = context;
  const now = new Date();
  const { listed, places } = await list(context, options);
  const rotated = listed.filter(({ entry }) => entry.RotationLambdaARN !== undefined);
  const secrets = rotated.map(({ entry, place }) => ({ id: entry.ARN ?? '', place }));
  const how = { values: false, login: options.login === true, caFile: options.caFile };
  const looked = (done: number) => output.busy(`looked at ${done}/${secrets.length} …`);
  const { rows, errors } = await lookAt(secrets, how, now, looked);
  const unrotated = await unrotatedOf(context, listed, options);
  if (unrotated === undefined) return EXIT.refused;

  const entries = rotated.map(({ entry }) => entry);
  const facts: ReportFacts = {
    now,
    places,
    rows,
    ...unrotated,
    passwords: entries.map(passwordOf),
    windows: entries.flatMap((entry) => windowOf(entry)),
    errors: [...errors.map(({ message }) => message), ...unrotated.errors],
  };
  output.busy('drawing …');
  const { page } = await import('../report/page.ts');
  await write(file, page(facts));
  output.busy(undefined);
  const unwell = rows.filter(isRowUnwell).length;
  output.line(headline(rows));
  output.line(`${green('Written')}: ${file}`);
  for (const error of facts.errors) output.note(`${red('error')}: ${error}`);
  const { read = null } = unrotated;
  output.result({
    file,
    counts: countsOf(rows),
    unwell,
    unrotated: unrotated.unrotated.length,
    read,
    errors: facts.errors,
  });
  if (unwell > 0) return EXIT.unwell;
  return facts.errors.length > 0 ? EXIT.error : EXIT.done;
}

async function list(context: Context, options: ReportOptions) {
  const filters = (options.filter ?? []).map(parseFilter);
  context.output.busy('looking for secrets …');
  const found = new Map<string | undefined, Candidate>();
  const places: string[] = [];
  for (const place of placesOf(context, options)) {
    places.push(await placeOf(place.context));
    for (const entry of await listSecrets(place.context, filters)) found.set(entry.ARN, { entry, place });
  }
  if (found.size > 0) return { listed: [...found.values()], places };
  throw new CommandError('NOTHING_FOUND', `Secrets were needed, and none was found in ${places.join(' or ')}.`, {
    exitCode: EXIT.error,
    remedy: 'Check --filter, --region and --profile: aws secretsmanager list-secrets',
  });
}

interface UnrotatedFacts {
  readonly unrotated: readonly Unrotated[];
  readonly read: number | undefined;
  readonly errors: readonly string[];
}

/** @returns undefined where the operator does not want values to be read. */
async function unrotatedOf(
  { output, prompts }: Context,
  listed: readonly Candidate[],
  { coverage, yes }: ReportOptions,
): Promise<UnrotatedFacts | undefined> {
  const candidates = listed.filter(({ entry }) => isUnrotated(entry));
  if (!coverage) {
    const unrotated = candidates.map(({ entry }) => ({
      name: entry.Name ?? '',
      arn: entry.ARN ?? '',
      why: rotatedBy(entry),
      lastChanged: entry.LastChangedDate,
    }));
    return { unrotated, read: undefined, errors: [] };
  }
  output.busy(undefined);
  if (
    candidates.length > 0 &&
    !(await prompts.agree(`Read the values of ${candidates.length} secrets?`, yes === true))
  ) {
    output.line('Nothing was read or written.');
    return undefined;
  }
  const { uncovered, read, unread } = await coverageOf(candidates, (done) => output.busy(`read ${done} …`));
  return { unrotated: uncovered, read, errors: unread.map(({ name, why }) => `${name}: ${why}`) };
}

function passwordOf({ LastRotatedDate, LastChangedDate, CreatedDate }: SecretListEntry) {
  return { lastRotated: LastRotatedDate, stored: LastChangedDate ?? CreatedDate };
}

function windowOf({ RotationEnabled, RotationRules, NextRotationDate }: SecretListEntry): Date[] {
  if (RotationEnabled !== true || RotationRules === undefined || NextRotationDate === undefined) return [];
  const start = windowStart(RotationRules, NextRotationDate);
  return start === undefined ? [] : [start];
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : '';
    throw new CommandError('NOT_WRITTEN', `${file} was to be written, and could not be (${code}).`, {
      exitCode: EXIT.error,
      remedy: 'Name a file in a folder that is there and that you may write to.',
    });
  }
}
