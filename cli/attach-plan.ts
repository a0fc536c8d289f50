/** What attaching a secret would change: pure. */
import type { RotationRulesType } from '@aws-sdk/client-secrets-manager';
import type { StrategyName } from '../shared/rotation/strategy.ts';
import { parseSchedule, ScheduleSyntaxError } from '../shared/schedule/schedule.ts';
import type { DatabaseSecret } from '../shared/secret/database-secret.ts';
import { refused, usage } from './failures.ts';
import { functionName, strategyOf } from './functions.ts';
import type { DescribedSecret } from './secrets.ts';

export interface AttachWishes {
  readonly strategy?: StrategyName;
  readonly schedule?: string;
  readonly window?: string;
}

export interface Change {
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

/** By what the secret holds, unless told. @throws CommandError where the two contradict each other. */
export function chooseStrategy({ superuserSecretArn }: DatabaseSecret, wished: StrategyName | undefined): StrategyName {
  if (wished === 'alternating-users' && superuserSecretArn === undefined) {
    throw refused(
      'SUPERUSER_SECRET_MISSING',
      'Alternating users need a secret that names its superuser secret, and this one has no "masterarn".',
      'Put the ARN of the superuser secret into "masterarn" of the secret\'s JSON, or take --strategy single-user.',
    );
  }
  return wished ?? (superuserSecretArn === undefined ? 'single-user' : 'alternating-users');
}

/** @throws CommandError where the function's name says that it is for the other strategy. */
export function refuseOtherStrategy(functionArn: string, strategy: StrategyName): void {
  const found = strategyOf(functionArn);
  if (found === undefined || found === strategy) return;
  throw refused(
    'OTHER_STRATEGY',
    `A function for ${strategy} was needed, and ${functionName(functionArn)} is for ${found}.`,
    `Give --strategy ${found}, or the other function.`,
  );
}

/** What is wished, over what the secret has, over every 30 days. @throws CommandError on what the service would refuse. */
export function chooseRules(existing: RotationRulesType | undefined, wishes: AttachWishes): RotationRulesType {
  const { schedule, window } = wishes;
  const { Duration = undefined, ...when } = existing ?? {};
  const kept: RotationRulesType = schedule === undefined ? when : { ScheduleExpression: schedule };
  const length = window ?? Duration;
  if (length !== undefined) kept.Duration = length;
  if (kept.AutomaticallyAfterDays === undefined && kept.ScheduleExpression === undefined) {
    kept.ScheduleExpression = 'rate(30 days)';
  }
  try {
    parseSchedule(kept);
  } catch (error) {
    if (error instanceof ScheduleSyntaxError) {
      throw usage(
        error.message,
        "Such as --schedule 'rate(30 days)' or --schedule 'cron(0 4 ? * SUN *)' --window 2h; in UTC.",
      );
    }
    throw error;
  }
  return kept;
}

/** Line by line what will be otherwise; empty where nothing will. */
export function changesOf(secret: DescribedSecret, functionArn: string, rules: RotationRulesType): Change[] {
  const { RotationLambdaARN, RotationEnabled, RotationRules } = secret;
  const all: Change[] = [
    { what: 'function', before: RotationLambdaARN ?? 'none', after: functionArn },
    { what: 'rotation', before: RotationEnabled === true ? 'on' : 'off', after: 'on' },
    { what: 'schedule', before: scheduleOf(RotationRules), after: scheduleOf(rules) },
    { what: 'window', before: RotationRules?.Duration ?? "the service's", after: rules.Duration ?? "the service's" },
  ];
  return all.filter(({ before, after }) => before !== after);
}

function scheduleOf({ ScheduleExpression, AutomaticallyAfterDays }: RotationRulesType = {}): string {
  if (ScheduleExpression !== undefined) return ScheduleExpression;
  return AutomaticallyAfterDays === undefined ? 'none' : `every ${AutomaticallyAfterDays} days`;
}
