/** When a rotation that is watched has ended, and how. */
import type { StepFailure } from '../../shared/lambda/step-line.ts';

export type Ending =
  | { readonly outcome: 'succeeded' }
  | { readonly outcome: 'failed'; readonly failure: StepFailure }
  /** AWSPENDING left the version: somebody cancelled or replaced the rotation. */
  | { readonly outcome: 'abandoned' }
  /** Watching ended first: the time was up, Ctrl-C, or, where there is a reason, AWS gave no answer. */
  | { readonly outcome: 'unknown'; readonly reason?: string };

/** What one look at the labels and the log has found. */
export interface Look {
  /** Of the version. */
  readonly labels: readonly string[];
  /** Of the last attempt. */
  readonly failure: StepFailure | undefined;
  /** Whether the log has told how the last step ended. */
  readonly lastStepEnded: boolean;
  /** Whether the log can be read, so that lines may still come. */
  readonly logReadable: boolean;
  /** Milliseconds, of a clock that only goes forward. */
  readonly at: number;
  /** Whether the time to watch is up. */
  readonly last: boolean;
}

/** CloudWatch Logs shows a line some seconds after it was written, and some levels and functions write none. */
const GRACE_MS = 12_000;
/** A look may find the labels as they were before. */
const STALE_MS = 4_000;

/** Judges look after look, by what it remembers of those before. */
export class EndingJudge {
  readonly #kind: 'rotation' | 'test';
  readonly #throughRetries: boolean;
  #wasPending = false;
  #currentSince: number | undefined;
  #goneSince: number | undefined;

  constructor({ kind, throughRetries }: { readonly kind: 'rotation' | 'test'; readonly throughRetries: boolean }) {
    this.#kind = kind;
    this.#throughRetries = throughRetries;
  }

  /** @returns undefined: look again. */
  judge(look: Look): Ending | undefined {
    const { labels, failure, at } = look;
    const isPending = labels.includes('AWSPENDING');
    const isCurrent = labels.includes('AWSCURRENT');
    this.#wasPending ||= isPending;
    this.#goneSince = isPending || isCurrent ? undefined : (this.#goneSince ?? at);
    if (isCurrent) {
      this.#currentSince ??= at;
      // AWSPENDING may stay on the version that is current.
      const mayTellMore = look.logReadable || isPending;
      return this.#isComplete(look, this.#currentSince, mayTellMore) ? { outcome: 'succeeded' } : undefined;
    }
    if (failure !== undefined && !this.#throughRetries) return { outcome: 'failed', failure };
    if (isPending) return undefined;
    return this.#kind === 'test' ? this.#endOfTest(look) : this.#abandoned(look);
  }

  #abandoned({ at }: Look): Ending | undefined {
    return this.#isGone(at) ? { outcome: 'abandoned' } : undefined;
  }

  /** A test leaves no label behind that would tell how it ended: only its line in the log does. */
  #endOfTest(look: Look): Ending | undefined {
    const { failure, lastStepEnded, at, logReadable } = look;
    if (failure !== undefined) return { outcome: 'failed', failure };
    if (lastStepEnded) return { outcome: 'succeeded' };
    if (!this.#isGone(at) || !this.#isComplete(look, this.#goneSince ?? at, logReadable)) return undefined;
    return { outcome: 'unknown' };
  }

  #isGone(at: number): boolean {
    return this.#wasPending || at - (this.#goneSince ?? at) >= STALE_MS;
  }

  #isComplete({ lastStepEnded, at, last }: Look, since: number, mayTellMore: boolean): boolean {
    return !mayTellMore || lastStepEnded || last || at - since >= GRACE_MS;
  }
}
