import type { Command } from 'commander';
import { bold, dim, duration, green, red, shortId } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { usage } from '../failures.ts';
import { strategyOf } from '../functions.ts';
import { caFileOption, filterOption, from1to, optionOf, type Runner, seconds } from '../options.ts';
import { parseFilter } from '../secrets.ts';
import { exitCodeOf, summary } from '../watch/outcome.ts';
import { type RotateOptions, type RotationRun, rotate } from '../watch/rotate.ts';
import type { News } from '../watch/watch.ts';
import { rotateMany } from './now-many.ts';
import { age } from './now-selection.ts';

const EXAMPLES = `
Examples:
  $ rotation now prod/shop
  $ rotation now prod/shop --no-login           this machine can't reach the database
  $ rotation now --all --filter tag:team=payments --at-once 2    shows how many, and asks
  $ rotation now --all --not-rotated-since 30d --dry-run

Ctrl-C stops watching; the rotation goes on.`;

interface NowOptions {
  readonly all?: true;
  readonly filter?: readonly string[];
  readonly failed?: true;
  readonly notRotatedSince?: number;
  readonly dryRun?: true;
  readonly atOnce?: number;
  readonly canary: boolean;
  readonly stopAfter?: number;
  readonly report?: string;
  readonly yes?: true;
  readonly login: boolean;
  readonly caFile?: string;
  readonly timeout: number;
  readonly throughRetries?: true;
  readonly turnOn?: true;
  readonly log?: true;
}

export function addNow(program: Command, run: Runner): void {
  program
    .command('now')
    .summary('rotate now, and watch until it is done')
    .description('Rotates a secret now, shows the four steps as they happen, and proves that the new login works.')
    .argument('[secret]', 'name or ARN')
    .option('--all', 'every secret that has a rotation function')
    .addOption(filterOption('with --all: '))
    .option('--failed', 'with --all: only those whose rotation has failed or is stuck')
    .option('--not-rotated-since <age>', 'with --all: only those not rotated in so long, such as 30d or 12h', age)
    .option('--dry-run', 'with --all: show which, rotate none')
    .option('--at-once <number>', 'with --all: how many at a time, 1 to 20 (default: 3)', from1to(20))
    .option('--no-canary', 'with --all: do not wait for the first to go well before the others begin')
    .option('--stop-after <failures>', 'with --all: begin no more after so many (default: 3)', from1to(10_000))
    .option('--report <file>', 'with --all: write the result there too, as JSON')
    .option('--yes', 'with --all: do not ask')
    .option('--no-login', 'do not log in with the new credential from here')
    .addOption(caFileOption())
    .option('--timeout <seconds>', 'how long to watch one rotation', seconds, 900)
    .option('--through-retries', 'after a failure, keep watching while Secrets Manager tries again')
    .option('--turn-on', 'also where somebody has cancelled the rotation, which turns it on again; not with --all')
    .option('--log', "show the function's own log lines; not with --all")
    .addHelpText('after', EXAMPLES)
    .action(run((context, secret, options: NowOptions) => now(context, secret, options)));
}

async function now(context: Context, secret: string | undefined, options: NowOptions): Promise<ExitCode> {
  const { all = false, filter = [], login, timeout, throughRetries = false } = options;
  if (all === (secret !== undefined)) throw usage(`One secret or --all was needed, found ${all ? 'both' : 'neither'}.`);
  const misplaced = FOR_MANY.find((name) => !all && options[name] !== undefined);
  if (misplaced !== undefined) throw usage(`${optionOf(misplaced)} goes with --all.`);
  if (all && options.turnOn) throw usage('--turn-on goes with one secret.');
  if (all && options.log) throw usage('--log goes with one secret.');
  const rotateOptions = {
    login,
    caFile: options.caFile,
    patience: timeout * 1_000,
    throughRetries,
    turnOn: options.turnOn === true,
  };
  if (secret === undefined) {
    const { atOnce = 3, stopAfter = 3, yes = false, canary, report, notRotatedSince } = options;
    const limits = { atOnce, stopAfter, canary, yes, report, dryRun: options.dryRun === true };
    const which = { filters: filter.map(parseFilter), failed: options.failed === true, notRotatedFor: notRotatedSince };
    return await rotateMany(context, { ...which, ...limits }, rotateOptions);
  }
  return await rotateOne(context, secret, rotateOptions, options.log === true);
}

const FOR_MANY = ['filter', 'failed', 'notRotatedSince', 'dryRun', 'atOnce', 'stopAfter', 'report', 'yes'] as const;

async function rotateOne(context: Context, id: string, options: RotateOptions, withLog: boolean): Promise<ExitCode> {
  const { output } = context;
  output.busy('asking Secrets Manager …');
  const steps: object[] = [];
  const run = await rotate(
    context,
    id,
    options,
    (secret, versionId, reattempt) => {
      const strategy = strategyOf(secret.RotationLambdaARN);
      const detail = [strategy, `version ${shortId(versionId)}`].filter((part) => part !== undefined).join(', ');
      output.line(`Rotating ${bold(secret.Name)} ${dim(`(${detail})`)}`);
      if (reattempt) output.line('An earlier rotation was not complete: Secrets Manager tries that one again.');
      output.busy('AWSPENDING is registered; the function is being called …');
    },
    (news) => {
      if (news.type === 'step-ended') steps.push(asJson(news));
      show(context, news, withLog);
    },
  );
  output.busy(undefined);
  report(context, run);
  output.result({ ...summary(run), steps });
  return exitCodeOf(run);
}

function show({ output }: Context, news: News, withLog: boolean): void {
  switch (news.type) {
    case 'log':
      if (withLog) output.line(dim(`    ${news.line}`));
      return;
    case 'log-unreadable':
      output.note(`The function's log can't be read, so only the labels are watched: ${news.reason}`);
      return;
    case 'step-started':
      output.busy(`${news.step} …`);
      return;
    case 'step-ended': {
      const sign = news.failure === undefined ? green('✓') : red('✗');
      output.line(`  ${sign} ${news.step.padEnd(12)}  ${news.words} ${dim(duration(news.ms))}`);
      output.busy('the next step …');
      return;
    }
    default:
      news satisfies never;
  }
}

function asJson({ step, ms, failure, words }: News & { type: 'step-ended' }): object {
  return { step, outcome: failure === undefined ? 'succeeded' : 'failed', ms, message: words };
}

function report({ output, signal }: Context, { secret, versionId, ending, proof, ms }: RotationRun): void {
  const name = bold(secret.Name);
  switch (ending.outcome) {
    case 'succeeded': {
      const { AWSCURRENT = '', AWSPREVIOUS = '' } = proof?.labels ?? {};
      output.line(`${green('Rotated')} ${name} in ${duration(ms)}.`);
      output.line(`  labels  AWSCURRENT is ${shortId(AWSCURRENT)}, AWSPREVIOUS is ${shortId(AWSPREVIOUS)}`);
      output.line(`  login   ${proof?.message ?? ''}`);
      return;
    }
    case 'failed': {
      const { step, code, message, remedy } = ending.failure;
      output.line(`${red('Failed')} in ${step}: ${bold(code)}`);
      output.line(`  what happened  ${message}`);
      if (remedy !== undefined) output.line(`  what to do     ${remedy}`);
      output.line(`  applications   ${proof?.message ?? ''}`);
      output.line(afterFailure(secret.Name, proof));
      return;
    }
    case 'abandoned':
      output.line(`${red('Abandoned')}: somebody took AWSPENDING off version ${shortId(versionId)} of ${name}.`);
      output.line(`  applications   ${proof?.message ?? ''}`);
      if (proof?.login !== 'accepted') output.line(`Next: rotation doctor ${secret.Name}`);
      return;
    case 'unknown': {
      const why = signal.aborted ? 'Stopped watching' : 'The time to watch is up';
      const { reason } = ending;
      output.line(`${reason === undefined ? why : 'It can not be watched'}: the rotation of ${name} goes on.`);
      if (reason !== undefined) output.line(`  what happened  ${reason}`);
      output.line(`See what comes of it: rotation status ${secret.Name}`);
      return;
    }
    default:
      ending satisfies never;
  }
}

/** One command: where nobody is known to be locked out it is enough to wait. */
function afterFailure(name: string, proof: RotationRun['proof']): string {
  return proof?.login === 'accepted'
    ? `Secrets Manager tries again by itself. Next: rotation status ${name}`
    : `Next: rotation doctor ${name}`;
}
