import { RotationError } from '../../../shared/errors.ts';
import { failure } from '../fake-server.ts';
import type { Waits } from './time.ts';

/**
 * What can happen to a call instead of its being answered: it is refused, and has no effect; its answer is lost; whoever
 * made it is killed before it has an effect, or after; a read answers what was there before the last change. `late` ends a
 * wait that is given up as a rule.
 */
export type Fault = 'refused' | 'lost' | 'killed' | 'killed after' | 'stale' | 'late';

/** What a call is like. */
export interface CallKind {
  /** Whether it changes what others see, so that it matters whether it got through. */
  readonly writes?: boolean;
  /** Whether it may answer what was there before the last change. */
  readonly lags?: boolean;
  /** The secret that it is about. */
  readonly secret?: string;
  /** Whether nobody else can do anything that it depends on, or that depends on it. */
  readonly isOwnAffair?: boolean;
  /** What it fails with where it is refused, and where its answer is lost. */
  readonly failsWith: readonly [refused: RotationError, lost: RotationError];
}

interface Waiting {
  readonly index: number;
  readonly label: string;
  readonly faults: readonly Fault[];
  readonly kind: CallKind;
  /** It happens only as a fault. */
  readonly optional: boolean;
  readonly go: (fault?: Fault) => void;
}

/** Ends a call with its answer, of which `seen` tells whatever its caller may go by. */
export interface End {
  <T>(answer: T, seen: string): T;
  readonly isStale?: boolean;
}

/** Whoever is killed does nothing any more: each further call of its ends in this, and so does its work. */
export class Killed extends Error {}

/** One of several that act at a time: a function's instance, or a person. Each of its calls waits for its turn. */
export class Actor implements Waits {
  readonly name: string;
  isDead = false;
  /** Passwords that it has made. */
  made = 0;
  readonly #waiting: Waiting[] = [];
  readonly #answers: string[] = [];
  #issued = 0;
  #unfinished = 0;
  /** After the schedule everything goes on at once. */
  isFree = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Calls that wait for their turn, in words: each once. */
  get waiting(): readonly Waiting[] {
    return this.#waiting;
  }

  /** Whether a call of its got its turn and has no answer yet: a lock that somebody else has. */
  get isBlocked(): boolean {
    return this.#unfinished > 0;
  }

  /** What it knows: the answers that it has had, in the order in which it asked. So is what it does next. */
  fingerprint(): string {
    return `${this.isDead} ${this.#answers.length} ${this.#answers.join('\n')}`;
  }

  /** The locks that it has got, in turn: whether its login was a fresh one. */
  get locks(): boolean[] {
    return this.#answers.flatMap((answer) => {
      const [, how] = /: (fresh|waited for)$/.exec(answer) ?? [];
      return how === undefined ? [] : how === 'fresh';
    });
  }

  /** Waits for the turn of a call. @returns how to end it: with the answer, which may get lost. */
  async turn(label: string, kind: CallKind): Promise<End> {
    const { writes = false, lags = false, failsWith } = kind;
    const [refused, lost] = failsWith;
    if (this.isDead) throw new Killed();
    if (this.isFree) return (answer) => answer;
    const index = this.#issued++;
    const faults: Fault[] = writes ? ['refused', 'lost', 'killed', 'killed after'] : ['refused', 'killed'];
    if (lags) faults.push('stale');
    const fault = await this.#wait({ index, label, faults, kind, optional: false });
    if (fault === 'killed') this.kill();
    if (this.isDead) throw new Killed();
    if (fault === 'refused') {
      this.#answers[index] = `${label}: ${fault}`;
      throw refused;
    }
    this.#unfinished++;
    let isOver = false;
    const end: End = (answer, seen) => {
      if (!isOver) this.#unfinished--;
      isOver = true;
      if (fault === 'killed after') this.kill();
      if (this.isDead) throw new Killed();
      this.#answers[index] = `${label}: ${fault === 'lost' ? fault : seen}`;
      if (fault === 'lost') throw lost;
      return answer;
    };
    return fault === 'stale' ? Object.assign(end, { isStale: true }) : end;
  }

  /** One call. @param seen tells of its answer whatever its caller may go by. */
  async call<T>(
    label: string,
    kind: CallKind,
    perform: (isStale: boolean) => Promise<T>,
    seen: (answer: T) => string,
  ): Promise<T> {
    const end = await this.turn(label, kind);
    let answer: T;
    try {
      answer = await perform(end.isStale === true);
    } catch (error) {
      throw end(error, codeOf(error));
    }
    return end(answer, seen(answer));
  }

  mayEnd(end: () => void): () => void {
    if (this.isFree || this.isDead) return () => {};
    const index = this.#issued++;
    const waits = this.#wait({
      index,
      label: 'waits for what it looks at',
      faults: ['late'],
      kind: SQL,
      optional: true,
    });
    void waits.then((fault) => {
      this.#answers[index] = `${fault ?? 'given up'}`;
      if (fault === 'late') end();
    });
    return () => {
      const place = this.#waiting.findIndex((each) => each.index === index);
      if (place >= 0) this.#waiting.splice(place, 1);
      this.#answers[index] ??= 'given up';
    };
  }

  kill(): void {
    this.isDead = true;
    for (const { go } of this.#waiting.splice(0)) go();
  }

  #wait(waiting: Omit<Waiting, 'go'>): Promise<Fault | undefined> {
    return new Promise((resolve) => {
      const go = (fault?: Fault) => {
        const place = this.#waiting.findIndex(({ index }) => index === waiting.index);
        if (place >= 0) this.#waiting.splice(place, 1);
        resolve(fault);
      };
      this.#waiting.push({ ...waiting, go });
    });
  }
}

function codeOf(error: unknown): string {
  return error instanceof RotationError ? error.code : String(error);
}

export const API: CallKind = { failsWith: [failure('SECRETS_MANAGER_FAILED'), failure('SECRETS_MANAGER_TIMEOUT')] };
/** A read of what others may have just changed. */
export const READ: CallKind = { ...API, lags: true };
export const LOGIN: CallKind = { failsWith: [failure('TLS_FAILED'), failure('DATABASE_CONNECTION_LOST')] };
export const SQL: CallKind = { failsWith: [failure('DATABASE_ERROR'), failure('DATABASE_CONNECTION_LOST')] };
