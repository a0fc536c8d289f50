/** Gathers what `rotation status` and `rotation doctor` judge. */

import type { StepFailure } from '../shared/lambda/step-line.ts';
import { versionWith } from '../shared/rotation/version-stage.ts';
import { parseDatabaseSecret } from '../shared/secret/database-secret.ts';
import type { Context } from './context.ts';
import { asCommandError, CommandError } from './failures.ts';
import { describeFunction, functionName, strategyOf } from './functions.ts';
import type { PendingVersion } from './pending-version.ts';
import type { StatusFacts } from './secret-status.ts';
import { type DescribedSecret, describeSecret, pendingVersion, readVersion, versionCreated } from './secrets.ts';
import { changeOf, FunctionLog, failuresOf } from './watch/function-log.ts';

export async function gatherStatus(context: Context, id: string): Promise<StatusFacts> {
  const secret = await describeSecret(context, id);
  const deleted = secret.DeletedDate;
  const [current, pending]: [Current, PendingVersion | undefined] = await Promise.all([
    deleted === undefined ? readCurrent(context, secret) : { unreadable: 'the secret is marked for deletion' },
    findPending(context, secret),
  ]);
  const functionArn = secret.RotationLambdaARN;
  const strategy = functionArn === undefined ? undefined : (strategyOf(functionArn) ?? current.strategy);
  return {
    name: secret.Name,
    arn: secret.ARN,
    functionArn,
    enabled: secret.RotationEnabled === true,
    strategy,
    username: current.username,
    unreadable: current.unreadable,
    lastRotated: secret.LastRotatedDate,
    nextRotation: secret.NextRotationDate,
    deleted,
    stages: secret.stages,
    pending,
    failure: pending && (await lastFailure(context, secret, pending)),
    // A single user's rotation has nothing to tell.
    notice: strategy === 'alternating-users' ? await lastNotice(context, secret) : undefined,
    replicas: (secret.ReplicationStatus ?? []).map(({ Region = '', Status = '', StatusMessage }) => ({
      region: Region,
      status: Status,
      message: StatusMessage,
    })),
  };
}

interface Current {
  readonly username?: string;
  /** By what the secret needs; the function's name comes first. */
  readonly strategy?: StatusFacts['strategy'];
  readonly unreadable?: string;
}

async function readCurrent(context: Context, { ARN }: DescribedSecret): Promise<Current> {
  try {
    const version = await readVersion(context, ARN, { VersionStage: 'AWSCURRENT' });
    if (version === undefined) return { unreadable: 'it has no current value' };
    const { username, superuserSecretArn } = parseDatabaseSecret(version.text);
    return { username, strategy: superuserSecretArn === undefined ? 'single-user' : 'alternating-users' };
  } catch (error) {
    return { unreadable: asCommandError(error).message };
  }
}

export async function findPending(context: Context, secret: DescribedSecret): Promise<PendingVersion | undefined> {
  const versionId = pendingVersion(secret);
  if (versionId === undefined) return undefined;
  const [since, version] = await Promise.all([
    versionCreated(context, secret.ARN, versionId),
    readVersion(context, secret.ARN, { VersionId: versionId }).catch((error: unknown) => {
      // Not allowed, or not decrypted: then it has a value.
      if (error instanceof CommandError) return 'unreadable' as const;
      throw error;
    }),
  ]);
  return { versionId, since, hasValue: version !== undefined };
}

/** What the function's log says of the pending version; nothing where the log can't be read. */
export async function lastFailure(
  context: Context,
  { RotationLambdaARN }: DescribedSecret,
  { versionId, since }: PendingVersion,
): Promise<StepFailure | undefined> {
  return (await lastStepEnd(context, RotationLambdaARN, since, failuresOf(versionId)))?.failure;
}

/** A rotation may have been retried for so long before it became current. */
const LONGEST_ROTATION_MS = 24 * 3_600_000;

/** What the rotation that made AWSCURRENT has told, though it succeeded, of what only the database shows. */
async function lastNotice(context: Context, secret: DescribedSecret): Promise<string | undefined> {
  const { RotationLambdaARN, LastRotatedDate, stages } = secret;
  const current = versionWith(stages, 'AWSCURRENT');
  if (current === undefined || LastRotatedDate === undefined) return undefined;
  const since = new Date(LastRotatedDate.getTime() - LONGEST_ROTATION_MS);
  return (await lastStepEnd(context, RotationLambdaARN, since, changeOf(current)))?.notice;
}

async function lastStepEnd(context: Context, arn: string | undefined, since: Date | undefined, filter: string) {
  if (arn === undefined || since === undefined) return undefined;
  try {
    const { logGroup } = await describeFunction(context, arn).catch(() => ({
      logGroup: `/aws/lambda/${functionName(arn)}`,
    }));
    const lines = await new FunctionLog(context, { arn, logGroup }).read(since, filter);
    return lines.findLast(({ step }) => step?.end !== undefined)?.step?.end;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
