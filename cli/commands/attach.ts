import { randomUUID } from 'node:crypto';
import { RotateSecretCommand, type RotationRulesType } from '@aws-sdk/client-secrets-manager';
import { type Command, Option } from 'commander';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { bold, dim, green, red } from '../../shared/terminal/text.ts';
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
import { asking, refused, usage } from '../failures.ts';
import { describeFunction } from '../functions.ts';
import { caFile, type Runner } from '../options.ts';
import { type DescribedSecret, describeSecret, placeOfArn } from '../secrets.ts';
import { functionOfStack } from '../stacks.ts';
import type { Ending } from '../watch/ending.ts';
import { openLog } from '../watch/function-log.ts';
import type { StepFailure } from '../watch/log-lines.ts';
import { watchRotation } from '../watch/watch.ts';
import { show as showFinding } from './doctor.ts';

const EXAMPLES = `
Examples:
  $ rotation attach prod/shop --stack postgres-rotation
  $ rotation attach prod/shop --stack postgres-rotation --schedule 'cron(0 4 ? * SUN *)' --window 2h
  $ rotation attach prod/shop --function arn:aws:lambda:…:function:… --rotate-immediately --yes

Without --rotate-immediately Secrets Manager only has the function log in with the current password, and rotates in the
first window. A schedule is in UTC. What is not given stays as it is; without any schedule it is rate(30 days).`;

interface AttachOptions extends AttachWishes {
  readonly stack?: string;
  readonly function?: string;
  readonly rotateImmediately?: true;
  readonly yes?: true;
  readonly login: boolean;
  readonly caFile?: string;
}

const PATIENCE_MS = 300_000;

export function addAttach(program: Command, run: Runner): void {
  program
    .command('attach')
    .summary('attach a secret to a deployed function')
    .description('Attaches a secret to a deployed rotation function: checks first, shows what will change, asks.')
    .argument('<secret>', 'name or ARN')
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
    .option('--ca-file <file>', 'CA certificates (PEM) to trust for that login besides those of Node.js', caFile)
    .addHelpText('after', EXAMPLES)
    .action(run((context, secret: string, options: AttachOptions) => attach(context, secret, options)));
}

const STRATEGIES: readonly StrategyName[] = ['single-user', 'alternating-users'];

async function attach(context: Context, id: string, options: AttachOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  output.busy('checking …');
  const secret = await describeSecret(context, id);
  const { secret: login, finding } = await readLogin(context, secret, 'AWSCURRENT');
  if (login === undefined) throw refused('SECRET_UNUSABLE', `${secret.Name}: ${finding.message}`, finding.remedy);
  const strategy = chooseStrategy(login, options.strategy);
  const functionArn = await findFunction(context, secret, strategy, options);
  refuseOtherStrategy(functionArn, strategy);
  const rules = chooseRules(secret.RotationRules, options);

  const findings = await checkAttachment(
    context,
    { ...{ secret, login, strategy, functionArn }, tryIt: options.login, caFile: options.caFile },
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
  report(context, secret, ending, immediately);
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
  return await functionOfStack(context, await context.prompts.ask({ message: 'Stack of the functions:' }), strategy);
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
  { ARN }: DescribedSecret,
  functionArn: string,
  rules: RotationRulesType,
  immediately: boolean,
): Promise<Ending> {
  const versionId = randomUUID();
  const command = new RotateSecretCommand({
    SecretId: ARN,
    ClientRequestToken: versionId,
    RotationLambdaARN: functionArn,
    RotationRules: rules,
    RotateImmediately: immediately,
  });
  context.output.busy('attaching …');
  await asking(`secretsmanager:RotateSecret of ${ARN}`, context.aws.secretsManager.send(command));
  const unreadable = (reason: string) => context.output.note(`The function's log can't be read: ${reason}`);
  const log = await openLog(context, functionArn, unreadable);
  const ending = await watchRotation(
    context,
    {
      secretId: ARN,
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

function report({ output }: Context, { Name }: DescribedSecret, ending: Ending, immediately: boolean): void {
  const name = bold(Name);
  switch (ending.outcome) {
    case 'succeeded':
      output.line(
        `${green('Attached')} ${name}: ${immediately ? 'it was rotated' : 'the function logs in with its password'}.`,
      );
      return;
    case 'failed':
      output.line(`${red('Attached')} ${name}, but ${ending.failure.step} failed: ${bold(ending.failure.code)}`);
      output.line(`  what happened  ${ending.failure.message}`);
      if (!immediately) output.line('                 It was a test of the configuration: no password was replaced.');
      output.line(`  what to do     ${remedyOf(ending.failure, immediately)}`);
      output.line(`Next: rotation doctor ${Name}`);
      return;
    case 'abandoned':
    case 'unknown':
      output.line(`Attached ${name}; what the function made of it was not seen: rotation doctor ${Name}`);
      if ('reason' in ending) output.line(`  what happened  ${ending.reason}`);
      return;
    default:
      ending satisfies never;
  }
}

/** The function does not know that it was only asked to log in: its words for a refused password are about a rotation. */
function remedyOf({ code, remedy }: StepFailure, immediately: boolean): string {
  if (!immediately && code === 'PASSWORD_NOT_ACCEPTED') {
    return 'Store the password that the database has, or set the one that AWSCURRENT holds, in psql: \\password';
  }
  return remedy ?? "Look at the function's log.";
}
