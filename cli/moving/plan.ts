/** What moving many secrets to another function would change, and which stay where they are. */
import type { RotationRulesType } from '@aws-sdk/client-secrets-manager';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import { type AttachWishes, chooseRules, chooseStrategy } from '../attach-plan.ts';
import type { Context } from '../context.ts';
import { readLogin } from '../doctor/reading.ts';
import { asCommandError, CommandError, refused } from '../failures.ts';
import { describeFunction, type RotationFunction } from '../functions.ts';
import { isOnlyFromHere, tryLogin } from '../login.ts';
import { mapLimited } from '../map-limited.ts';
import { type DescribedSecret, describeSecret, needPrimary, pendingVersion, type RotatedSecret } from '../secrets.ts';
import type { Move } from './record.ts';
import { spreadSchedule } from './spread.ts';

/** Why a secret stays where it is. */
export interface LeftAlone {
  readonly name: string;
  readonly secretArn: string;
  readonly code: string;
  /** One sentence. */
  readonly why: string;
}

export interface MovePlan {
  readonly moves: readonly Move[];
  /** There already, as after a run that was interrupted. */
  readonly there: readonly RotatedSecret[];
  readonly refused: readonly LeftAlone[];
  /** The functions that secrets are moved to, by ARN; undefined where Lambda does not tell. */
  readonly functions: ReadonlyMap<string, RotationFunction | undefined>;
}

export interface MoveWishes extends Pick<AttachWishes, 'schedule' | 'window'> {
  /** Default: as many hours as the schedule says, which is one. */
  readonly spread?: number;
  /** Whether to log in with each from here first. */
  readonly login: boolean;
  readonly caFile?: string;
  /** How many are looked at together. */
  readonly atOnce: number;
}

/** @param functionFor tells the ARN of the function for a strategy; asked once for each. */
export async function planMoves(
  context: Context,
  secrets: readonly RotatedSecret[],
  functionFor: (strategy: StrategyName) => Promise<string>,
  wishes: MoveWishes,
): Promise<MovePlan> {
  const targets = new Map<StrategyName, Promise<string>>();
  const functions = new Map<string, RotationFunction | undefined>();
  const targetFor = async (strategy: StrategyName) => {
    const known = targets.get(strategy) ?? functionFor(strategy);
    targets.set(strategy, known);
    const arn = await known;
    if (!functions.has(arn)) functions.set(arn, await describeIfTold(context, arn));
    return arn;
  };
  let done = 0;
  const looks = await mapLimited(secrets, wishes.atOnce, async (secret, index) => {
    try {
      context.signal.throwIfAborted();
      return await look(context, secret, index, { ...wishes, targetFor, functions });
    } catch (error) {
      if (context.signal.aborted) throw error;
      const { code, message, exitCode } = asCommandError(error);
      // What makes no sense for one makes none for any.
      if (exitCode === 2) throw error;
      return { name: secret.name, secretArn: secret.arn, code, why: message };
    } finally {
      context.output.busy(`looked at ${++done} of ${secrets.length} secrets …`);
    }
  });
  return {
    moves: looks.filter((each): each is Move => each !== 'there' && 'after' in each),
    there: secrets.filter((_, index) => looks[index] === 'there'),
    refused: looks.filter((each): each is LeftAlone => each !== 'there' && 'why' in each),
    functions,
  };
}

async function describeIfTold(context: Context, arn: string): Promise<RotationFunction | undefined> {
  return await describeFunction(context, arn).catch((error: unknown) => {
    if (error instanceof CommandError && error.code !== 'ResourceNotFoundException') return undefined;
    throw error;
  });
}

interface LookOptions extends MoveWishes {
  readonly targetFor: (strategy: StrategyName) => Promise<string>;
  readonly functions: ReadonlyMap<string, RotationFunction | undefined>;
}

async function look(
  context: Context,
  { arn }: RotatedSecret,
  index: number,
  options: LookOptions,
): Promise<Move | 'there'> {
  const secret = await describeSecret(context, arn);
  needPrimary(secret, 'attach');
  const { secret: login, finding } = await readLogin(context, secret, 'AWSCURRENT');
  if (login === undefined) throw refused('SECRET_UNUSABLE', finding.message, finding.remedy);
  const strategy = chooseStrategy(login, undefined);
  const functionArn = await options.targetFor(strategy);
  const before = secret.RotationLambdaARN ?? '';
  if (before === functionArn) return 'there';
  needNoneUnderWay(secret);
  const rules = rulesFor(secret.RotationRules, index, options);
  if (options.login) await needLogin(login, strategy, options.functions.get(functionArn), options.caFile);
  return {
    secretArn: secret.ARN,
    name: secret.Name,
    before: { functionArn: before, rules: secret.RotationRules ?? {} },
    after: { functionArn, rules },
  };
}

/** With as many as these, one that gets no answer at first is no rarity. */
async function needLogin(
  login: DatabaseSecret,
  strategy: StrategyName,
  described: RotationFunction | undefined,
  file: string | undefined,
): Promise<void> {
  const environment = described?.configuration.Environment?.Variables ?? {};
  const knock = () => tryLogin(login, { source: 'current', caFile: file, environment, strategy });
  let proof = await knock();
  if (proof.outcome === 'failed' && isOnlyFromHere(proof.error)) proof = await knock();
  if (proof.outcome === 'refused') {
    throw refused('PASSWORD_NOT_ACCEPTED', 'The server refuses the password that AWSCURRENT holds.');
  }
  const error = proof.outcome === 'failed' ? proof.error : proof.unfit;
  if (error !== undefined) throw refused(error.code, error.message, error.remedy);
}

/** RotateSecret would take it up instead, by the other function. */
function needNoneUnderWay(secret: DescribedSecret): void {
  if (pendingVersion(secret) === undefined) return;
  throw refused(
    'ROTATION_UNDER_WAY',
    'No rotation may be under way or half done, and AWSPENDING is on a version of its own.',
  );
}

function rulesFor(
  existing: RotationRulesType | undefined,
  index: number,
  { spread, schedule, window }: LookOptions,
): RotationRulesType {
  const rules = chooseRules(existing, {
    ...(schedule !== undefined && { schedule }),
    ...(window !== undefined && { window }),
  });
  if (spread === undefined) return rules;
  return { ...rules, ScheduleExpression: spreadSchedule(rules.ScheduleExpression ?? 'none', index, spread) };
}
