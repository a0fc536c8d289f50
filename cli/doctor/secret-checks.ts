/** Checks of the secret itself: pure judgements. */

import type { StepFailure } from '../../shared/lambda/step-line.ts';
import { type VersionStages, versionWith } from '../../shared/rotation/version-stage.ts';
import { parseSchedule, ScheduleSyntaxError } from '../../shared/schedule/schedule.ts';
import { shortId } from '../../shared/terminal/text.ts';
import { isOverdue, judgePending, type PendingJudgement, type PendingVersion } from '../pending-version.ts';
import { distance, moment } from '../secret-status.ts';
import { type DescribedSecret, primaryOf } from '../secrets.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

export function judgeSecret(secret: DescribedSecret): Finding {
  const { Name, ARN, DeletedDate, OwningService, PrimaryRegion } = secret;
  if (DeletedDate !== undefined) {
    const restore = `aws secretsmanager restore-secret --secret-id ${ARN}`;
    return broken('secret', `${Name} is marked for deletion`, `Restore it: ${restore}`);
  }
  if (OwningService !== undefined) {
    const remedy = `Let ${OwningService} rotate it, or store the login in a secret of your own: rotation create`;
    return broken('secret', `${Name} is managed by ${OwningService}, which alone may change it`, remedy);
  }
  const primary = primaryOf(secret);
  if (primary !== undefined) {
    const remedy = `Look at the primary, whose values it follows: rotation doctor ${primary}`;
    return broken('secret', `${Name} is a replica of the secret in ${PrimaryRegion}`, remedy);
  }
  return ok('secret', `${Name} is here and may be changed`);
}

export function judgeAttachment({ Name, RotationLambdaARN, RotationEnabled }: DescribedSecret): Finding {
  if (RotationLambdaARN === undefined) {
    return broken('rotation', 'no function is attached', `Attach one: rotation attach ${Name}`);
  }
  if (RotationEnabled !== true) {
    const remedy = `Turn it on again: rotation attach ${Name} --function ${RotationLambdaARN}`;
    return broken('rotation', 'it is turned off: somebody cancelled it', remedy);
  }
  return ok('rotation', 'it is turned on');
}

export interface LabelFacts {
  readonly name: string;
  readonly stages: VersionStages;
  readonly enabled: boolean;
  readonly pending: PendingVersion | undefined;
  readonly failure: StepFailure | undefined;
  readonly nextRotation: Date | undefined;
}

export function judgeLabels(facts: LabelFacts, now: Date): Finding {
  const { name, stages, pending, failure } = facts;
  const current = versionWith(stages, 'AWSCURRENT');
  if (current === undefined) {
    const remedy = 'Store the login that the database has: aws secretsmanager put-secret-value';
    return broken('labels', 'no version is AWSCURRENT, so applications read nothing', remedy);
  }
  if (pending === undefined) return ok('labels', `AWSCURRENT is ${shortId(current)}, and no rotation is half done`);

  const { versionId, since, hasValue } = pending;
  const age = since === undefined ? '' : ` since ${moment(since)} (${distance(since, now)})`;
  const what = `AWSPENDING is on version ${shortId(versionId)}${age}, ${hasValue ? 'with' : 'without'} a value`;
  const { condition } = judgePending({ ...facts, pending }, now);
  const clear = `rotation doctor ${name} --fix`;
  switch (condition) {
    case 'retired': {
      const which = `AWSPENDING is on version ${shortId(versionId)}, which is AWSPREVIOUS`;
      return broken('labels', `${which}: no rotation sets a retired password`, clear);
    }
    case 'stuck':
      return broken('labels', `${what}, and nobody works on it${told(failure)}`, clear);
    case 'failed':
      return broken('labels', `${what}${told(failure)}`, failure?.remedy ?? "Look at the function's log.");
    case 'rotating':
      return warning('labels', `${what}: a rotation is under way`, 'Wait for it, or watch it: rotation status --watch');
    default: {
      const never: never = condition;
      return never;
    }
  }
}

function told(failure: StepFailure | undefined): string {
  return failure === undefined ? '' : `; ${failure.step} failed with ${failure.code}: ${failure.message}`;
}

/** @returns undefined where no version is pending. */
export function judgementOf({ pending, ...facts }: LabelFacts, now: Date): PendingJudgement | undefined {
  return pending && judgePending({ ...facts, pending }, now);
}

/** @param now by the service's clock, as far as it is known. */
export function judgeSchedule(
  { Name, RotationRules, NextRotationDate, RotationEnabled }: DescribedSecret,
  now: Date,
): Finding {
  if (RotationEnabled !== true) {
    return warning(
      'schedule',
      'rotation is turned off, so no schedule runs',
      `rotation attach ${Name} --schedule 'rate(30 days)'`,
    );
  }
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression, Duration } = RotationRules ?? {};
  if (days === undefined && expression === undefined) {
    const remedy = `rotation attach ${Name} --schedule 'rate(30 days)'`;
    return warning('schedule', 'there is none: it rotates only when somebody says so', remedy);
  }
  try {
    parseSchedule({ AutomaticallyAfterDays: days, ScheduleExpression: expression, Duration });
  } catch (error) {
    if (!(error instanceof ScheduleSyntaxError)) throw error;
    return broken('schedule', error.message, `rotation attach ${Name} --schedule 'rate(30 days)'`);
  }
  const what = expression ?? `every ${days} days`;
  const window = Duration === undefined ? '' : `, window ${Duration}`;
  if (isOverdue(NextRotationDate, now)) {
    const remedy = `Mend what is broken above, then: rotation now ${Name}`;
    return broken('schedule', `${what}${window}: it should have been rotated by ${moment(NextRotationDate)}`, remedy);
  }
  return ok('schedule', `${what}${window}, next by ${moment(NextRotationDate)}`);
}
