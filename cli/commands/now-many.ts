import { green, plural, red, yellow } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asCommandError, type CommandError } from '../failures.ts';
import { mapLimited } from '../map-limited.ts';
import { placeOfArn, type RotatedSecret, rotatedSecrets, type SecretFilter } from '../secrets.ts';
import { exitCodeOf, summary } from '../watch/outcome.ts';
import { type RotateOptions, type RotationRun, rotate } from '../watch/rotate.ts';

type Result = { readonly id: string } & (
  | { readonly run: RotationRun }
  /** It could not even be started. */
  | { readonly error: CommandError }
  /** Ctrl-C came first. */
  | { readonly notStarted: true }
);

export interface Selection {
  readonly filters: readonly SecretFilter[];
  /** How many at a time. */
  readonly atOnce: number;
  /** Do not ask. */
  readonly yes: boolean;
}

/** Rotates every secret that passes the filters, a few at a time, after asking. */
export async function rotateMany(
  context: Context,
  { filters, atOnce: limit, yes }: Selection,
  options: RotateOptions,
): Promise<ExitCode> {
  const { output, signal, prompts } = context;
  output.busy('looking for secrets …');
  const found = await rotatedSecrets(context, filters);
  output.busy(undefined);
  // Somebody has cancelled it, for a reason that is not known here.
  const cancelled = found.filter(({ enabled }) => !enabled);
  const ids = found.filter(({ enabled }) => enabled).map(({ arn }) => arn);
  output.line(`In ${placeOfArn(found[0]?.arn ?? '')}: ${firstOf(found.filter(({ enabled }) => enabled))}`);
  if (cancelled.length > 0) output.line(`Passed over, as their rotation was cancelled: ${firstOf(cancelled)}`);
  if (ids.length > 0 && !(await prompts.agree(`Rotate ${plural(ids.length, 'secret')} now?`, yes))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }

  let done = 0;
  output.busy(`${bar(0, ids.length)} 0 of ${ids.length}`);
  const results = await mapLimited(ids, limit, async (id) => {
    if (signal.aborted) return { id, notStarted: true as const };
    const result = await rotateQuietly(context, id, options);
    output.line(lineOf(result));
    output.busy(`${bar(++done, ids.length)} ${done} of ${ids.length}`);
    return result;
  });
  output.busy(undefined);

  const counts = countOf(results);
  output.line(
    `${plural(ids.length, 'secret')}: ${counts.rotated} rotated, ${counts.failed} failed, ${counts.unproven} not known.`,
  );
  const passedOver = cancelled.map(({ name, arn }) => ({ secret: name, arn, why: 'cancelled' }));
  output.result({ counts, rotations: results.map(asJson), passedOver });
  if (counts.failed > 0) return EXIT.unwell;
  return counts.unproven > 0 ? EXIT.unproven : EXIT.done;
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

function countOf(results: readonly Result[]) {
  const codes = results.map(codeOf);
  const rotated = codes.filter((code) => code === EXIT.done).length;
  const unproven = codes.filter((code) => code === EXIT.unproven).length;
  return { rotated, failed: codes.length - rotated - unproven, unproven };
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
