/** The lab's events as lines for whoever watches it. */
import { parseLogLine } from '../../../shared/lambda/step-line.ts';
import { bold, dim, duration, green, red, shortId, yellow } from '../../../shared/terminal/text.ts';
import { type FunctionLogLine, type LabEvent, trailEvent } from '../events.ts';
import { type StepNews, StepReporter } from '../step-news.ts';

const STEP_WIDTH = 'finishSecret'.length;

export interface LabNewsOptions {
  /** Whether the lab's time runs faster than ours, so that its days matter. */
  readonly showDates: boolean;
}

/** @returns a function that gives the lines for an event, none for most. */
export function labNews({ showDates }: LabNewsOptions): (event: LabEvent) => string[] {
  const reporter = new StepReporter();
  return (event) => {
    const news = reporter.read(event);
    const time = dim(timeOf(event.at, showDates));
    if (event.type === 'log-line') return logLine(event).map((line) => `${time}    ${line}`);
    const what = `${bold(event.secretName)} ${dim(shortId(event.versionId))}`;
    const told = (words: string) => [`${time}  ${what}  ${words}  ${dim(trailEvent(event) ?? '')}`];
    const run = event.kind === 'test' ? 'test' : 'rotation';
    switch (event.type) {
      case 'rotation-started': {
        const again = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
        return told(`${event.kind === 'test' ? 'test of the configuration' : 'rotation'} started${again}`);
      }
      case 'step-started':
        return [];
      case 'step-ended':
        return news === undefined ? [] : stepLines(news).map((line) => `${time}    ${line}`);
      case 'rotation-succeeded':
        return told(green(`${run} succeeded`));
      case 'rotation-failed':
        return told(`${red(`${run} failed`)}${event.willRetry ? ', will be tried again' : ''}`);
      case 'rotation-abandoned':
        return told(`${yellow('rotation given up')}: ${event.reason}`);
      default: {
        const never: never = event;
        return never;
      }
    }
  };
}

/** A step's name, time and deed; after a failure also what to do. */
export function stepLines({ step, ms, words, failure }: StepNews): string[] {
  const start = `${step.padEnd(STEP_WIDTH)}  ${duration(ms).padStart(7)}  `;
  if (failure === undefined) return [`${start}${words}`];
  const more = [failure.message, ...(failure.remedy === undefined ? [] : [failure.remedy])];
  return [`${start}${red(failure.code)}`, ...more.map((line) => `  ${line}`)];
}

/** What the function wrote and the step's own line does not tell already. */
function logLine({ line: text, stream }: FunctionLogLine): string[] {
  // What Lambda itself writes, such as that a function timed out, is the step's failure.
  if (stream === 'platform') return [];
  const line = parseLogLine(text);
  if (line === undefined) return [dim(text)];
  if (line.isMetric || line.step !== undefined) return [];
  return [dim(`${line.level ?? 'LOG'} ${line.message ?? text}`)];
}

function timeOf(at: Date, showDates: boolean): string {
  const [date = '', time = ''] = at.toISOString().split('T');
  return showDates ? `${date} ${time.slice(0, 5)} UTC` : at.toTimeString().slice(0, 8);
}
