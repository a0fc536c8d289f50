/** One rotation, from RotateSecret to the proof that it was worth it. */
import { randomUUID } from 'node:crypto';
import { RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import type { Environment } from '../../shared/lambda/config.ts';
import { versionWith } from '../../shared/rotation/version-stage.ts';
import { parseDatabaseSecret } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import { asCommandError, awsError, CommandError, refused } from '../failures.ts';
import { describeFunction, strategyOf } from '../functions.ts';
import { loginName, tryLogin } from '../login.ts';
import {
  type DescribedSecret,
  describeSecret,
  needPrimary,
  pendingVersion,
  readVersion,
  versionCreated,
} from '../secrets.ts';
import type { Ending } from './ending.ts';
import { FunctionLog } from './function-log.ts';
import { type News, watchRotation } from './watch.ts';

export interface RotateOptions {
  /** Whether to log in with the new credential from this machine. */
  readonly login: boolean;
  readonly caFile: string | undefined;
  /** Milliseconds. */
  readonly patience: number;
  readonly throughRetries: boolean;
  /** Whether a rotation that was cancelled may be turned on again, as RotateSecret does. */
  readonly turnOn: boolean;
}

export interface Proof {
  readonly labels: Readonly<Record<string, string>>;
  readonly login: 'accepted' | 'refused' | 'not-tried' | 'not-possible-from-here';
  /** One sentence. */
  readonly message: string;
}

export interface RotationRun {
  readonly secret: DescribedSecret;
  readonly versionId: string;
  /** Whether an earlier rotation was under way and is what ran. */
  readonly reattempt: boolean;
  readonly ending: Ending;
  /** Of one that has ended, however. */
  readonly proof: Proof | undefined;
  readonly ms: number;
}

/** @param started told once the service has accepted. */
export async function rotate(
  context: Context,
  id: string,
  options: RotateOptions,
  started: (secret: DescribedSecret, versionId: string, reattempt: boolean) => void,
  tell: (news: News) => void,
): Promise<RotationRun> {
  const secret = await describeSecret(context, id);
  needPrimary(secret, 'now');
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
  if (secret.RotationEnabled !== true && !options.turnOn) {
    throw refused(
      'CANCELLED',
      `The rotation of ${secret.Name} must be turned on, and somebody has cancelled it: to rotate now would turn it on again.`,
      `If it is to be turned on again: rotation now ${secret.Name} --turn-on`,
    );
  }
  const unreadable = (reason: string) => tell({ type: 'log-unreadable', reason });
  const described = await describeFunction(context, functionArn).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    unreadable(error.message);
    return undefined;
  });
  const log = described && new FunctionLog(context, described);
  await passOver(context, secret, log);

  const begun = performance.now();
  const { versionId, reattempt } = await start(context, secret);
  started(secret, versionId, reattempt);
  const ending = await watchRotation(
    context,
    { ...options, secretArn: secret.ARN, versionId, log, kind: 'rotation' },
    tell,
  );
  const ms = performance.now() - begun;
  const environment = described?.configuration.Environment?.Variables ?? {};
  const proof =
    ending.outcome === 'unknown'
      ? undefined
      : await prove(context, secret, { ...options, environment, changed: ending.outcome === 'succeeded' });
  return { secret, versionId, reattempt, ending, proof, ms };
}

/** What an earlier attempt at the version that is pending has logged is no news. */
async function passOver(context: Context, secret: DescribedSecret, log: FunctionLog | undefined): Promise<void> {
  const pending = pendingVersion(secret);
  const created = pending && (await versionCreated(context, secret.ARN, pending));
  // Where the log can't be read, watching will tell.
  if (created) await log?.read(created).catch(() => []);
}

/** RotateSecret; where an earlier rotation is not complete the service reattempts that one, and says so as an error. */
async function start(context: Context, secret: DescribedSecret): Promise<{ versionId: string; reattempt: boolean }> {
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

interface ProofOptions {
  readonly login: boolean;
  readonly caFile: string | undefined;
  /** Of the function. */
  readonly environment: Environment;
  /** Whether AWSCURRENT is the version that was just made. */
  readonly changed: boolean;
}

/**
 * The labels as they are now, and a login with what AWSCURRENT holds: how the rotation has ended is known, and whether
 * applications get in only a login tells.
 */
async function prove(context: Context, secret: DescribedSecret, options: ProofOptions): Promise<Proof> {
  const labels = await currentLabels(context, secret.ARN).catch(() => ({}));
  const login = await proveLogin(context, secret, options).catch((error: unknown) =>
    notPossible(asCommandError(error), options),
  );
  return { labels, ...login };
}

async function currentLabels(context: Context, secretArn: string): Promise<Proof['labels']> {
  const { stages } = await describeSecret(context, secretArn);
  return Object.fromEntries(
    ['AWSCURRENT', 'AWSPREVIOUS'].flatMap((label) => {
      const versionId = versionWith(stages, label);
      return versionId === undefined ? [] : [[label, versionId]];
    }),
  );
}

async function proveLogin(
  context: Context,
  secret: DescribedSecret,
  options: ProofOptions,
): Promise<Omit<Proof, 'labels'>> {
  const { login, caFile, environment, changed } = options;
  const what = changed ? 'The new login' : "AWSCURRENT's login";
  if (!login) return { login: 'not-tried', message: `${what} was not tried from here (--no-login).` };
  const current = await readVersion(context, secret.ARN, { VersionStage: 'AWSCURRENT' });
  const credential = parseDatabaseSecret(current?.text);
  const byNeed = credential.superuserSecretArn === undefined ? 'single-user' : 'alternating-users';
  const strategy = strategyOf(secret.RotationLambdaARN) ?? byNeed;
  const proof = await tryLogin(credential, { source: 'current', caFile, environment, strategy });
  const name = loginName(credential);
  switch (proof.outcome) {
    case 'accepted': {
      const unfit = proof.unfit === undefined ? '' : ` The next rotation will be refused: ${proof.unfit.message}`;
      return { login: 'accepted', message: `${what} ${changed ? 'works' : 'still works'}: ${name}.${unfit}` };
    }
    case 'refused': {
      const password = changed ? 'the new password' : "AWSCURRENT's password";
      const out = 'applications that read the secret now are locked out';
      return { login: 'refused', message: `The server refuses ${password} of ${name}: ${out}.` };
    }
    case 'failed':
      return notPossible(proof.error, options);
    default: {
      const never: never = proof;
      return never;
    }
  }
}

/** Only a refused password says that it is wrong. */
function notPossible({ message }: Error, { changed }: ProofOptions): Omit<Proof, 'labels'> {
  const what = changed ? 'The new login' : "AWSCURRENT's login";
  return { login: 'not-possible-from-here', message: `${what} could not be tried from here: ${message}` };
}
