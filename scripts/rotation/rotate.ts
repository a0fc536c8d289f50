/** One rotation, from RotateSecret to the proof that it was worth it. */
import { randomUUID } from 'node:crypto';
import { RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { versionWith } from '../../shared/rotation/version-stage.ts';
import { parseDatabaseSecret } from '../../shared/secrets/database-secret.ts';
import type { Context } from './context.ts';
import { awsError, CommandError, refused } from './failures.ts';
import { FunctionLog } from './function-log.ts';
import { describeFunction } from './functions.ts';
import { isOnlyFromHere, loginName, tryLogin } from './login.ts';
import { describeSecret, pendingVersion, readVersion, type Secret, versionCreated } from './secrets.ts';
import { type Ending, type News, watchRotation } from './watch.ts';

export interface RotateOptions {
  /** Whether to log in with the new credential from this machine. */
  readonly login: boolean;
  readonly caFile: string | undefined;
  /** Milliseconds. */
  readonly patience: number;
  readonly throughRetries: boolean;
}

export interface Proof {
  readonly labels: Readonly<Record<string, string>>;
  readonly login: 'accepted' | 'refused' | 'not-tried' | 'not-possible-from-here';
  /** One sentence. */
  readonly message: string;
}

export interface RotationRun {
  readonly secret: Secret;
  readonly versionId: string;
  /** Whether an earlier rotation was under way and is what ran. */
  readonly reattempt: boolean;
  readonly ending: Ending;
  /** Of a rotation that succeeded. */
  readonly proof: Proof | undefined;
  readonly ms: number;
}

/** @param started told once the service has accepted. */
export async function rotate(
  context: Context,
  secretId: string,
  options: RotateOptions,
  started: (secret: Secret, versionId: string, reattempt: boolean) => void,
  tell: (news: News) => void,
): Promise<RotationRun> {
  const secret = await describeSecret(context, secretId);
  const functionArn = secret.RotationLambdaARN;
  if (functionArn === undefined) {
    throw refused(
      'NOT_ATTACHED',
      `${secret.Name} must have a rotation function to be rotated, and it has none.`,
      `Attach one: rotation attach ${secret.Name}`,
    );
  }
  if (secret.RotationEnabled === false && pendingVersion(secret) !== undefined) {
    throw refused(
      'STUCK',
      `No other rotation of ${secret.Name} may be half done, and one was cancelled that left AWSPENDING behind.`,
      `Look at it, and clear it away: rotation doctor ${secret.Name} --fix`,
    );
  }
  const rotationFunction = await describeFunction(context, functionArn).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    tell({ type: 'log-unreadable', reason: error.message });
    return undefined;
  });
  const log = rotationFunction && new FunctionLog(context, rotationFunction);
  await passOver(context, secret, log);

  const begun = performance.now();
  const { versionId, reattempt } = await start(context, secret);
  started(secret, versionId, reattempt);
  const since = (await versionCreated(context, secret.ARN, versionId)) ?? new Date();
  const ending = await watchRotation(
    context,
    { ...options, secretId: secret.ARN, versionId, log, since, kind: 'rotation' },
    tell,
  );
  const ms = performance.now() - begun;
  const proof = ending.outcome === 'succeeded' ? await prove(context, secret.ARN, options) : undefined;
  return { secret, versionId, reattempt, ending, proof, ms };
}

/** What an earlier attempt at the version that is pending has logged is no news. */
async function passOver(context: Context, secret: Secret, log: FunctionLog | undefined): Promise<void> {
  const pending = pendingVersion(secret);
  const created = pending && (await versionCreated(context, secret.ARN, pending));
  // Where the log can't be read, watching will tell.
  if (created) await log?.read(created).catch(() => []);
}

/** RotateSecret; where an earlier rotation is not complete the service reattempts that one, and says so as an error. */
async function start(context: Context, secret: Secret): Promise<{ versionId: string; reattempt: boolean }> {
  const versionId = randomUUID();
  try {
    const command = new RotateSecretCommand({ SecretId: secret.ARN, ClientRequestToken: versionId });
    await context.aws.secretsManager.send(command);
    return { versionId, reattempt: false };
  } catch (error) {
    const pending = pendingVersion(secret) ?? pendingVersion(await describeSecret(context, secret.ARN));
    const reattempted = error instanceof Error && /previous rotation isn't complete/.test(error.message);
    if (reattempted && pending !== undefined) return { versionId: pending, reattempt: true };
    throw awsError(`secretsmanager:RotateSecret of ${secret.Name}`, error);
  }
}

/** The labels as they are now, and a login with what AWSCURRENT holds. */
async function prove(context: Context, secretId: string, { login, caFile }: RotateOptions): Promise<Proof> {
  const { stages } = await describeSecret(context, secretId);
  const labels = Object.fromEntries(
    ['AWSCURRENT', 'AWSPREVIOUS'].flatMap((label) => {
      const versionId = versionWith(stages, label);
      return versionId === undefined ? [] : [[label, versionId]];
    }),
  );
  if (!login) return { labels, login: 'not-tried', message: 'The new login was not tried from here (--no-login).' };

  const current = await readVersion(context, secretId, { VersionStage: 'AWSCURRENT' });
  const credential = parseDatabaseSecret(current?.text);
  const outcome = await tryLogin(credential, 'current', caFile);
  const name = loginName(credential);
  switch (outcome.outcome) {
    case 'accepted':
      return { labels, login: 'accepted', message: `The new login works: ${name}.` };
    case 'refused':
      return { labels, login: 'refused', message: `The server refuses the new password of ${name}.` };
    case 'failed':
      return isOnlyFromHere(outcome.error)
        ? {
            labels,
            login: 'not-possible-from-here',
            message: `The new login could not be tried from here: ${outcome.error.message}`,
          }
        : { labels, login: 'refused', message: outcome.error.message };
    default: {
      const never: never = outcome;
      return never;
    }
  }
}
