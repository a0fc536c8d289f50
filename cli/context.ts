import type { Aws } from './clients.ts';
import type { Output } from './output.ts';
import type { Prompts } from './prompts.ts';

/** What every subcommand works with. */
export interface Context {
  readonly aws: Aws;
  readonly output: Output;
  readonly prompts: Prompts;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
