import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { dim, red } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError, usage } from '../failures.ts';
import { isNotRotatedSince, moment as parseMoment } from '../fleet/age.ts';
import { everySecret, type Looks, lookAt, type SecretInPlace } from '../fleet/look.ts';
import { names, type PlaceOptions, placesOf } from '../fleet/places.ts';
import { asJson, countsOf, headline, inOrder, isRowUnwell, type Row } from '../fleet/row.ts';
import { detailsOf, statusTable } from '../fleet/status-table.ts';
import { caFileOption, filterOption, type Runner, seconds } from '../options.ts';
import { moment } from '../secret-status.ts';
import { parseFilter } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation status prod/shop prod/billing
  $ rotation status --all --filter tag:team=payments
  $ rotation status --all --unwell --regions eu-west-1,us-east-1 --profiles shop,billing
  $ rotation status --all --not-rotated-since 90d --csv > old.csv
  $ rotation status --all --login        logs in with each AWSCURRENT: who is locked out?
  $ rotation status --all --watch 10
  $ rotation status --all --json | jq '.secrets[] | select(.unwell) | .secret'

--all reads no value, which would count as an access of the secret, but where a version is pending, or with --login.`;

interface StatusOptions extends PlaceOptions {
  readonly all?: true;
  readonly filter?: readonly string[];
  readonly unwell?: true;
  readonly notRotatedSince?: string;
  readonly login?: true;
  readonly caFile?: string;
  readonly csv?: true;
  readonly watch?: true | number;
}

const WATCH_SECONDS = 5;

export function addStatus(program: Command, run: Runner): void {
  program
    .command('status')
    .summary('state, user, last and next rotation of secrets')
    .description(
      'Shows state, strategy, current user, last and next rotation, what is overdue, failed or stuck, and replicas; the unwell first. Exits with 3 where something is not well.',
    )
    .argument('[secrets...]', 'names or ARNs')
    .option('--all', 'every secret that has a rotation function')
    .addOption(filterOption('with --all: '))
    .option('--regions <regions>', 'with --all: several, with commas', names)
    .option('--profiles <profiles>', 'with --all: several, with commas', names)
    .option('--unwell', 'only what somebody should look at')
    .option('--not-rotated-since <time>', 'only what was not rotated since: 90d, 12h or 2026-01-31')
    .option('--login', 'log in with each AWSCURRENT too, to find those that are locked out')
    .addOption(caFileOption())
    .option('--csv', 'the rows as CSV')
    .option('--watch [seconds]', `look again and again, every ${WATCH_SECONDS} s unless told otherwise`, seconds)
    .addHelpText('after', EXAMPLES)
    .action(run((context, secrets: readonly string[], options: StatusOptions) => status(context, secrets, options)));
}

async function status(context: Context, secrets: readonly string[], options: StatusOptions): Promise<ExitCode> {
  check(context, secrets, options);
  const filters = (options.filter ?? []).map(parseFilter);
  const places = placesOf(context, options);
  const [first] = places;
  const which = async (): Promise<{ found: readonly SecretInPlace[]; errors: readonly CommandError[] }> => {
    if (options.all) return await everySecret(places, filters);
    return { found: first === undefined ? [] : secrets.map((id) => ({ id, place: first })), errors: [] };
  };
  const look = async () => {
    context.output.busy('looking …');
    const { found, errors } = await which();
    return await lookAtThese(context, found, errors, options);
  };
  if (options.watch === undefined) return await look();
  return await watch(context, options.watch === true ? WATCH_SECONDS : options.watch, look);
}

function check({ output }: Context, secrets: readonly string[], options: StatusOptions): void {
  const { all = false, filter = [], regions, profiles, csv, watch } = options;
  if (all === secrets.length > 0) throw usage(`Secrets or --all were needed, found ${all ? 'both' : 'neither'}.`);
  if (!all && filter.length > 0) throw usage('--filter goes with --all.');
  if (!all && (regions !== undefined || profiles !== undefined)) throw usage('--regions and --profiles go with --all.');
  if (csv && (output.json || watch !== undefined)) throw usage('--csv goes neither with --json nor with --watch.');
  if (options.notRotatedSince !== undefined) parseMoment(options.notRotatedSince);
}

/** One look after the other until Ctrl-C. One that fails is told, and the next may succeed. */
async function watch({ signal, output }: Context, period: number, look: () => Promise<ExitCode>): Promise<ExitCode> {
  let seen = false;
  while (!signal.aborted) {
    if (process.stdout.isTTY && !output.json) process.stdout.write('\u001B[2J\u001B[H');
    output.line(dim(`${moment(new Date())}, every ${period} s; Ctrl-C ends it`));
    try {
      await look();
      seen = true;
    } catch (error) {
      // What fails at once, such as a wrong region, fails for ever.
      if (!seen || !(error instanceof CommandError)) throw error;
      output.error(error);
    }
    await sleep(period * 1_000, undefined, { signal }).catch(() => undefined);
  }
  return EXIT.interrupted;
}

async function lookAtThese(
  context: Context,
  found: readonly SecretInPlace[],
  earlier: readonly CommandError[],
  options: StatusOptions,
): Promise<ExitCode> {
  const { output } = context;
  const now = new Date();
  const how = { values: !options.all, login: options.login === true, caFile: options.caFile };
  const looked = (done: number) =>
    output.busy(found.length === 1 ? 'looking …' : `looked at ${done}/${found.length} …`);
  const { rows, errors } = await lookAt(found, how, now, looked);
  output.busy(undefined);
  const looks = { rows: options.all ? inOrder(rows) : rows, errors: [...earlier, ...errors] };
  const shown = chosen(looks.rows, options, now);
  await show(context, looks, shown, options, now);
  if (shown.some(isRowUnwell)) return EXIT.unwell;
  return looks.errors.length > 0 ? EXIT.error : EXIT.done;
}

function chosen(rows: readonly Row[], { unwell, notRotatedSince }: StatusOptions, now: Date): readonly Row[] {
  const since = notRotatedSince === undefined ? undefined : parseMoment(notRotatedSince, now);
  return rows
    .filter((row) => !unwell || isRowUnwell(row))
    .filter(({ facts }) => since === undefined || isNotRotatedSince(facts.lastRotated, since));
}

const CSV_COLUMNS = [
  ...['secret', 'arn', 'account', 'region', 'state', 'unwell', 'strategy', 'username', 'login'],
  ...['lastRotated', 'nextRotation'],
];

async function show(
  { output }: Context,
  { rows, errors }: Looks,
  shown: readonly Row[],
  options: StatusOptions,
  now: Date,
): Promise<void> {
  // On a terminal of an unknown width (0), as elsewhere, lines are as long as they are.
  const width = process.stdout.columns || undefined;
  if (options.csv) {
    const { csv } = await import('../fleet/csv.ts');
    output.verbatim(csv(shown.map(asJson), CSV_COLUMNS));
  } else {
    if (options.all) output.line(headline(rows));
    for (const line of [...statusTable(shown, width), ...shown.flatMap((row) => detailsOf(row, now, width))]) {
      output.line(line);
    }
  }
  for (const { message } of errors) output.note(`${red('error')}: ${message}`);
  output.result({
    counts: countsOf(rows),
    unwell: rows.filter(isRowUnwell).length,
    secrets: shown.map(asJson),
    errors: errors.map(({ code, message }) => ({ code, message })),
  });
}
