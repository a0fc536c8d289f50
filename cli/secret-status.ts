/** How the rotation of a secret is: a pure judgement over what was gathered. */

import type { StepFailure } from '../shared/lambda/step-line.ts';
import type { StrategyName } from '../shared/rotation/strategy.ts';
import type { VersionStages } from '../shared/rotation/version-stage.ts';
import { isOverdue, judgePending, type PendingVersion } from './pending-version.ts';

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
  readonly stages: VersionStages;
  readonly pending: PendingVersion | undefined;
  /** Of the pending version, where the function's log tells one. */
  readonly failure: StepFailure | undefined;
  /** What the last rotation has told, though it succeeded, where the function's log can be read. */
  readonly notice: string | undefined;
  readonly replicas: readonly ReplicaState[];
}

export function conditionOf(facts: StatusFacts, now: Date): Condition {
  const { pending, nextRotation, enabled } = facts;
  if (facts.deleted !== undefined) return 'marked-for-deletion';
  if (pending !== undefined) {
    const { condition } = judgePending({ ...facts, pending }, now);
    return condition === 'retired' ? 'stuck' : condition;
  }
  if (facts.functionArn === undefined) return 'not-attached';
  if (!enabled) return 'cancelled';
  return isOverdue(nextRotation, now) ? 'overdue' : 'ok';
}

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
