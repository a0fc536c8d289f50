/** How the rotation of a secret is: a pure judgement over what was gathered. */
import type { StrategyName } from '../shared/rotation/strategy.ts';
import type { Hold } from './hold.ts';
import type { StepFailure } from './watch/log-lines.ts';

export type Condition =
  | 'ok'
  | 'rotating'
  /** A rotation failed; Secrets Manager tries again. */
  | 'failed'
  /** AWSPENDING was left behind, and nothing tells that anybody works on it. */
  | 'stuck'
  | 'overdue'
  | 'cancelled'
  | 'not-attached'
  | 'marked-for-deletion';

export interface PendingVersion {
  readonly versionId: string;
  /** Undefined where the service does not say. */
  readonly since: Date | undefined;
  readonly hasValue: boolean;
}

export interface ReplicaState {
  readonly region: string;
  readonly status: string;
  readonly message: string | undefined;
}

export interface StatusFacts {
  readonly name: string;
  readonly arn: string;
  readonly functionArn: string | undefined;
  readonly enabled: boolean;
  readonly strategy: StrategyName | undefined;
  /** Undefined where the value can't be read or parsed: `unreadable` tells why. */
  readonly username: string | undefined;
  readonly unreadable: string | undefined;
  readonly lastRotated: Date | undefined;
  readonly nextRotation: Date | undefined;
  readonly deleted: Date | undefined;
  readonly pending: PendingVersion | undefined;
  /** Of the pending version, where the function's log tells one. */
  readonly failure: StepFailure | undefined;
  /** What the last rotation has told, though it succeeded, where the function's log can be read. */
  readonly notice: string | undefined;
  readonly replicas: readonly ReplicaState[];
  /** Why somebody keeps it from being rotated. */
  readonly hold?: Hold | undefined;
}

/** Longer than any rotation runs: Lambda's longest time-out. */
export const LONGEST_STEP_MS = 15 * 60_000;

export function conditionOf(facts: StatusFacts, now: Date): Condition {
  const { pending, failure, nextRotation, enabled } = facts;
  if (facts.deleted !== undefined) return 'marked-for-deletion';
  if (pending !== undefined) {
    const age = now.getTime() - (pending.since?.getTime() ?? now.getTime());
    if (!enabled) return 'stuck';
    if (failure !== undefined) return age > LONGEST_STEP_MS && isOverdue(nextRotation, now) ? 'stuck' : 'failed';
    return age > LONGEST_STEP_MS ? 'stuck' : 'rotating';
  }
  if (facts.functionArn === undefined) return 'not-attached';
  if (!enabled) return 'cancelled';
  return isOverdue(nextRotation, now) ? 'overdue' : 'ok';
}

export const isOverdue = (next: Date | undefined, now: Date) => next !== undefined && next < now;

/** Whether somebody should look at it. */
export function isUnwell(condition: Condition, { replicas }: Pick<StatusFacts, 'replicas'>): boolean {
  return ['failed', 'stuck', 'overdue'].includes(condition) || replicas.some(({ status }) => status === 'Failed');
}

/** Such as `2026-03-01 04:00 UTC`. */
export function moment(date: Date | undefined): string {
  return date === undefined ? '–' : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Such as `3 h ago`, or `in 12 d`. */
export function distance(date: Date, now: Date): string {
  const ms = Math.abs(now.getTime() - date.getTime());
  const [size, unit] = UNITS.find(([each]) => ms >= each) ?? [1_000, 's'];
  const text = `${Math.floor(ms / size)} ${unit}`;
  return date <= now ? `${text} ago` : `in ${text}`;
}

const UNITS: readonly (readonly [ms: number, unit: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
];
