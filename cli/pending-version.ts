/** How it is with the version that a rotation is making, or has left behind: one judgement for status and doctor; pure. */

import type { StepFailure } from '../shared/lambda/step-line.ts';
import { type VersionStages, versionWith } from '../shared/rotation/version-stage.ts';

export interface PendingVersion {
  readonly versionId: string;
  /** Undefined where the service does not say. */
  readonly since: Date | undefined;
  readonly hasValue: boolean;
}

export interface PendingFacts {
  readonly stages: VersionStages;
  /** Whether rotation is turned on. */
  readonly enabled: boolean;
  readonly pending: PendingVersion;
  /** Of the pending version, where the function's log tells one. */
  readonly failure: StepFailure | undefined;
  readonly nextRotation: Date | undefined;
}

export interface PendingJudgement {
  readonly condition:
    | 'rotating'
    /** A step failed; Secrets Manager tries again. */
    | 'failed'
    /** Left behind: nothing tells that anybody works on it. */
    | 'stuck'
    /** It is AWSPREVIOUS too, as after a rollback by hand: every step refuses to set it again (PENDING_RETIRED). */
    | 'retired';
  /** Whether AWSPENDING may be taken off without pulling it from under a step that runs. */
  readonly mayBeCleared: boolean;
}

/** Longer than any step runs: Lambda's longest time-out. */
export const LONGEST_STEP_MS = 15 * 60_000;

export function judgePending(
  { stages, enabled, pending, failure, nextRotation }: PendingFacts,
  now: Date,
): PendingJudgement {
  if (pending.versionId === versionWith(stages, 'AWSPREVIOUS')) return { condition: 'retired', mayBeCleared: true };
  if (!enabled) return { condition: 'stuck', mayBeCleared: true };
  const isOld = now.getTime() - (pending.since?.getTime() ?? now.getTime()) > LONGEST_STEP_MS;
  if (failure !== undefined) {
    const isGivenUp = isOld && isOverdue(nextRotation, now);
    return { condition: isGivenUp ? 'stuck' : 'failed', mayBeCleared: isOld || !pending.hasValue };
  }
  return isOld ? { condition: 'stuck', mayBeCleared: true } : { condition: 'rotating', mayBeCleared: false };
}

export const isOverdue = (next: Date | undefined, now: Date) => next !== undefined && next < now;
