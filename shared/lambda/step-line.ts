/** The line of a function's log that tells of a step: its type, its parser, and the same in words; pure. */
import type { CredentialSource } from '../errors.ts';
import { STEPS, type Step } from '../rotation/event.ts';
import type { StepReport } from '../rotation/steps.ts';

/** What every line of a step names. */
interface StepOf {
  readonly strategy: string;
  /** 'none': the call made no sense, so there was no step to take. */
  readonly step: Step | 'none';
  readonly secret_arn: string | undefined;
  /** The ClientRequestToken. */
  readonly version_id: string | undefined;
}

export interface StepStarted extends StepOf {
  readonly outcome?: undefined;
}

/** What a step that has ended took, and what it waited for meanwhile. */
interface StepEnded extends StepOf {
  readonly duration_ms: number;
  /** Undefined, as the next: it did not wait. */
  readonly waited_ms?: number | undefined;
  /** Error codes and the like, comma-separated. */
  readonly waited_for?: string | undefined;
}

export interface StepSucceeded extends StepEnded, Omit<StepReport, 'waited'> {}

/** With it go the facts of the error: host, username, reason, …; none of them secret. */
export interface StepFailed extends StepEnded {
  readonly outcome: 'failed';
  readonly error_code: string;
  /** One sentence. */
  readonly error_message: string;
  readonly remedy: string | undefined;
}

/** As observer.ts writes it, and whoever reads the log finds it. */
export type StepLine = StepStarted | StepSucceeded | StepFailed;

/** A failed step, for whoever tells of it. */
export interface StepFailure {
  readonly step: Step;
  readonly code: string;
  /** One sentence. */
  readonly message: string;
  readonly remedy: string | undefined;
}

/** A line of a function's log that is a JSON object, as far as anybody reads it. */
export interface LogLine {
  readonly level: string | undefined;
  readonly message: string | undefined;
  /** Whether it is a metric (EMF), which is for CloudWatch. */
  readonly isMetric: boolean;
  /** Undefined: it is not about a step. */
  readonly step: StepLine | undefined;
  /** All of it. */
  readonly members: Readonly<Record<string, unknown>>;
}

/** @returns undefined for what is no JSON object, as Lambda's own lines are in text format. */
export function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const members: Readonly<Record<string, unknown>> = JSON.parse(line);
    const isMetric = Object.hasOwn(members, '_aws');
    const step = isMetric ? undefined : stepLine(members);
    return { level: text(members.level), message: text(members.message), isMetric, step, members };
  } catch {
    return undefined;
  }
}

/** By the members that only the observer gives a line, so that no wording matters. */
function stepLine(members: Readonly<Record<string, unknown>>): StepLine | undefined {
  const step = [...STEPS, 'none' as const].find((name) => name === members.step);
  const version_id = text(members.version_id);
  if (step === undefined || (version_id === undefined && step !== 'none')) return undefined;
  const of: StepOf = { strategy: text(members.strategy) ?? '', step, secret_arn: text(members.secret_arn), version_id };
  if (members.outcome === undefined) return of;
  const ended: StepEnded = {
    ...of,
    duration_ms: number(members.duration_ms) ?? 0,
    waited_ms: number(members.waited_ms),
    waited_for: text(members.waited_for),
  };
  if (members.outcome === 'failed') {
    return {
      ...ended,
      outcome: 'failed',
      error_code: text(members.error_code) ?? 'UNKNOWN',
      error_message: text(members.error_message) ?? 'The step failed.',
      remedy: text(members.remedy),
    };
  }
  const outcome = OUTCOMES.find((each) => each === members.outcome) ?? 'done';
  const credential = CREDENTIALS.find((each) => each === members.credential);
  const notice = text(members.notice);
  const promoted = members.promoted === true && { promoted: true };
  return { ...ended, outcome, ...(credential && { credential }), ...promoted, ...(notice !== undefined && { notice }) };
}

const OUTCOMES = ['done', 'already-done', 'already-current'] as const satisfies readonly StepReport['outcome'][];
const CREDENTIALS = [
  'current',
  'pending',
  'previous',
  'unlabelled',
  'superuser',
] as const satisfies readonly CredentialSource[];

const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

const LABELS: Readonly<Record<CredentialSource, string>> = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
  unlabelled: 'a version that has lost its label',
  superuser: 'the superuser secret',
};

/** What a step did, as the end of a sentence that begins with its name; of a failed one its message. */
export function wordsFor(step: Step, line: StepLine | undefined): string {
  if (line?.outcome === undefined) return 'succeeded';
  if (line.outcome === 'failed') return line.error_message;
  const { strategy, outcome, credential, promoted } = line;
  const twins = strategy === 'alternating-users';
  if (outcome === 'already-current') return 'nothing left to do: the version is AWSCURRENT';
  const again = outcome === 'already-done';
  switch (step) {
    case 'createSecret':
      if (again) return 'an earlier attempt has stored AWSPENDING: kept it';
      return twins
        ? 'logged in with AWSCURRENT, stored the other login as AWSPENDING'
        : 'made a new password, stored it as AWSPENDING';
    case 'setSecret': {
      const moved = promoted === true ? ', moved AWSCURRENT to it' : '';
      if (again) return `an earlier attempt has set the password: the server accepts it${moved}`;
      return twins
        ? "as the administrator, set the other login's password"
        : `logged in with ${LABELS[credential ?? 'current']}, set the new password${moved}`;
    }
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
