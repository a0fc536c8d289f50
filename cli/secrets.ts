import {
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  type Filter,
  GetSecretValueCommand,
  paginateListSecrets,
  paginateListSecretVersionIds,
  type SecretListEntry,
  UntagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import type { StoredVersion } from '../shared/rotation/ports.ts';
import { type VersionStages, versionWith } from '../shared/rotation/version-stage.ts';
import type { Context } from './context.ts';
import { callerOf } from './doctor/aws-facts.ts';
import { EXIT } from './exit-codes.ts';
import { asking, awsError, CommandError, refused, usage } from './failures.ts';

export interface DescribedSecret extends DescribeSecretCommandOutput {
  readonly ARN: string;
  readonly Name: string;
  readonly stages: VersionStages;
}

/** @param id name or ARN. */
export async function describeSecret({ aws }: Context, id: string): Promise<DescribedSecret> {
  const call = aws.secretsManager.send(new DescribeSecretCommand({ SecretId: id }));
  const answer = await asking(`secretsmanager:DescribeSecret of ${id}`, call);
  return {
    ...answer,
    ...rulesOf(answer),
    ARN: answer.ARN ?? id,
    Name: answer.Name ?? id,
    stages: answer.VersionIdsToStages ?? {},
  };
}

/** The service answers a schedule with the days that it has worked out from it, and takes only one of the two. */
function rulesOf({ RotationRules }: DescribeSecretCommandOutput): Pick<DescribeSecretCommandOutput, 'RotationRules'> {
  if (RotationRules?.ScheduleExpression === undefined) return {};
  const { AutomaticallyAfterDays: _, ...rules } = RotationRules;
  return { RotationRules: rules };
}

/** Of a replica, the ARN of the secret that it follows: only that one is rotated. */
export function primaryOf({ ARN, PrimaryRegion }: Pick<DescribedSecret, 'ARN' | 'PrimaryRegion'>): string | undefined {
  const region = ARN.split(':')[3] ?? '';
  if (PrimaryRegion === undefined || PrimaryRegion === region) return undefined;
  return ARN.replace(`:${region}:`, `:${PrimaryRegion}:`);
}

/** @param subcommand what is to be done with the primary instead. @throws CommandError where it is a replica. */
export function needPrimary(secret: DescribedSecret, subcommand: string): void {
  const primary = primaryOf(secret);
  if (primary === undefined) return;
  throw refused(
    'REPLICA',
    `A primary secret was needed, and ${secret.Name} is a replica of the one in ${secret.PrimaryRegion}.`,
    `Its values follow: rotation ${subcommand} ${primary}`,
  );
}

/** The version that a rotation is making; undefined where none is under way or was left behind. */
export function pendingVersion({ stages }: Pick<DescribedSecret, 'stages'>): string | undefined {
  const pending = versionWith(stages, 'AWSPENDING');
  return pending === versionWith(stages, 'AWSCURRENT') ? undefined : pending;
}

/** @returns undefined where the secret has no such version, or one without a value. */
export async function readVersion(
  { aws }: Context,
  secretArn: string,
  which: { readonly VersionStage: string } | { readonly VersionId: string },
): Promise<StoredVersion | undefined> {
  try {
    const answer = await aws.secretsManager.send(new GetSecretValueCommand({ SecretId: secretArn, ...which }));
    return { versionId: answer.VersionId ?? '', text: answer.SecretString };
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw awsError(`secretsmanager:GetSecretValue of ${secretArn}`, error);
  }
}

/** Takes tags off a secret; no call where there are none. */
export async function untag(
  { aws }: Context,
  { ARN, Name }: Pick<DescribedSecret, 'ARN' | 'Name'>,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  const command = new UntagResourceCommand({ SecretId: ARN, TagKeys: [...keys] });
  await asking(`secretsmanager:UntagResource of ${Name}`, aws.secretsManager.send(command));
}

/** When a version was made, by the service's clock. Undefined where it is not (any more) among the labelled ones. */
export async function versionCreated(
  { aws }: { readonly aws: Pick<Context['aws'], 'secretsManager'> },
  secretArn: string,
  versionId: string,
): Promise<Date | undefined> {
  const pages = paginateListSecretVersionIds({ client: aws.secretsManager }, { SecretId: secretArn });
  try {
    for await (const { Versions = [] } of pages) {
      const found = Versions.find((version) => version.VersionId === versionId);
      if (found !== undefined) return found.CreatedDate;
    }
  } catch (error) {
    throw awsError(`secretsmanager:ListSecretVersionIds of ${secretArn}`, error);
  }
  return undefined;
}

/** Such as `tag:team=payments`, `tag:team` or `name:prod/`. */
export type SecretFilter =
  | { readonly kind: 'tag'; readonly key: string; readonly value: string | undefined }
  | { readonly kind: 'name'; readonly prefix: string };

/** @throws CommandError where it is none of the forms. */
export function parseFilter(text: string): SecretFilter {
  const tag = /^tag:([^=]+)(?:=(.*))?$/s.exec(text);
  if (tag !== null) return { kind: 'tag', key: tag[1] ?? '', value: tag[2] };
  const name = /^name:(.+)$/s.exec(text)?.[1];
  if (name !== undefined) return { kind: 'name', prefix: name };
  throw usage(`A filter is tag:KEY=VALUE, tag:KEY or name:PREFIX, found "${text}".`);
}

/** Pure; the service's own filters take every value for a prefix. */
export function passes({ Name = '', Tags = [] }: SecretListEntry, filters: readonly SecretFilter[]): boolean {
  return filters.every((filter) =>
    filter.kind === 'name'
      ? Name.startsWith(filter.prefix)
      : Tags.some(({ Key, Value }) => Key === filter.key && (filter.value ?? Value) === Value),
  );
}

/** A secret that has a rotation function. */
export interface RotatedSecret {
  readonly arn: string;
  readonly name: string;
  /** False where its rotation was cancelled. */
  readonly enabled: boolean;
  readonly functionArn: string;
  /** Undefined where it was never rotated. */
  readonly lastRotated: Date | undefined;
}

/** All secrets that pass every filter, as ListSecrets tells of them: no value is read. */
export async function listSecrets({ aws }: Context, filters: readonly SecretFilter[]): Promise<SecretListEntry[]> {
  const found: SecretListEntry[] = [];
  const pages = paginateListSecrets({ client: aws.secretsManager }, { Filters: filters.map(serviceFilter) });
  try {
    for await (const { SecretList = [] } of pages) found.push(...SecretList);
  } catch (error) {
    throw awsError('secretsmanager:ListSecrets', error);
  }
  return found.filter((secret) => passes(secret, filters));
}

/**
 * All secrets that have a rotation function and pass every filter, by name.
 *
 * @throws CommandError where there is none: an empty answer of the wrong region or account is no good news.
 */
export async function rotatedSecrets(context: Context, filters: readonly SecretFilter[]): Promise<RotatedSecret[]> {
  const found = await listSecrets(context, filters);
  const rotated = found
    .filter((secret) => secret.RotationLambdaARN !== undefined)
    .sort((a, b) => (a.Name ?? '').localeCompare(b.Name ?? ''))
    .map(
      ({
        ARN: arn = '',
        Name: name = '',
        RotationEnabled,
        RotationLambdaARN: functionArn = '',
        LastRotatedDate: lastRotated,
      }) => ({
        arn,
        name,
        enabled: RotationEnabled === true,
        functionArn,
        lastRotated,
      }),
    );
  if (rotated.length > 0) return rotated;
  const which = filters.length === 0 ? '' : ' that passes the filter';
  throw new CommandError(
    'NOTHING_FOUND',
    `A secret with a rotation function${which} was needed, and none was found in ${await placeOf(context)}.`,
    { exitCode: EXIT.error, remedy: 'Check --filter, --region and --profile: aws secretsmanager list-secrets' },
  );
}

/** Such as `account 123456789012, eu-west-1`; of the caller. */
export async function placeOf(context: Context): Promise<string> {
  const [account, region] = await Promise.all([
    callerOf(context).then(
      (caller) => `account ${caller.account}`,
      () => 'an account that sts:GetCallerIdentity does not tell',
    ),
    context.aws.region(),
  ]);
  return `${account}, ${region ?? 'no region'}`;
}

/** The same, of a secret. */
export function placeOfArn(arn: string): string {
  const [, , , region = '', account = ''] = arn.split(':');
  return `account ${account}, ${region}`;
}

/** An ARN decides where a secret is, whatever --region says. @throws CommandError where several contradict each other. */
export function regionOfSecrets(ids: readonly string[]): { readonly region?: string } {
  const regions = new Set(ids.flatMap((id) => /^arn:[\w-]+:secretsmanager:([\w-]+):/.exec(id)?.[1] ?? []));
  if (regions.size > 1) throw usage(`Secrets of one region were needed, found ${[...regions].join(' and ')}.`);
  const [region] = regions;
  return region === undefined ? {} : { region };
}

function serviceFilter(filter: SecretFilter): Filter {
  return filter.kind === 'name' ? { Key: 'name', Values: [filter.prefix] } : { Key: 'tag-key', Values: [filter.key] };
}
