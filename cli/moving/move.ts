/** Moves secrets to another function, a few at a time. */
import { randomUUID } from 'node:crypto';
import { RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import type { Context } from '../context.ts';
import { asCommandError, asking, type CommandError } from '../failures.ts';
import type { RotationFunction } from '../functions.ts';
import { mapLimited } from '../map-limited.ts';
import type { Ending } from '../watch/ending.ts';
import { FunctionLog } from '../watch/function-log.ts';
import { watchRotation } from '../watch/watch.ts';
import type { Attachment } from './record.ts';

export interface AttachCall extends Attachment {
  readonly secretArn: string;
  readonly rotate: boolean;
}

/** RotateSecret, which sets function and schedule. @returns the version that the service registers for it. */
export async function attachTo(
  { aws }: Context,
  { secretArn, functionArn, rules, rotate }: AttachCall,
): Promise<string> {
  const versionId = randomUUID();
  const command = new RotateSecretCommand({
    SecretId: secretArn,
    ClientRequestToken: versionId,
    RotationLambdaARN: functionArn,
    RotationRules: rules,
    RotateImmediately: rotate,
  });
  await asking(`secretsmanager:RotateSecret of ${secretArn}`, aws.secretsManager.send(command));
  return versionId;
}

/** Longer than a test of the configuration takes, where nothing is wrong. */
const PATIENCE_MS = 120_000;

/** What the function made of the test that comes with it. */
export async function watchTest(
  context: Context,
  {
    secretArn,
    versionId,
    described,
  }: { secretArn: string; versionId: string; described: RotationFunction | undefined },
): Promise<Ending> {
  const log = described && new FunctionLog(context, described);
  const watched = { secretArn, versionId, log, kind: 'test', patience: PATIENCE_MS } as const;
  return await watchRotation(context, watched, () => undefined);
}

export type MoveOutcome =
  | { readonly outcome: 'moved' }
  /** The service has taken it, and the function could not log in, or nobody saw that it could. */
  | { readonly outcome: 'test-failed' | 'unseen'; readonly why: string }
  /** Nothing was changed. */
  | { readonly outcome: 'refused'; readonly error: CommandError }
  | { readonly outcome: 'not-started' };

/**
 * @param work on one item. What it throws is that item's outcome.
 * @param stopAfter so many failures, after which no further item is begun.
 * @param tell of each that was begun, as it ends.
 */
export async function moveAll<Item>(
  { signal }: Context,
  items: readonly Item[],
  { atOnce, stopAfter }: { readonly atOnce: number; readonly stopAfter: number },
  work: (item: Item) => Promise<MoveOutcome>,
  tell: (item: Item, outcome: MoveOutcome) => void,
): Promise<MoveOutcome[]> {
  let failures = 0;
  return await mapLimited(items, atOnce, async (item): Promise<MoveOutcome> => {
    if (signal.aborted || failures >= stopAfter) return { outcome: 'not-started' };
    const outcome = await work(item).catch((error: unknown) => ({
      outcome: 'refused' as const,
      error: asCommandError(error),
    }));
    if (outcome.outcome === 'refused' || outcome.outcome === 'test-failed') failures++;
    tell(item, outcome);
    return outcome;
  });
}
