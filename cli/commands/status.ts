import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Cell, table } from '../../shared/terminal/table.ts';
import { bold, dim, green, red, shortId, yellow } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError, usage } from '../failures.ts';
import { mapLimited } from '../map-limited.ts';
import { type Runner, seconds } from '../options.ts';
import { type Condition, conditionOf, distance, isUnwell, moment, type StatusFacts } from '../secret-status.ts';
import { parseFilter, rotatedSecrets } from '../secrets.ts';
import { gatherStatus } from '../status-facts.ts';

const EXAMPLES = `
Examples:
  $ rotation status prod/shop prod/billing
  $ rotation status --all --filter tag:team=payments
  $ rotation status --all --watch 10
  $ rotation status --all --json | jq '.secrets[] | select(.unwell) | .secret'`;

interface StatusOptions {
  readonly all?: true;
  readonly filter?: readonly string[];
  readonly watch?: true | number;
}

const WATCH_SECONDS = 5;
/** Secrets looked at in parallel: each takes some four calls. */
const AT_ONCE = 5;

export function addStatus(program: Command, run: Runner): void {
  program
    .command('status')
    .summary('how the rotation of secrets is')
    .description(
      'Shows strategy, current user, last and next rotation, what is overdue, failed or stuck, and replicas. Exits with 3 where something is not well.',
    )
    .argument('[secrets...]', 'names or ARNs')
    .option('--all', 'every secret that has a rotation function')
    .option('--filter <filter...>', 'with --all: tag:KEY=VALUE, tag:KEY or name:PREFIX; all must hold')
    .option('--watch [seconds]', `look again and again, every ${WATCH_SECONDS} s unless told otherwise`, seconds)
    .addHelpText('after', EXAMPLES)
    .action(run((context, secrets: readonly string[], options: StatusOptions) => status(context, secrets, options)));
}

interface Row {
  readonly facts: StatusFacts;
  readonly condition: Condition;
}

async function status(context: Context, secrets: readonly string[], options: StatusOptions): Promise<ExitCode> {
  const { all = false, filter = [], watch } = options;
  if (all === secrets.length > 0) throw usage('Secrets or --all were needed, found both or neither.');
  if (!all && filter.length > 0) throw usage('--filter goes with --all.');
  const filters = filter.map(parseFilter);
  const which = async () => (all ? (await rotatedSecrets(context, filters)).map(({ arn }) => arn) : secrets);
  const look = async () => await lookAt(context, await which());
  if (watch === undefined) return await look();

  const { signal, output } = context;
  while (!signal.aborted) {
    if (process.stdout.isTTY && !output.json) process.stdout.write('\u001B[2J\u001B[H');
    output.line(dim(`${moment(new Date())}, every ${watch === true ? WATCH_SECONDS : watch} s; Ctrl-C ends it`));
    await survive(look(), context);
    await sleep((watch === true ? WATCH_SECONDS : watch) * 1_000, undefined, { signal }).catch(() => undefined);
  }
  return EXIT.interrupted;
}

/** The next look may go better: what is throttled or out of reach now is told, and no reason to end. */
async function survive(look: Promise<unknown>, { output }: Context): Promise<void> {
  try {
    await look;
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== EXIT.error) throw error;
    output.busy(undefined);
    output.error(error);
  }
}

async function lookAt(context: Context, ids: readonly string[]): Promise<ExitCode> {
  const { output } = context;
  output.busy('looking …');
  const now = new Date();
  const looks = await mapLimited(ids, AT_ONCE, async (id): Promise<Row | CommandError> => {
    try {
      const facts = await gatherStatus(context, id);
      return { facts, condition: conditionOf(facts, now) };
    } catch (error) {
      // One secret that can't be looked at is no reason to hide the others.
      if (!(error instanceof CommandError) || ids.length === 1) throw error;
      return error;
    }
  });
  // On a terminal of an unknown width (0), as elsewhere, lines are as long as they are.
  const width = process.stdout.columns || undefined;
  const rows = looks.flatMap((look) => (look instanceof CommandError ? [] : [look]));
  const errors = looks.filter((look) => look instanceof CommandError);
  output.busy(undefined);
  for (const line of [...tableOf(rows, width), ...rows.flatMap((row) => detailsOf(row, now))]) output.line(line);
  for (const { message } of errors) output.note(`${red('error')}: ${message}`);
  output.result({ secrets: rows.map(asJson), errors: errors.map(({ code, message }) => ({ code, message })) });

  if (rows.some(({ condition, facts }) => isUnwell(condition, facts))) return EXIT.unwell;
  return errors.length > 0 ? EXIT.error : EXIT.done;
}

/** Narrower than this, six columns are hard to read. */
const WIDE_ENOUGH = 80;

/** The state first: it is what is looked for. */
function tableOf(rows: readonly Row[], width: number | undefined): string[] {
  if (rows.length === 0) return [];
  if (width !== undefined && width < WIDE_ENOUGH) return rows.flatMap(stacked);
  const head = ['STATE', 'SECRET', 'STRATEGY', 'USER NOW', 'LAST ROTATED', 'NEXT BY'];
  const cells = rows.map(({ facts, condition }): Cell[] => {
    const { name, strategy = '–', username = '–', lastRotated, nextRotation } = facts;
    return [
      { text: condition, style: styleOf(condition) },
      { text: name, style: bold },
      strategy,
      username,
      moment(lastRotated),
      moment(nextRotation),
    ];
  });
  return table([head.map((text) => ({ text, style: dim })), ...cells], width);
}

function stacked({ facts, condition }: Row): string[] {
  const { name, strategy, username, lastRotated, nextRotation } = facts;
  return [
    `${styleOf(condition)(condition)}  ${bold(name)}`,
    ...(strategy === undefined ? [] : [`  ${strategy}, ${username ?? '–'}`]),
    `  last ${moment(lastRotated)}, next by ${moment(nextRotation)}`,
  ];
}

function styleOf(condition: Condition): (text: string) => string {
  if (condition === 'ok') return green;
  return ['failed', 'stuck', 'overdue'].includes(condition) ? red : yellow;
}

function detailsOf({ facts, condition }: Row, now: Date): string[] {
  const { name, pending, failure, replicas, unreadable, nextRotation, notice } = facts;
  const details: string[] = [];
  if (pending !== undefined) {
    const { versionId, since, hasValue } = pending;
    const age = since === undefined ? '' : ` since ${moment(since)} (${distance(since, now)})`;
    details.push(`AWSPENDING is on version ${shortId(versionId)}, ${hasValue ? 'with' : 'without'} a value${age}`);
  }
  if (failure !== undefined) {
    details.push(`${red(failure.code)} in ${failure.step}: ${failure.message}`);
    if (failure.remedy !== undefined) details.push(`what to do: ${failure.remedy}`);
  }
  if (condition === 'stuck') details.push(`what to do: rotation doctor ${name} --fix`);
  if (condition === 'overdue' && nextRotation !== undefined) {
    details.push(`should have been rotated by ${moment(nextRotation)}: rotation doctor ${name}`);
  }
  if (notice !== undefined) details.push(`${yellow('notice')}: ${notice}`);
  if (unreadable !== undefined) details.push(`its user is not known: ${unreadable}`);
  if (replicas.length > 0) details.push(`replicas: ${replicas.map(replicaWords).join(', ')}`);
  return details.length === 0 ? [] : ['', bold(name), ...details.map((detail) => `  ${detail}`)];
}

/** Only where something is wrong the service's words matter. */
function replicaWords({ region, status, message }: StatusFacts['replicas'][number]): string {
  const why = status === 'InSync' || message === undefined ? '' : ` (${message})`;
  return `${region} ${status}${why}`;
}

function asJson({ facts, condition }: Row): object {
  const { name, arn, functionArn, strategy, username, lastRotated, nextRotation, pending, failure, replicas } = facts;
  return {
    secret: name,
    arn,
    state: condition,
    unwell: isUnwell(condition, facts),
    strategy: strategy ?? null,
    username: username ?? null,
    function: functionArn ?? null,
    lastRotated: lastRotated ?? null,
    nextRotation: nextRotation ?? null,
    pending: pending ?? null,
    failure: failure ?? null,
    notice: facts.notice ?? null,
    replicas,
  };
}
