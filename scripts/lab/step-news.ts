/** What a step of a rotation did, in words: from the lab's events and the function's own log. */
import { parseLogLine, type StepLine, wordsFor } from '../../shared/lambda/step-line.ts';
import type { LabEvent, Step } from './events.ts';

export interface StepNews {
  readonly step: Step;
  readonly ms: number;
  /** What the step did, as the end of a sentence that begins with its name. Of a failed step: its error's message. */
  readonly words: string;
  readonly failure?: { readonly code: string; readonly message: string; readonly remedy: string | undefined };
}

/** Reads the lab's events in their order: a function's log comes before the end of the step that wrote it. */
export class StepReporter {
  readonly #ends = new Map<string, StepLine>();

  /** @returns what happened, where the event ends a step. */
  read(event: LabEvent): StepNews | undefined {
    if (event.type === 'log-line') this.#remember(event.line);
    if (event.type !== 'step-ended') return undefined;
    const key = `${event.versionId} ${event.step}`;
    const line = this.#ends.get(key);
    this.#ends.delete(key);
    const { step, ms, error } = event;
    const failed = line?.outcome === 'failed' ? line : undefined;
    if (error === undefined) return { step, ms, words: wordsFor(step, line) };
    const failure = {
      code: failed?.error_code ?? error.errorType,
      message: error.errorMessage,
      remedy: failed?.remedy,
    };
    return { step, ms, words: error.errorMessage, failure };
  }

  #remember(text: string): void {
    const line = parseLogLine(text)?.step;
    if (line?.outcome !== undefined) this.#ends.set(`${line.version_id} ${line.step}`, line);
  }
}
