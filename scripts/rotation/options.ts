import type { Context } from './context.ts';
import type { ExitCode } from './exit-codes.ts';
import { usage } from './failures.ts';

/** A subcommand's work, given its first argument and its options. */
type Work<Argument, Options> = (context: Context, argument: Argument, options: Options) => Promise<ExitCode>;

/** Makes a commander action of a subcommand's work. */
export type Runner = <Argument, Options>(
  work: Work<Argument, Options>,
) => (argument: Argument, options: Options) => Promise<void>;

/** A number of seconds, from 1 to a day. */
export function seconds(text: string): number {
  const number = Number(text);
  if (!(number >= 1 && number <= 86_400)) throw usage('A number of seconds from 1 to 86400 was needed.');
  return number;
}

/** Values of an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}
