/** What a rotation function's log lines say (shared/lambda/observer.ts writes them, Lambda the rest); pure. */
import { type StepLine, wordsFor } from '../../shared/lambda/step-line.ts';
import { STEPS, type Step } from '../../shared/rotation/event.ts';

export interface LogLine {
  readonly text: string;
  /** An instance of the function writes one stream, and runs one step at a time. */
  readonly stream: string;
  readonly step: StepRecord | undefined;
}

export interface StepRecord {
  readonly step: Step;
  readonly versionId: string;
  readonly end: StepEnd | undefined;
}

export interface StepEnd {
  readonly ms: number;
  /** What the step did, as the end of a sentence that begins with its name. */
  readonly words: string;
  readonly failure: StepFailure | undefined;
  /** What an operator should know though the step succeeded. */
  readonly notice?: string;
}

export interface StepFailure {
  readonly step: Step;
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
}

export function parseLine(message: string, stream: string): LogLine {
  const text = message.trimEnd();
  return { text, stream, step: stepRecord(parseObject(text)) };
}

/** @returns how Lambda ended an invocation that could not end itself. */
export function platformFailure(text: string, step: Step): StepFailure | undefined {
  const timeout = /Task timed out after ([\d.]+) seconds/.exec(text);
  if (timeout !== null) {
    return {
      step,
      code: 'FUNCTION_TIMED_OUT',
      message: `The function must end ${step} within its time-out, and Lambda stopped it after ${timeout[1]} s.`,
      remedy: 'Give the function a time-out of at least 30 s, and a way to Secrets Manager and the database.',
    };
  }
  if (!/Runtime exited|Runtime\.\w+Error/.test(text)) return undefined;
  return {
    step,
    code: 'FUNCTION_CRASHED',
    message: `The function must end ${step} by itself, and its process ended (${text.slice(-120)}).`,
    remedy: "Look at the function's log for what came before, and give it more memory if it ran out.",
  };
}

function stepRecord(line: Readonly<Record<string, unknown>> | undefined): StepRecord | undefined {
  const step = STEPS.find((name) => name === line?.step);
  if (line === undefined || step === undefined || typeof line.version_id !== 'string') return undefined;
  return { step, versionId: line.version_id, end: stepEnd(line, step) };
}

function stepEnd(line: Readonly<Record<string, unknown>>, step: Step): StepEnd | undefined {
  const outcome = text(line.outcome);
  if (outcome === undefined) return undefined;
  const ms = typeof line.duration_ms === 'number' ? line.duration_ms : 0;
  const notice = text(line.notice);
  if (outcome !== 'failed') {
    const words = wordsFor(step, stepLine(line));
    return { ms, words, failure: undefined, ...(notice === undefined ? {} : { notice }) };
  }
  const message = text(line.error_message) ?? 'The step failed.';
  const failure = { step, code: text(line.error_code) ?? 'UNKNOWN', message, remedy: text(line.remedy) };
  return { ms, words: message, failure };
}

function stepLine(line: Readonly<Record<string, unknown>>): StepLine {
  const members = ['strategy', 'outcome', 'credential'].flatMap((name) => {
    const value = text(line[name]);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(members);
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

function parseObject(message: string): Readonly<Record<string, unknown>> | undefined {
  // In JSON format Lambda's own lines are objects too; ours begin with a brace in either.
  if (!message.startsWith('{')) return undefined;
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}
