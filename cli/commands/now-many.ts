import { writeFileSync } from 'node:fs';
import { green, plural, red, yellow } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asCommandError, type CommandError, usage } from '../failures.ts';
import { mapLimited } from '../map-limited.ts';
import { placeOfArn, type RotatedSecret } from '../secrets.ts';
import { exitCodeOf, summary } from '../watch/outcome.ts';
import { type RotateOptions, type RotationRun, rotate } from '../watch/rotate.ts';
import { type Selection, select } from './now-selection.ts';

type Result = { readonly id: string } & (
  | { readonly run: RotationRun }
  /** It could not even be started. */
  | { readonly error: CommandError }
  /** Ctrl-C came first. */
  | { readonly notStarted: true }
);

export interface ManyRotations extends Selection {
  /** How many at a time. */
  readonly atOnce: number;
  /** Do not ask. */
  readonly yes: boolean;
  /** Show which, and rotate none. */
  readonly dryRun: boolean;
  /** Rotate the first alone, and go on only where it went well. */
  readonly canary: boolean;
  /** Begin none after so many failures. */
  readonly stopAfter: number;
  /** A new file for the result. */
  readonly report: string | undefined;
}

/** Rotates every secret that is selected, a few at a time, after asking. */
export async function rotateMany(context: Context, many: ManyRotations, options: RotateOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  output.busy('looking for secrets …');
  const { chosen, cancelled } = await select(context, many);
  output.busy(undefined);
  const ids = chosen.map(({ arn }) => arn);
  output.line(`In ${placeOfArn((chosen[0] ?? cancelled[0])?.arn ?? '')}: ${firstOf(chosen)}`);
  if (cancelled.length > 0) output.line(`Passed over, as their rotation was cancelled: ${firstOf(cancelled)}`);
  const passedOver = cancelled.map(({ name, arn }) => ({ secret: name, arn, why: 'cancelled' }));
  if (many.dryRun) {
    output.line(`${plural(ids.length, 'secret')} would be rotated; nothing was changed (--dry-run).`);
    output.result({
      outcome: 'unchanged',
      secrets: chosen.map(({ name, arn }) => ({ secret: name, arn })),
      passedOver,
    });
    return EXIT.done;
  }
  if (ids.length > 0 && !(await prompts.agree(`Rotate ${plural(ids.length, 'secret')} now?`, many.yes))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }
  const report = many.report === undefined ? undefined : new Report(many.report);
  const results = await perform(context, ids, many, options);
  return conclude(context, results, passedOver, report);
}

async function perform(
  context: Context,
  ids: readonly string[],
  { atOnce, canary, stopAfter }: ManyRotations,
  options: RotateOptions,
): Promise<Result[]> {
  const { output, signal } = context;
  let [done, failures] = [0, 0];
  const one = async (id: string): Promise<Result> => {
    if (signal.aborted || failures >= stopAfter) return { id, notStarted: true };
    const result = await rotateQuietly(context, id, options);
    if (isFailure(result)) failures++;
    output.line(lineOf(result));
    output.busy(`${bar(++done, ids.length)} ${done} of ${ids.length}`);
    return result;
  };
  output.busy(`${bar(0, ids.length)} 0 of ${ids.length}`);
  const [first, ...others] = ids;
  try {
    if (!canary || first === undefined || others.length === 0) return await mapLimited(ids, atOnce, one);
    const ahead = await one(first);
    if (codeOf(ahead) === EXIT.done) return [ahead, ...(await mapLimited(others, atOnce, one))];
    output.line('The first did not go well, so no other was begun.');
    return [ahead, ...others.map((id) => ({ id, notStarted: true as const }))];
  } finally {
    output.busy(undefined);
  }
}

function conclude(
  { output, signal }: Context,
  results: readonly Result[],
  passedOver: readonly object[],
  report: Report | undefined,
): ExitCode {
  const counts = countOf(results);
  const { rotated, failed, unproven, notStarted } = counts;
  const more = notStarted === 0 ? '' : `, ${notStarted} not started`;
  output.line(
    `${plural(results.length, 'secret')}: ${rotated} rotated, ${failed} failed, ${unproven} not known${more}.`,
  );
  // Far above, where there were many.
  if (results.length > SHOWN) for (const result of results.filter(isFailure)) output.line(lineOf(result));
  const answer = { counts, rotations: results.map(asJson), passedOver };
  output.result(answer);
  report?.write(answer);
  if (signal.aborted) return EXIT.interrupted;
  if (failed > 0) return EXIT.unwell;
  return unproven + notStarted > 0 ? EXIT.unproven : EXIT.done;
}

/** Made before anything is rotated, so that a name that can't be written is no surprise afterwards. */
class Report {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    try {
      writeFileSync(path, '', { flag: 'wx' });
    } catch (error) {
      const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : '';
      throw usage(`--report must name a new file, and ${path} can't be written (${code}).`);
    }
  }

  write(answer: object): void {
    writeFileSync(this.#path, `${JSON.stringify(answer, undefined, 2)}\n`);
  }
}

const SHOWN = 3;

function firstOf(secrets: readonly RotatedSecret[]): string {
  if (secrets.length === 0) return 'no secret';
  const names = secrets.slice(0, SHOWN).map(({ name }) => name);
  const more = secrets.length > SHOWN ? ` and ${secrets.length - SHOWN} more` : '';
  return names.join(', ') + more;
}

async function rotateQuietly(context: Context, id: string, options: RotateOptions): Promise<Result> {
  try {
    const nothing = () => undefined;
    return { id, run: await rotate(context, id, options, nothing, nothing) };
  } catch (error) {
    return { id, error: asCommandError(error) };
  }
}

function codeOf(result: Result): ExitCode {
  if ('error' in result) return result.error.exitCode;
  return 'run' in result ? exitCodeOf(result.run) : EXIT.unproven;
}

function isFailure(result: Result): boolean {
  return ![EXIT.done, EXIT.unproven].some((code) => code === codeOf(result));
}

function countOf(results: readonly Result[]) {
  const begun = results.filter((result) => !('notStarted' in result));
  const rotated = begun.filter((result) => codeOf(result) === EXIT.done).length;
  const failed = begun.filter(isFailure).length;
  return { rotated, failed, unproven: begun.length - rotated - failed, notStarted: results.length - begun.length };
}

function lineOf(result: Result): string {
  const code = codeOf(result);
  const sign = code === EXIT.done ? green('✓') : code === EXIT.unproven ? yellow('?') : red('✗');
  return `  ${sign} ${nameOf(result)}  ${wordsOf(result)}`;
}

/** Of an ARN, the name. */
function nameOf(result: Result): string {
  if ('run' in result) return result.run.secret.Name;
  return result.id
    .split(':')
    .slice(6)
    .join(':')
    .replace(/-[A-Za-z0-9]{6}$/, '');
}

function wordsOf(result: Result): string {
  if ('error' in result) return result.error.message;
  if ('notStarted' in result) return 'not started';
  const { ending, proof } = result.run;
  switch (ending.outcome) {
    case 'succeeded':
      return proof?.message ?? 'rotated';
    case 'failed':
      return [`${ending.failure.code}:`, ending.failure.message, ending.failure.remedy, proof?.message]
        .filter((part) => part !== undefined)
        .join(' ');
    case 'abandoned':
      return ['AWSPENDING was taken off its version.', proof?.message ?? ''].join(' ').trimEnd();
    case 'unknown':
      return ending.reason ?? 'still rotating';
    default: {
      const never: never = ending;
      return never;
    }
  }
}

function asJson(result: Result): object {
  if ('run' in result) return summary(result.run);
  const { id } = result;
  if ('notStarted' in result) return { secret: nameOf(result), arn: id, outcome: 'not-started' };
  const { code, message } = result.error;
  return { secret: nameOf(result), arn: id, outcome: 'not-started', error: { code, message } };
}

const WIDTH = 24;

/** Such as `████████░░░░`. */
export function bar(done: number, total: number): string {
  const filled = total === 0 ? WIDTH : Math.round((done / total) * WIDTH);
  return '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
}
