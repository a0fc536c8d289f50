/** Faults that a test puts between the client and the lab's Secrets Manager. */
import type { RequestSummary } from './requests.ts';

export interface FaultMatch {
  /** Name of an operation, or several. Default: any. */
  operation?: string | readonly string[];
  /** Name or ARN of the secret. Default: any. */
  secret?: string;
  /** How many requests it hits. Default 1. */
  times?: number;
  when?: (request: RequestSummary) => boolean;
}

export interface Fault {
  /** Requests hit so far. */
  readonly hits: number;
  remove(): void;
}

type Effect =
  | { kind: 'fail'; type: string; message: string; status: number }
  | { kind: 'delay'; ms: number }
  | { kind: 'cut'; point: 'before' | 'after' }
  | { kind: 'hide'; reads: number; left: Map<string, number> };

export type Interruption =
  | { kind: 'fail'; type: string; message: string; status: number }
  | { kind: 'cut' }
  | undefined;

interface Rule {
  match: FaultMatch;
  effect: Effect;
  hits: number;
}

/** A request and the names that its secret goes by. */
export interface FaultTarget {
  request: RequestSummary;
  secretNames: readonly string[];
}

export class Faults {
  readonly #rules = new Set<Rule>();

  /** ThrottlingException, "Rate exceeded", before anything is done. */
  throttle(match: FaultMatch = {}): Fault {
    return this.fail({ ...match, type: 'ThrottlingException', message: 'Rate exceeded' });
  }

  /** Default: the service's own failure, HTTP 500. */
  fail({
    type = 'InternalServiceError',
    message = 'An error occurred on the server side.',
    status = type === 'InternalServiceError' ? 500 : 400,
    ...match
  }: FaultMatch & { type?: string; message?: string; status?: number } = {}): Fault {
    return this.#add(match, { kind: 'fail', type, message, status });
  }

  delay({ ms, ...match }: FaultMatch & { ms: number }): Fault {
    return this.#add(match, { kind: 'delay', ms });
  }

  /** Cuts the connection: `before` the request is applied, or `after` it was and before the answer. */
  cut({ point, ...match }: FaultMatch & { point: 'before' | 'after' }): Fault {
    return this.#add(match, { kind: 'cut', point });
  }

  /** Each version written from now on is not found by its first `reads` reads. `times`, by default unlimited, counts versions. */
  hideNewVersions({ reads, ...match }: FaultMatch & { reads: number }): Fault {
    const unlimited = { times: Number.POSITIVE_INFINITY, ...match };
    return this.#add(unlimited, { kind: 'hide', reads, left: new Map() });
  }

  clear(): void {
    this.#rules.clear();
  }

  /** Called by the service before the operation. */
  delayFor(target: FaultTarget): number {
    const rule = this.#take(target, ({ kind }) => kind === 'delay');
    return rule?.effect.kind === 'delay' ? rule.effect.ms : 0;
  }

  interruptionBefore(target: FaultTarget): Interruption {
    const rule = this.#take(
      target,
      (effect) => effect.kind === 'fail' || (effect.kind === 'cut' && effect.point === 'before'),
    );
    if (rule?.effect.kind === 'fail') return rule.effect;
    return rule ? { kind: 'cut' } : undefined;
  }

  isCutAfter(target: FaultTarget): boolean {
    return this.#take(target, (effect) => effect.kind === 'cut' && effect.point === 'after') !== undefined;
  }

  /** Called by the operation that writes a version. */
  versionWritten(versionId: string, secretNames: readonly string[]): void {
    for (const rule of this.#rules) {
      if (rule.effect.kind !== 'hide' || isSpent(rule) || !namesSecret(rule.match, secretNames)) continue;
      rule.hits++;
      rule.effect.left.set(versionId, rule.effect.reads);
    }
  }

  /** Called by the operation that reads a version: true where it must not be found this time. */
  hides(versionId: string): boolean {
    for (const { effect } of this.#rules) {
      const left = effect.kind === 'hide' ? (effect.left.get(versionId) ?? 0) : 0;
      if (effect.kind !== 'hide' || left === 0) continue;
      effect.left.set(versionId, left - 1);
      return true;
    }
    return false;
  }

  #add(match: FaultMatch, effect: Effect): Fault {
    const rule: Rule = { match, effect, hits: 0 };
    this.#rules.add(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => this.#rules.delete(rule),
    };
  }

  #take(target: FaultTarget, wanted: (effect: Effect) => boolean): Rule | undefined {
    for (const rule of this.#rules) {
      if (!wanted(rule.effect) || isSpent(rule) || !hits(rule.match, target)) continue;
      rule.hits++;
      return rule;
    }
    return undefined;
  }
}

const isSpent = ({ match, hits: done }: Rule) => done >= (match.times ?? 1);

function hits(match: FaultMatch, { request, secretNames }: FaultTarget): boolean {
  const operations = match.operation === undefined ? undefined : [match.operation].flat();
  if (operations && !operations.includes(request.operation)) return false;
  return namesSecret(match, secretNames) && (match.when?.(request) ?? true);
}

const namesSecret = ({ secret }: FaultMatch, names: readonly string[]) =>
  secret === undefined || names.includes(secret);
