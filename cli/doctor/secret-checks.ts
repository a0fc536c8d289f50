/** Checks of the secret itself: pure judgements. */
import { type VersionStages, versionWith } from '../../shared/rotation/version-stage.ts';
import { parseSchedule, ScheduleSyntaxError } from '../../shared/schedule/schedule.ts';
import { shortId } from '../../shared/terminal/text.ts';
import { distance, isOverdue, LONGEST_STEP_MS, moment, type PendingVersion } from '../secret-status.ts';
import type { DescribedSecret } from '../secrets.ts';
import type { StepFailure } from '../watch/log-lines.ts';
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
  if (PrimaryRegion !== undefined && PrimaryRegion !== ARN.split(':')[3]) {
    const remedy = `Rotate the primary, whose values follow: --region ${PrimaryRegion}`;
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
  const what = `AWSPENDING is on version ${shortId(versionId)}, ${hasValue ? 'with' : 'without'} a value,${age}`;
  if (isRetired(facts)) {
    const retired = `AWSPENDING is on version ${shortId(versionId)}, which is AWSPREVIOUS: no rotation sets a retired password`;
    return broken('labels', retired, `rotation doctor ${name} --fix`);
  }
  if (isStuck(facts, now)) return broken('labels', `${what} and nobody works on it`, `rotation doctor ${name} --fix`);
  if (failure !== undefined) {
    const remedy = failure.remedy ?? "Look at the function's log.";
    return broken('labels', `${what}: ${failure.step} failed with ${failure.code}: ${failure.message}`, remedy);
  }
  return warning('labels', `${what}: a rotation is under way`, 'Wait for it, or watch it: rotation status --watch');
}

/** As after a rollback by hand: what was replaced is to be set again, which every step refuses (PENDING_RETIRED). */
export function isRetired({ pending, stages }: Pick<LabelFacts, 'pending' | 'stages'>): boolean {
  return pending !== undefined && pending.versionId === versionWith(stages, 'AWSPREVIOUS');
}

/** Whether AWSPENDING may be taken off without pulling it from under a rotation that runs. */
export function isStuck({ pending, enabled, failure }: LabelFacts, now: Date): boolean {
  if (pending === undefined) return false;
  const age = now.getTime() - (pending.since?.getTime() ?? now.getTime());
  return !enabled || age > LONGEST_STEP_MS || (failure !== undefined && !pending.hasValue);
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
