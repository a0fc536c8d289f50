import type { RotationRulesType } from '@aws-sdk/client-secrets-manager';
import { type Command, Option } from 'commander';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { bold, dim, red } from '../../shared/terminal/text.ts';
import {
  type AttachWishes,
  type Change,
  changesOf,
  chooseRules,
  chooseStrategy,
  refuseOtherStrategy,
} from '../attach-plan.ts';
import type { Context } from '../context.ts';
import { checkAttachment } from '../doctor/attachment.ts';
import type { Finding } from '../doctor/finding.ts';
import { readLogin } from '../doctor/reading.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asCommandError, refused, usage } from '../failures.ts';
import { describeFunction } from '../functions.ts';
import { holdTagsOf } from '../hold.ts';
import { attachTo } from '../moving/move.ts';
import { caFileOption, filterOption, from1to, optionOf, type Runner } from '../options.ts';
import { type DescribedSecret, describeSecret, needPrimary, placeOfArn, untag } from '../secrets.ts';
import { functionOfStack, stacksWith } from '../stacks.ts';
import type { Ending } from '../watch/ending.ts';
import { openLog } from '../watch/function-log.ts';
import { watchRotation } from '../watch/watch.ts';
import { attachMany, undoMany } from './attach-many.ts';
import { reportAttached } from './attach-report.ts';
import { show as showFinding } from './doctor.ts';

const EXAMPLES = `
Examples:
  $ rotation attach prod/shop --stack postgres-rotation
  $ rotation attach prod/shop --stack postgres-rotation --schedule 'cron(0 4 ? * SUN *)' --window 2h
  $ rotation attach prod/shop --function arn:aws:lambda:…:function:… --rotate-immediately --yes
  $ rotation attach --all --from SecretsManagerRDSPostgreSQL --stack postgres-rotation --dry-run
  $ rotation attach --undo rotation-attach-2026-03-01T04-00-00Z.jsonl

Without --rotate-immediately Secrets Manager only has the function log in with the current password, and rotates in the
first window. A schedule is in UTC. What is not given stays as it is; without any schedule it is rate(30 days).`;

interface AttachOptions extends AttachWishes {
  readonly stack?: string;
  readonly function?: string;
  readonly rotateImmediately?: true;
  readonly yes?: true;
  readonly login: boolean;
  readonly caFile?: string;
  readonly all?: true;
  readonly filter?: readonly string[];
  readonly from?: string;
  readonly dryRun?: true;
  readonly spread?: number;
  readonly atOnce?: number;
  readonly stopAfter?: number;
  readonly record?: string;
  readonly undo?: string;
}

const PATIENCE_MS = 300_000;

export function addAttach(program: Command, run: Runner): void {
  program
    .command('attach')
    .summary('attach a secret to a deployed function')
    .description('Attaches a secret to a deployed rotation function: checks first, shows what will change, asks.')
    .argument('[secret]', 'name or ARN')
    .option('--stack <name>', 'the stack of the functions (template.yaml); ROTATION_STACK where nothing is attached')
    .option('--function <arn>', 'or the function itself; default: the one that is attached')
    .addOption(
      new Option('--strategy <strategy>', 'default: by whether the secret names a superuser secret').choices([
        ...STRATEGIES,
      ]),
    )
    .option('--schedule <expression>', 'rate(N days), rate(N hours) or cron(0 HOURS DAY MONTH WEEKDAY *), in UTC')
    .option('--window <duration>', 'length of the rotation window, 1h to 24h')
    .option('--rotate-immediately', 'rotate now too')
    .option('--yes', 'do not ask')
    .option('--no-login', 'do not log in to the database from here first')
    .addOption(caFileOption())
    .option('--all', 'every secret that has a rotation function: moves it to this one')
    .addOption(filterOption('with --all: '))
    .option('--from <function>', 'with --all: only those of this function, by name or ARN')
    .option('--dry-run', 'with --all or --undo: show the plan, change nothing')
    .option(
      '--spread <hours>',
      'with --all and a cron --schedule: begin so many hours one after the other',
      from1to(24),
    )
    .option('--at-once <number>', 'with --all or --undo: how many at a time, 1 to 20 (default: 3)', from1to(20))
    .option(
      '--stop-after <failures>',
      'with --all or --undo: begin no more after so many (default: 3)',
      from1to(10_000),
    )
    .option('--record <file>', 'with --all: where to write how it was (default: a new file here)')
    .option('--undo <file>', 'put back what an attach --all has recorded there')
    .addHelpText('after', EXAMPLES)
    .action(run((context, secret: string | undefined, options: AttachOptions) => choose(context, secret, options)));
}

async function choose(context: Context, secret: string | undefined, options: AttachOptions): Promise<ExitCode> {
  const { all = false, filter = [], undo, atOnce = 3, stopAfter = 3 } = options;
  const limits = { atOnce, stopAfter, dryRun: options.dryRun === true, yes: options.yes === true };
  const given = [all, secret !== undefined, undo !== undefined].filter(Boolean).length;
  if (given !== 1) throw usage(`One of a secret, --all or --undo was needed, found ${given === 0 ? 'none' : given}.`);
  if (secret !== undefined) {
    const misplaced = FOR_MANY.find((name) => options[name] !== undefined);
    if (misplaced !== undefined) throw usage(`${optionOf(misplaced)} goes with --all.`);
    return await attach(context, secret, options);
  }
  if (undo !== undefined) return await undoMany(context, undo, limits);
  if (options.rotateImmediately) throw usage('--rotate-immediately goes with one secret.');
  if (options.strategy !== undefined) throw usage('--strategy goes with one secret.');
  return await attachMany(context, { ...options, ...limits, filter });
}

const FOR_MANY = ['filter', 'from', 'dryRun', 'spread', 'atOnce', 'stopAfter', 'record'] as const;

const STRATEGIES: readonly StrategyName[] = ['single-user', 'alternating-users'];

async function attach(context: Context, id: string, options: AttachOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  output.busy('checking …');
  const secret = await describeSecret(context, id);
  needPrimary(secret, 'attach');
  const { secret: login, finding } = await readLogin(context, secret, 'AWSCURRENT');
  if (login === undefined) throw refused('SECRET_UNUSABLE', `${secret.Name}: ${finding.message}`, finding.remedy);
  const strategy = chooseStrategy(login, options.strategy);
  const functionArn = await findFunction(context, secret, strategy, options);
  refuseOtherStrategy(functionArn, strategy);
  const rules = chooseRules(secret.RotationRules, options);

  const findings = await checkAttachment(
    context,
    { secret, login, strategy, functionArn, tryIt: options.login, caFile: options.caFile },
    finding,
  );
  const changes = changesOf(secret, functionArn, rules);
  const immediately = options.rotateImmediately === true;
  output.busy(undefined);
  propose(context, secret, strategy, findings, changes);
  const broken = findings.filter(({ state }) => state === 'broken');
  const result = { secret: secret.Name, arn: secret.ARN, strategy, function: functionArn, rules, changes, findings };
  if (broken.length > 0) {
    const [first] = broken;
    if (output.json) output.result({ ...result, outcome: 'refused' });
    else output.line(`${red('Refused')}: ${first?.check}: ${first?.message.replace(/\.?$/, '.')} Nothing was changed.`);
    return EXIT.refused;
  }
  if (changes.length === 0 && !immediately) {
    output.line('Nothing is to be changed.');
    output.result({ ...result, outcome: 'unchanged' });
    return EXIT.done;
  }
  const next = immediately
    ? 'It is rotated at once.'
    : 'The function logs in with the current password now; it rotates in the first window.';
  output.line(`  ${next}`);
  if (!(await prompts.agree(`Attach ${secret.Name}?`, options.yes === true))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }
  const ending = await configure(context, secret, functionArn, rules, immediately);
  reportAttached(context, secret, ending, immediately);
  output.result({ ...result, outcome: 'attached', test: ending });
  if (ending.outcome === 'succeeded') return EXIT.done;
  return ending.outcome === 'unknown' ? EXIT.unproven : EXIT.unwell;
}

async function findFunction(
  context: Context,
  { RotationLambdaARN }: DescribedSecret,
  strategy: StrategyName,
  { stack, function: given }: AttachOptions,
): Promise<string> {
  if (stack !== undefined && given !== undefined) throw usage('--stack or --function was needed, found both.');
  if (stack !== undefined) return await functionOfStack(context, stack, strategy);
  const stackByDefault =
    given === undefined && RotationLambdaARN === undefined ? process.env.ROTATION_STACK : undefined;
  if (stackByDefault) return await functionOfStack(context, stackByDefault, strategy);
  const chosen = given ?? RotationLambdaARN;
  if (chosen?.startsWith('arn:')) return chosen;
  if (chosen !== undefined) return (await describeFunction(context, chosen)).configuration.FunctionArn ?? chosen;
  if (!context.prompts.interactive) throw usage('--stack or --function was needed, found neither.');
  context.output.busy(undefined);
  return await functionOfStack(context, await chooseStack(context, strategy), strategy);
}

async function chooseStack(context: Context, strategy: StrategyName): Promise<string> {
  const message = 'Stack of the functions:';
  const [only, ...others] = (await stacksWith(context, strategy)) ?? [];
  if (only === undefined) return await context.prompts.ask({ message });
  return await context.prompts.choose(message, [only, ...others]);
}

function propose(
  { output }: Context,
  { Name, ARN }: DescribedSecret,
  strategy: StrategyName,
  findings: readonly Finding[],
  changes: readonly Change[],
): void {
  for (const finding of findings) showFinding(output, finding);
  output.line();
  output.line(`${bold(Name)} ${dim(`(${strategy}, ${placeOfArn(ARN)})`)}`);
  for (const { what, before, after } of changes) output.line(`  ${what.padEnd(8)}  ${before} → ${after}`);
}

async function configure(
  context: Context,
  secret: DescribedSecret,
  functionArn: string,
  rules: RotationRulesType,
  immediately: boolean,
): Promise<Ending> {
  context.output.busy('attaching …');
  const { ARN } = secret;
  const versionId = await attachTo(context, { secretArn: ARN, functionArn, rules, rotate: immediately });
  // It is attached, whatever becomes of its tags.
  await untag(context, secret, holdTagsOf(secret)).catch((error: unknown) =>
    context.output.note(`It says still that it is held: ${asCommandError(error).message}`),
  );
  const unreadable = (reason: string) => context.output.note(`The function's log can't be read: ${reason}`);
  const log = await openLog(context, functionArn, unreadable);
  const ending = await watchRotation(
    context,
    {
      secretArn: ARN,
      versionId,
      log,
      kind: immediately ? 'rotation' : 'test',
      patience: PATIENCE_MS,
    },
    (news) => {
      if (news.type === 'log-unreadable') unreadable(news.reason);
    },
  );
  context.output.busy(undefined);
  return ending;
}
