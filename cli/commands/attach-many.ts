/** `attach --all`: moves many secrets to another function, and `attach --undo` moves them back. */
import { resolve } from 'node:path';
import { bold, green, plural, red, yellow } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { refused, usage } from '../failures.ts';
import { describeFunction, functionName } from '../functions.ts';
import { attachTo, type MoveOutcome, moveAll, watchTest } from '../moving/move.ts';
import { type MovePlan, type MoveWishes, planMoves } from '../moving/plan.ts';
import { type Move, MoveRecord, readRecord } from '../moving/record.ts';
import { describeSecret, parseFilter, placeOfArn, type RotatedSecret, rotatedSecrets } from '../secrets.ts';
import { functionOfStack } from '../stacks.ts';

export interface ManyOptions extends MoveWishes {
  readonly filter: readonly string[];
  /** Name or ARN of the function to move from; default: any. */
  readonly from?: string;
  readonly stack?: string;
  readonly function?: string;
  readonly dryRun: boolean;
  readonly stopAfter: number;
  readonly record?: string;
  readonly yes: boolean;
}

export async function attachMany(context: Context, options: ManyOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  if ((options.stack === undefined) === (options.function === undefined)) {
    const found = options.stack === undefined ? 'neither' : 'both';
    throw usage(`--stack or --function was needed with --all, found ${found}.`);
  }
  output.busy('looking for secrets …');
  const all = await rotatedSecrets(context, options.filter.map(parseFilter));
  const chosen =
    options.from === undefined ? all : all.filter(({ functionArn }) => isCalled(functionArn, options.from));
  // Somebody has cancelled these for a reason that is not known here, and to attach is to turn on.
  const cancelled = chosen.filter(({ enabled }) => !enabled);
  const plan = await planMoves(
    context,
    chosen.filter(({ enabled }) => enabled),
    (strategy) => functionFor(context, strategy, options),
    options,
  );
  output.busy(undefined);
  showPlan(context, plan, cancelled);
  const told = { moves: plan.moves, refused: plan.refused, there: plan.there.length, cancelled: cancelled.length };
  if (options.dryRun || plan.moves.length === 0) {
    output.line(options.dryRun ? 'Nothing was changed (--dry-run).' : 'Nothing is to be changed.');
    output.result({ ...told, outcome: 'unchanged' });
    return plan.refused.length > 0 ? EXIT.refused : EXIT.done;
  }
  if (!(await prompts.agree(`Attach ${plural(plan.moves.length, 'secret')}?`, options.yes))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }
  const record = new MoveRecord(resolve(options.record ?? recordName(new Date())), plan.moves);
  output.line(`To undo it: rotation attach --undo ${record.path}`);
  const outcomes = await perform(context, plan.moves, options, {
    work: async ({ secretArn, after }) => {
      const versionId = await attachTo(context, { secretArn, ...after, rotate: false });
      record.note(secretArn, 'attached');
      const described = plan.functions.get(after.functionArn);
      const ending = await watchTest(context, { secretArn, versionId, described });
      if (ending.outcome === 'succeeded') return { outcome: 'moved' };
      if (ending.outcome !== 'failed') return { outcome: 'unseen', why: 'what the function made of it was not seen' };
      const { step, code, message } = ending.failure;
      return { outcome: 'test-failed', why: `${step} failed with ${code}: ${message}` };
    },
    note: (move, outcome) => record.note(move.secretArn, outcome.outcome),
  });
  const code = conclude(context, plan.moves, outcomes, { ...told, record: record.path });
  // Some are where they were, for a reason that somebody has to look at.
  return code === EXIT.done && plan.refused.length > 0 ? EXIT.unwell : code;
}

/** Puts functions and schedules back, of those secrets that are still as the record says they were left. */
export async function undoMany(
  context: Context,
  path: string,
  options: { readonly atOnce: number; readonly stopAfter: number; readonly dryRun: boolean; readonly yes: boolean },
): Promise<ExitCode> {
  const { output, prompts } = context;
  const recorded = readRecord(path);
  const [first] = recorded;
  if (first === undefined) throw usage(`${path} is the record of no secret at all.`);
  output.line(`In ${placeOfArn(first.secretArn)}: ${namesOf(recorded)}`);
  for (const line of linesOf(recorded.map(({ before, after }) => ({ before: after, after: before }))))
    output.line(line);
  if (options.dryRun) {
    output.line('Nothing was changed (--dry-run).');
    return EXIT.done;
  }
  if (!(await prompts.agree(`Put ${plural(recorded.length, 'secret')} back?`, options.yes))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }
  let passedOver = 0;
  const outcomes = await perform(context, recorded, options, {
    async work({ secretArn, before, after }) {
      const { RotationLambdaARN } = await describeSecret(context, secretArn);
      if (RotationLambdaARN === before.functionArn) {
        passedOver++;
        return { outcome: 'moved' };
      }
      if (RotationLambdaARN !== after.functionArn) {
        throw refused('MOVED_SINCE', `It has been attached to ${functionName(RotationLambdaARN ?? 'nothing')} since.`);
      }
      await attachTo(context, { secretArn, ...before, rotate: false });
      return { outcome: 'moved' };
    },
    note: () => undefined,
  });
  if (passedOver > 0) output.line(`${plural(passedOver, 'secret')} of them had not been moved, or were back already.`);
  return conclude(context, recorded, outcomes, { passedOver });
}

async function functionFor(
  context: Context,
  strategy: Parameters<typeof functionOfStack>[2],
  { stack, function: given = '' }: ManyOptions,
): Promise<string> {
  if (stack !== undefined) return await functionOfStack(context, stack, strategy);
  if (given.startsWith('arn:')) return given;
  return (await describeFunction(context, given)).configuration.FunctionArn ?? given;
}

const isCalled = (arn: string, wanted: string | undefined) => arn === wanted || functionName(arn) === wanted;

const SHOWN = 3;

function namesOf(secrets: readonly { readonly name: string }[]): string {
  const names = secrets.slice(0, SHOWN).map(({ name }) => name);
  const more = secrets.length > SHOWN ? ` and ${secrets.length - SHOWN} more` : '';
  return names.length === 0 ? 'no secret' : names.join(', ') + more;
}

function showPlan({ output }: Context, plan: MovePlan, cancelled: readonly RotatedSecret[]): void {
  const { moves, there, refused: left } = plan;
  const somewhere = moves[0]?.secretArn ?? there[0]?.arn ?? left[0]?.secretArn ?? cancelled[0]?.arn ?? '';
  output.line(`In ${placeOfArn(somewhere)}: ${namesOf(moves)}`);
  for (const line of linesOf(moves)) output.line(line);
  if (there.length > 0) output.line(`  ${plural(there.length, 'secret')} there already`);
  if (cancelled.length > 0) output.line(`Passed over, as their rotation was cancelled: ${namesOf(cancelled)}`);
  for (const { name, code, why } of left) output.line(`  ${yellow('stays')} ${name}  ${code}: ${why}`);
}

/** From which function to which, and how the schedules change, each with a count. */
function linesOf(moves: readonly Pick<Move, 'before' | 'after'>[]): string[] {
  const counts = new Map<string, number>();
  const count = (line: string) => counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const { before, after } of moves) {
    count(`${functionName(before.functionArn)} → ${functionName(after.functionArn)}`);
    const [was, will] = [before.rules, after.rules].map(scheduleOf);
    count(was === will ? 'schedules stay as they are' : `${was} → ${will}`);
  }
  return [...counts].map(([line, number]) => `  ${plural(number, 'secret')}: ${line}`);
}

function scheduleOf({ ScheduleExpression, AutomaticallyAfterDays, Duration }: Move['before']['rules']): string {
  const when =
    ScheduleExpression ?? (AutomaticallyAfterDays === undefined ? 'none' : `every ${AutomaticallyAfterDays} days`);
  return Duration === undefined ? when : `${when}, window ${Duration}`;
}

interface Performance {
  readonly work: (move: Move) => Promise<MoveOutcome>;
  readonly note: (move: Move, outcome: MoveOutcome) => void;
}

async function perform(
  context: Context,
  moves: readonly Move[],
  limits: { readonly atOnce: number; readonly stopAfter: number },
  { work, note }: Performance,
): Promise<MoveOutcome[]> {
  const { output } = context;
  let done = 0;
  const outcomes = await moveAll(context, moves, limits, work, (move, outcome) => {
    note(move, outcome);
    if (outcome.outcome !== 'moved') output.line(lineOf(move, outcome));
    output.busy(`${++done} of ${moves.length}`);
  });
  output.busy(undefined);
  return outcomes;
}

function lineOf({ name }: Move, outcome: MoveOutcome): string {
  switch (outcome.outcome) {
    case 'moved':
      return `  ${green('✓')} ${name}`;
    case 'test-failed':
      return `  ${red('✗')} ${name}  attached, but ${outcome.why}`;
    case 'unseen':
      return `  ${yellow('?')} ${name}  attached; ${outcome.why}`;
    case 'refused':
      return `  ${red('✗')} ${name}  ${outcome.error.message}`;
    case 'not-started':
      return `  ${yellow('?')} ${name}  not started`;
    default: {
      const never: never = outcome;
      return never;
    }
  }
}

function conclude(
  { output, signal }: Context,
  moves: readonly Move[],
  outcomes: readonly MoveOutcome[],
  more: object,
): ExitCode {
  const number = (...kinds: MoveOutcome['outcome'][]) =>
    outcomes.filter(({ outcome }) => kinds.includes(outcome)).length;
  const counts = {
    done: number('moved'),
    failed: number('refused', 'test-failed'),
    unproven: number('unseen'),
    notStarted: number('not-started'),
  };
  output.line(
    `${bold(plural(moves.length, 'secret'))}: ${counts.done} done, ${counts.failed} failed, ${counts.unproven} not known, ${counts.notStarted} not started.`,
  );
  const failed = moves.flatMap((move, index) => {
    const outcome = outcomes[index];
    return outcome !== undefined && ['refused', 'test-failed'].includes(outcome.outcome) ? [lineOf(move, outcome)] : [];
  });
  for (const line of failed) output.line(line);
  if (counts.notStarted > 0) output.line('The same command again goes on where this one ended.');
  output.result({
    ...more,
    counts,
    secrets: moves.map(({ secretArn, name }, index) => ({ secret: name, arn: secretArn, ...outcomes[index] })),
  });
  if (signal.aborted) return EXIT.interrupted;
  if (counts.failed > 0) return EXIT.unwell;
  return counts.unproven + counts.notStarted > 0 ? EXIT.unproven : EXIT.done;
}

/** Such as `rotation-attach-2026-03-01T04-00-00Z.jsonl`. */
function recordName(now: Date): string {
  return `rotation-attach-${now.toISOString().replace(/\.\d+/, '').replaceAll(':', '-')}.jsonl`;
}
