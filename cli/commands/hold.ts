/** `rotation pause`, `resume` and `detach`. */
import { CancelRotateSecretCommand, RotateSecretCommand, TagResourceCommand } from '@aws-sdk/client-secrets-manager';
import type { Command } from 'commander';
import { bold, green, shortId } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { callerOf } from '../doctor/aws-facts.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asking, refused } from '../failures.ts';
import { HOLD_TAGS, holdOf, holdTagsOf, parseReason } from '../hold.ts';
import type { Runner } from '../options.ts';
import { type DescribedSecret, describeSecret, pendingVersion, placeOfArn, untag } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation pause prod/shop --reason 'migration to PostgreSQL 18 until 2026-02-01'
  $ rotation resume prod/shop
  $ rotation detach prod/old --reason 'its database goes on 2026-03-01'

The reason is a tag of the secret (rotation:paused, rotation:detached; rotation:held-by says who, and when).`;

interface HoldOptions {
  readonly reason: string;
  readonly yes?: true;
}

type Kind = 'paused' | 'detached';

export function addHold(program: Command, run: Runner): void {
  const hold = (name: string, kind: Kind, summary: string, description: string) =>
    program
      .command(name)
      .summary(summary)
      .description(description)
      .argument('<secret>', 'name or ARN')
      .requiredOption('--reason <reason>', 'kept as a tag of the secret, for whoever wonders', parseReason)
      .option('--yes', 'do not ask')
      .addHelpText('after', EXAMPLES)
      .action(run((context, id: string, options: HoldOptions) => holdSecret(context, id, kind, options)));
  hold(
    'pause',
    'paused',
    'keep a secret from being rotated, for a reason',
    'Cancels the rotation of a secret and keeps the reason as a tag. `rotation now` refuses it until `rotation resume`.',
  );
  hold(
    'detach',
    'detached',
    'end the rotation of a secret, for a reason',
    'Cancels the rotation of a secret for good and keeps the reason as a tag, until `rotation attach`. Secrets Manager keeps the name of the function, which cannot be taken off a secret.',
  );
  program
    .command('resume')
    .summary('end a pause')
    .description(
      'Turns the rotation of a paused secret on again, with the schedule that it had. It is not rotated now.',
    )
    .argument('<secret>', 'name or ARN')
    .option('--yes', 'do not ask')
    .addHelpText('after', EXAMPLES)
    .action(run((context, id: string, options: { yes?: true }) => resume(context, id, options.yes === true)));
}

async function holdSecret(context: Context, id: string, kind: Kind, options: HoldOptions): Promise<ExitCode> {
  const { output, aws } = context;
  output.busy('looking …');
  const secret = await describeSecret(context, id);
  if (secret.RotationLambdaARN === undefined) {
    throw refused('NOT_ATTACHED', `${secret.Name} must have a rotation function, and it has none.`);
  }
  const by = await whoAndWhen(context);
  output.busy(undefined);
  const verb = kind === 'paused' ? 'Pause' : 'Detach';
  if (!(await agreed(context, secret, `${verb} the rotation of ${secret.Name}?`, options.yes === true))) {
    return EXIT.refused;
  }
  const Tags = Object.entries({ [HOLD_TAGS[kind]]: options.reason, [HOLD_TAGS.by]: by });
  // The reason first: nobody is to find a rotation cancelled and nothing that says why.
  const tagged = new TagResourceCommand({ SecretId: secret.ARN, Tags: Tags.map(([Key, Value]) => ({ Key, Value })) });
  await asking(`secretsmanager:TagResource of ${secret.Name}`, aws.secretsManager.send(tagged));
  const stale = holdTagsOf(secret).filter((key) => !Tags.some(([Key]) => Key === key));
  await untag(context, secret, stale);
  const cancel = new CancelRotateSecretCommand({ SecretId: secret.ARN });
  await asking(`secretsmanager:CancelRotateSecret of ${secret.Name}`, aws.secretsManager.send(cancel));
  const pending = pendingVersion(await describeSecret(context, secret.ARN));
  output.line(`${green(kind === 'paused' ? 'Paused' : 'Detached')} ${bold(secret.Name)}: ${options.reason}`);
  if (pending !== undefined) {
    output.line(`  A rotation was under way: AWSPENDING is on version ${shortId(pending)}.`);
    output.line(`Next: rotation doctor ${secret.Name} --fix`);
  } else output.line(`When the reason is gone: rotation ${kind === 'paused' ? 'resume' : 'attach'} ${secret.Name}`);
  const { Name, ARN } = secret;
  output.result({ secret: Name, arn: ARN, outcome: kind, reason: options.reason, by, pending: pending ?? null });
  return pending === undefined ? EXIT.done : EXIT.unwell;
}

async function resume(context: Context, id: string, consent: boolean): Promise<ExitCode> {
  const { output, aws } = context;
  output.busy('looking …');
  const secret = await describeSecret(context, id);
  output.busy(undefined);
  const { Name, ARN, RotationRules } = secret;
  const hold = holdOf(secret);
  const tags = holdTagsOf(secret);
  if (hold === undefined && tags.length > 0) return await forget(context, secret, tags, consent);
  if (hold?.kind !== 'paused') {
    const found = hold === undefined ? 'nobody has paused it' : `it was detached: ${hold.reason}`;
    throw refused('NOT_PAUSED', `${Name} must be paused to be resumed, and ${found}.`, `See: rotation status ${Name}`);
  }
  if (pendingVersion(secret) !== undefined) {
    const remedy = `Look at it, and clear it away: rotation doctor ${Name} --fix`;
    throw refused('STUCK', `No rotation of ${Name} may be half done, and the one before the pause is.`, remedy);
  }
  output.line(`Paused${hold.by === undefined ? '' : ` by ${hold.by}`}: ${hold.reason}`);
  if (!(await agreed(context, secret, `Resume the rotation of ${Name}?`, consent))) return EXIT.refused;
  const on = new RotateSecretCommand({
    SecretId: ARN,
    RotateImmediately: false,
    ...(RotationRules && { RotationRules }),
  });
  await asking(`secretsmanager:RotateSecret of ${Name}`, aws.secretsManager.send(on));
  await untag(context, secret, tags);
  output.line(`${green('Resumed')} ${bold(Name)}: the function logs in with the current password now.`);
  output.line(`See what comes of it: rotation status ${Name}`);
  output.result({ secret: Name, arn: ARN, outcome: 'resumed', reason: hold.reason, by: hold.by ?? null });
  return EXIT.done;
}

/** Of a hold that somebody has ended by turning rotation on: its tags would hold the secret again when that is cancelled. */
async function forget(
  context: Context,
  secret: DescribedSecret,
  tags: readonly string[],
  consent: boolean,
): Promise<ExitCode> {
  const { output } = context;
  const { Name, ARN } = secret;
  output.line(`The rotation of ${Name} is on already; what is left of a hold are its tags: ${tags.join(', ')}.`);
  if (!(await agreed(context, secret, `Take them off ${Name}?`, consent))) return EXIT.refused;
  await untag(context, secret, tags);
  output.line(`${green('Taken off')}.`);
  output.result({ secret: Name, arn: ARN, outcome: 'untagged', tags });
  return EXIT.done;
}

async function agreed({ output, prompts }: Context, { ARN }: DescribedSecret, question: string, consent: boolean) {
  output.line(`In ${placeOfArn(ARN)}:`);
  if (await prompts.agree(question, consent)) return true;
  output.line('Nothing was changed.');
  return false;
}

/** Such as `alice 2026-01-31`; the end of the caller's ARN, as far as a tag takes it. */
async function whoAndWhen(context: Context): Promise<string> {
  const { arn } = await callerOf(context);
  const who = (arn.split(/[:/]/).at(-1) ?? arn).replaceAll(/[^\p{L}\p{N}_.:/=+\-@ ]/gu, '-').slice(0, 200);
  return `${who} ${new Date().toISOString().slice(0, 10)}`;
}
