/** How attaching one secret ended, in words. */
import type { StepFailure } from '../../shared/lambda/step-line.ts';
import { bold, green, red } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import type { DescribedSecret } from '../secrets.ts';
import type { Ending } from '../watch/ending.ts';

export function reportAttached(
  { output }: Context,
  { Name }: DescribedSecret,
  ending: Ending,
  immediately: boolean,
): void {
  const name = bold(Name);
  switch (ending.outcome) {
    case 'succeeded':
      output.line(
        `${green('Attached')} ${name}: ${immediately ? 'it was rotated' : 'the function logs in with its password'}.`,
      );
      return;
    case 'failed':
      output.line(`${red('Attached')} ${name}, but ${ending.failure.step} failed: ${bold(ending.failure.code)}`);
      output.line(`  what happened  ${ending.failure.message}`);
      if (!immediately) output.line('                 It was a test of the configuration: no password was replaced.');
      output.line(`  what to do     ${remedyOf(ending.failure, immediately)}`);
      output.line(`Next: rotation doctor ${Name}`);
      return;
    case 'abandoned':
    case 'unknown':
      output.line(`Attached ${name}; what the function made of it was not seen: rotation doctor ${Name}`);
      if ('reason' in ending) output.line(`  what happened  ${ending.reason}`);
      return;
    default:
      ending satisfies never;
  }
}

/** The function does not know that it was only asked to log in: its words for a refused password are about a rotation. */
function remedyOf({ code, remedy }: StepFailure, immediately: boolean): string {
  if (!immediately && code === 'PASSWORD_NOT_ACCEPTED') {
    return 'Store the password that the database has, or set the one that AWSCURRENT holds, in psql: \\password';
  }
  return remedy ?? "Look at the function's log.";
}
