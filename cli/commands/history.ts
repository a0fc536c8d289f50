import { paginateListSecretVersionIds, type SecretVersionsListEntry } from '@aws-sdk/client-secrets-manager';
import type { Command } from 'commander';
import { table } from '../../shared/terminal/table.ts';
import { bold, dim, red, shortId } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { awsError, CommandError } from '../failures.ts';
import { daysSince, moment as parseMoment } from '../fleet/age.ts';
import { holdOf } from '../hold.ts';
import type { Runner } from '../options.ts';
import { moment } from '../secret-status.ts';
import { type DescribedSecret, describeSecret } from '../secrets.ts';
import { openLog } from '../watch/function-log.ts';

const EXAMPLES = `
Examples:
  $ rotation history prod/shop
  $ rotation history prod/shop --since 90d --json

No value is read. Failures are those that the function's log still has.`;

export function addHistory(program: Command, run: Runner): void {
  program
    .command('history')
    .summary('versions, labels, dates, and failures from the log')
    .description('Shows the versions of a secret, the oldest first, with what failed on the way to each.')
    .argument('<secret>', 'name or ARN')
    .option('--since <time>', 'how far the log is read back: 90d, 12h or 2026-01-31', '30d')
    .addHelpText('after', EXAMPLES)
    .action(run((context, id: string, options: { since: string }) => history(context, id, options.since)));
}

interface Failure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
}

interface VersionHistory {
  readonly versionId: string;
  readonly created: Date | undefined;
  readonly labels: readonly string[];
  /** The day of the last read; the service tells no more. */
  readonly lastAccessed: Date | undefined;
  readonly failures: readonly Failure[];
}

async function history(context: Context, id: string, since: string): Promise<ExitCode> {
  const { output } = context;
  const from = parseMoment(since);
  output.busy('looking …');
  const secret = await describeSecret(context, id);
  const entries = await versionsOf(context, secret);
  const failures = await failuresSince(context, secret, from);
  output.busy(undefined);
  const versions = entries
    .toSorted((a, b) => Number(a.CreatedDate ?? 0) - Number(b.CreatedDate ?? 0))
    .map(
      (entry): VersionHistory => ({
        versionId: entry.VersionId ?? '',
        created: entry.CreatedDate,
        labels: entry.VersionStages ?? [],
        lastAccessed: entry.LastAccessedDate,
        failures: failures.get(entry.VersionId ?? '') ?? [],
      }),
    );
  show(context, secret, versions);
  const { Name, ARN } = secret;
  output.result({ secret: Name, arn: ARN, since: from, hold: holdOf(secret) ?? null, versions });
  return EXIT.done;
}

function show({ output }: Context, secret: DescribedSecret, versions: readonly VersionHistory[]): void {
  const hold = holdOf(secret);
  const last = secret.LastRotatedDate;
  output.line(`${bold(secret.Name)}, ${last === undefined ? 'never rotated' : `rotated last ${moment(last)}`}`);
  if (hold !== undefined) output.line(`  ${hold.kind}${hold.by === undefined ? '' : ` by ${hold.by}`}: ${hold.reason}`);
  const head = ['MADE', 'VERSION', 'LABELS', 'LAST READ'].map((text) => ({ text, style: dim }));
  const rows = versions.map(({ versionId, created, labels, lastAccessed }) => [
    moment(created),
    shortId(versionId),
    labels.join(', '),
    lastAccessed === undefined ? 'never' : daysAgo(lastAccessed),
  ]);
  const lines = table([head, ...rows], process.stdout.columns || undefined);
  for (const line of lines) output.line(line);
  for (const { versionId, failures } of versions) {
    for (const { step, code, message } of failures) {
      output.line(`${shortId(versionId)}: ${red(code)} in ${step}: ${message}`);
    }
  }
}

function daysAgo(date: Date): string {
  const days = daysSince(date, new Date());
  return days < 1 ? 'today' : `${days} d ago`;
}

async function versionsOf({ aws }: Context, { ARN }: DescribedSecret): Promise<SecretVersionsListEntry[]> {
  const pages = paginateListSecretVersionIds(
    { client: aws.secretsManager },
    { SecretId: ARN, IncludeDeprecated: true },
  );
  const found: SecretVersionsListEntry[] = [];
  try {
    for await (const { Versions = [] } of pages) found.push(...Versions);
  } catch (error) {
    throw awsError(`secretsmanager:ListSecretVersionIds of ${ARN}`, error);
  }
  return found;
}

/** By version. Without a log there are none, and a note says why. */
async function failuresSince(
  context: Context,
  { RotationLambdaARN, ARN }: DescribedSecret,
  since: Date,
): Promise<ReadonlyMap<string, readonly Failure[]>> {
  if (RotationLambdaARN === undefined) return new Map();
  const unreadable = (reason: string) => context.output.note(`The function's log can't be read: ${reason}`);
  const log = await openLog(context, RotationLambdaARN, unreadable);
  const byVersion = new Map<string, Failure[]>();
  try {
    const lines = (await log?.read(since, `{ $.secret_arn = "${ARN}" && $.outcome = "failed" }`)) ?? [];
    for (const { step } of lines) {
      if (step?.end?.failure === undefined) continue;
      const { code, message } = step.end.failure;
      byVersion.set(step.versionId, [...(byVersion.get(step.versionId) ?? []), { step: step.step, code, message }]);
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    unreadable(error.message);
  }
  return byVersion;
}
