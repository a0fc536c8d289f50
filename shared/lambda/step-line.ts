/** What a function's log says of a step, and the same in words; pure. */
import type { Step } from '../rotation/event.ts';

/** What the functions' log lines say of a step (observer.ts writes them). */
export interface StepLine {
  readonly strategy?: string;
  readonly outcome?: string;
  readonly credential?: string;
  readonly error_code?: string;
  readonly remedy?: string;
  /** The codes of what passed by itself. */
  readonly waited_for?: string;
}

/** @returns the members that are texts, of a log line that is a JSON object. */
export function readLogLine(line: string): Readonly<Record<string, string>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const members: Record<string, unknown> = JSON.parse(line);
    return Object.fromEntries(
      Object.entries(members).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return undefined;
  }
}

const LABELS: Readonly<Record<string, string>> = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
  unlabelled: 'a version that has lost its label',
};

export function wordsFor(step: Step, line: StepLine): string {
  const { waited_for: causes } = line;
  return causes === undefined ? doneBy(step, line) : `${doneBy(step, line)}; had to wait (${causes})`;
}

function doneBy(step: Step, { strategy, outcome, credential = '' }: StepLine): string {
  const twins = strategy === 'alternating-users';
  if (outcome === undefined) return 'succeeded';
  if (outcome === 'already-current') return 'nothing left to do: the version is AWSCURRENT';
  const again = outcome === 'already-done';
  switch (step) {
    case 'createSecret':
      if (again) return 'an earlier attempt has stored AWSPENDING: kept it';
      return twins
        ? 'logged in with AWSCURRENT, stored the other login as AWSPENDING'
        : 'made a new password, stored it as AWSPENDING';
    case 'setSecret':
      if (again) return 'an earlier attempt has set the password: the server accepts it';
      return twins
        ? "as the superuser, set the other login's password"
        : `logged in with ${LABELS[credential] ?? credential}, set the new password`;
    case 'testSecret':
      return twins ? 'logged in with AWSPENDING, checked whom it acts as' : 'logged in with AWSPENDING';
    case 'finishSecret':
      return 'moved AWSCURRENT to the new version';
    default: {
      const never: never = step;
      return never;
    }
  }
}
