import { setTimeout as sleep } from 'node:timers/promises';
import type { StepFailure } from '../../shared/lambda/step-line.ts';
import type { Step } from '../../shared/rotation/event.ts';
import { unlessAborted } from '../../shared/terminal/interruption.ts';
import type { Context } from '../context.ts';
import { asCommandError, CommandError } from '../failures.ts';
import { describeSecret, versionCreated } from '../secrets.ts';
import { type Ending, EndingJudge } from './ending.ts';
import type { FunctionLog } from './function-log.ts';
import { type LogLine, platformFailure, type StepEnd } from './log-lines.ts';

/** What is seen of a rotation while it runs. */
export type News =
  | { readonly type: 'step-started'; readonly step: Step }
  | ({ readonly type: 'step-ended'; readonly step: Step } & StepEnd)
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'log-unreadable'; readonly reason: string };

export interface Watched {
  readonly secretArn: string;
  readonly versionId: string;
  /** Undefined: only the labels can be watched. */
  readonly log: FunctionLog | undefined;
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
/** What the look that begins as the patience ends may take. */
const LAST_LOOK_MS = 5_000;

/**
 * Looks at the labels and the log until the rotation has ended, telling what is new. It has been started, so that an
 * error is no reason to throw: how it ends is not known then.
 */
export async function watchRotation(context: Context, watched: Watched, tell: (news: News) => void): Promise<Ending> {
  // However long AWS is silent, the patience ends, and so does it with Ctrl-C.
  const end = AbortSignal.any([context.signal, AbortSignal.timeout(watched.patience + LAST_LOOK_MS)]);
  try {
    return await unlessAborted(end, watch(context, watched, tell));
  } catch (error) {
    if (end.aborted) return { outcome: 'unknown' };
    return { outcome: 'unknown', reason: asCommandError(error).message };
  }
}

async function watch(context: Context, watched: Watched, tell: (news: News) => void): Promise<Ending> {
  const { secretArn, versionId, kind, patience, throughRetries = false } = watched;
  const reader = new StepReader(watched, tell);
  const judge = new EndingJudge({ kind, throughRetries });
  const until = performance.now() + patience;
  const since = (await versionCreated(context, secretArn, versionId)) ?? new Date();
  let { log } = watched;

  const readLog = async () => {
    try {
      for (const line of (await log?.read(since)) ?? []) reader.read(line);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      log = undefined;
      tell({ type: 'log-unreadable', reason: error.message });
    }
  };

  for (let look = 0; ; look++) {
    const { stages } = await describeSecret(context, secretArn);
    await readLog();
    const labels = Object.hasOwn(stages, versionId) ? (stages[versionId] ?? []) : [];
    const { failure, lastStepEnded } = reader;
    const at = performance.now();
    const last = at > until;
    const ending = judge.judge({ labels, failure, lastStepEnded, logReadable: log !== undefined, at, last });
    if (ending !== undefined) return ending;
    if (last) return { outcome: 'unknown' };
    const pause = PAUSES_MS[look] ?? LONGEST_PAUSE_MS;
    const interrupted = await sleep(pause, false, { signal: context.signal }).catch(() => true);
    if (interrupted) return { outcome: 'unknown' };
  }
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
    this.#end(step, { ms: 0, words: failure.message, failure, notice: undefined });
  }

  #end(step: Step, end: StepEnd): void {
    this.#running = undefined;
    this.failure = end.failure;
    this.lastStepEnded = step === this.#lastStep || end.failure !== undefined;
    this.#tell({ type: 'step-ended', step, ...end });
  }
}
