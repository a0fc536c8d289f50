/** What a step of a rotation did, in words: from the lab's events and the function's own log. */
import type { LabEvent, Step } from './events.ts';

export interface StepNews {
  readonly step: Step;
  readonly ms: number;
  /** What the step did, as the end of a sentence that begins with its name. Of a failed step: its error's message. */
  readonly words: string;
  readonly failure?: { readonly code: string; readonly message: string; readonly remedy: string | undefined };
}

/** What the functions' log lines say of a step (shared/observer.ts writes them). */
export interface StepLine {
  readonly strategy?: string;
  readonly outcome?: string;
  readonly credential?: string;
  readonly error_code?: string;
  readonly remedy?: string;
}

/** Reads the lab's events in their order: a function's log comes before the end of the step that wrote it. */
export class StepReporter {
  readonly #ends = new Map<string, StepLine>();

  /** @returns what happened, where the event ends a step. */
  read(event: LabEvent): StepNews | undefined {
    if (event.type === 'log-line') this.#remember(event.line);
    if (event.type !== 'step-ended') return undefined;
    const key = `${event.versionId} ${event.step}`;
    const line = this.#ends.get(key) ?? {};
    this.#ends.delete(key);
    const { step, ms, error } = event;
    if (error === undefined) return { step, ms, words: wordsFor(step, line) };
    const failure = {
      code: line.error_code ?? error.errorType,
      message: error.errorMessage,
      remedy: line.remedy,
    };
    return { step, ms, words: error.errorMessage, failure };
  }

  #remember(text: string): void {
    const line = readLogLine(text);
    if (line?.outcome !== undefined) this.#ends.set(`${line.version_id} ${line.step}`, line);
  }
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

export function wordsFor(step: Step, { strategy, outcome, credential = '' }: StepLine): string {
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
