/** What a rotation function's log tells, line by line; pure. */
import { parseLogLine, type StepFailure, type StepLine, wordsFor } from '../../shared/lambda/step-line.ts';
import type { Step } from '../../shared/rotation/event.ts';

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
  readonly notice: string | undefined;
}

export function parseLine(message: string, stream: string): LogLine {
  const text = message.trimEnd();
  return { text, stream, step: stepRecord(parseLogLine(text)?.step) };
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

function stepRecord(line: StepLine | undefined): StepRecord | undefined {
  if (line === undefined || line.step === 'none' || line.version_id === undefined) return undefined;
  return { step: line.step, versionId: line.version_id, end: stepEnd(line, line.step) };
}

function stepEnd(line: StepLine, step: Step): StepEnd | undefined {
  switch (line.outcome) {
    case undefined:
      return undefined;
    case 'failed': {
      const { error_code: code, error_message: message, remedy, duration_ms: ms } = line;
      return { ms, words: message, failure: { step, code, message, remedy }, notice: undefined };
    }
    default:
      return { ms: line.duration_ms, words: wordsFor(step, line), failure: undefined, notice: line.notice };
  }
}
