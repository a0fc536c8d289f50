import { setTimeout as sleep } from 'node:timers/promises';
import type { Step } from '../../shared/rotation/event.ts';
import type { VersionStages } from '../../shared/rotation/version-stage.ts';
import type { Context } from './context.ts';
import { CommandError } from './failures.ts';
import type { FunctionLog } from './function-log.ts';
import { type LogLine, platformFailure, type StepEnd, type StepFailure } from './log-lines.ts';
import { describeSecret } from './secrets.ts';

/** What is seen of a rotation while it runs. */
export type News =
  | { readonly type: 'step-started'; readonly step: Step }
  | ({ readonly type: 'step-ended'; readonly step: Step } & StepEnd)
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'log-unreadable'; readonly reason: string };

export type Ending =
  | { readonly outcome: 'succeeded' }
  | { readonly outcome: 'failed'; readonly failure: StepFailure }
  /** AWSPENDING left the version: somebody cancelled or replaced the rotation. */
  | { readonly outcome: 'abandoned' }
  /** Watching ended first: the time was up, or Ctrl-C. */
  | { readonly outcome: 'unknown' };

export interface Watched {
  readonly secretId: string;
  readonly versionId: string;
  /** Undefined: only the labels can be watched. */
  readonly log: FunctionLog | undefined;
  /** When the version was made, by the service's clock. */
  readonly since: Date;
  /** 'test': what RotateImmediately=false runs, a testSecret on a version that goes away by itself. */
  readonly kind: 'rotation' | 'test';
  /** Milliseconds. */
  readonly patience: number;
  /** Whether to go on after a failure, as the service itself tries again. */
  readonly throughRetries?: boolean;
}

/** The first looks follow quickly, as a rotation takes a second or two; later ones are sparing with quotas. */
const PAUSES_MS = [200, 200, 300, 400, 500, 700, 1_000];
const LONGEST_PAUSE_MS = 2_000;
/** How often to look again for lines of the log, which arrive after the labels have moved. */
const LATE_LOOKS = 4;

/** Looks at the labels and the log until the rotation has ended, telling what is new. */
export async function watchRotation(context: Context, watched: Watched, tell: (news: News) => void): Promise<Ending> {
  const reader = new StepReader(watched, tell);
  const until = performance.now() + watched.patience;
  let { log } = watched;
  let late = 0;

  const readLog = async () => {
    try {
      for (const line of (await log?.read(watched.since)) ?? []) reader.read(line);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      log = undefined;
      tell({ type: 'log-unreadable', reason: error.message });
    }
  };

  for (let look = 0; ; look++) {
    const { stages } = await describeSecret(context, watched.secretId);
    await readLog();
    const ending = endingOf(watched, stages, reader);
    // The labels tell that it has ended; the log may still have to tell what its last step did.
    const complete = log === undefined || reader.lastStepEnded || late++ >= LATE_LOOKS;
    if (ending !== undefined && (ending.outcome !== 'succeeded' || complete)) return proven(watched, reader, ending);
    if (performance.now() > until) return { outcome: 'unknown' };
    const pause = PAUSES_MS[look] ?? LONGEST_PAUSE_MS;
    const interrupted = await sleep(pause, false, { signal: context.signal }).catch(() => true);
    if (interrupted) return { outcome: 'unknown' };
  }
}

/** A test leaves no label behind that would tell how it ended: only its line in the log does. */
function proven({ kind }: Watched, { lastStepEnded }: StepReader, ending: Ending): Ending {
  const unseen = kind === 'test' && ending.outcome === 'succeeded' && !lastStepEnded;
  return unseen ? { outcome: 'unknown' } : ending;
}

function endingOf(watched: Watched, stages: VersionStages, reader: StepReader): Ending | undefined {
  const { versionId, kind, throughRetries = false } = watched;
  const labels = Object.hasOwn(stages, versionId) ? (stages[versionId] ?? []) : [];
  const isPending = labels.includes('AWSPENDING');
  if (labels.includes('AWSCURRENT')) return isPending && !reader.lastStepEnded ? undefined : { outcome: 'succeeded' };
  if (reader.failure !== undefined && !throughRetries) return { outcome: 'failed', failure: reader.failure };
  if (isPending) return undefined;
  if (kind === 'rotation') return { outcome: 'abandoned' };
  return reader.failure === undefined ? { outcome: 'succeeded' } : { outcome: 'failed', failure: reader.failure };
}

/** Makes news of log lines: those of this version, and Lambda's own on the instance that runs its step. */
class StepReader {
  readonly #versionId: string;
  readonly #lastStep: Step;
  readonly #tell: (news: News) => void;
  #running: { readonly step: Step; readonly stream: string } | undefined;
  /** Of the last attempt; a new attempt forgets it. */
  failure: StepFailure | undefined;
  lastStepEnded = false;

  constructor({ versionId, kind }: Watched, tell: (news: News) => void) {
    this.#versionId = versionId;
    this.#lastStep = kind === 'test' ? 'testSecret' : 'finishSecret';
    this.#tell = tell;
  }

  read({ text, stream, step: record }: LogLine): void {
    if (record === undefined) {
      this.#readPlatform(text, stream);
      return;
    }
    const { versionId, step, end } = record;
    if (versionId !== this.#versionId) return;
    this.#tell({ type: 'log', line: text });
    if (end === undefined) {
      this.failure = undefined;
      this.#running = { step, stream };
      this.#tell({ type: 'step-started', step });
      return;
    }
    this.#end(step, end);
  }

  #readPlatform(text: string, stream: string): void {
    if (this.#running?.stream !== stream) return;
    const { step } = this.#running;
    const failure = platformFailure(text, step);
    if (failure === undefined) return;
    this.#tell({ type: 'log', line: text });
    this.#end(step, { ms: 0, words: failure.message, failure });
  }

  #end(step: Step, end: StepEnd): void {
    this.#running = undefined;
    this.failure = end.failure;
    this.lastStepEnded = step === this.#lastStep || end.failure !== undefined;
    this.#tell({ type: 'step-ended', step, ...end });
  }
}
