/** The service's quotas, for a lab that is to refuse what AWS would refuse. */
import type { Fault, Faults } from './faults.ts';

/** Requests a second that some operations have together (AWS General Reference, "Secrets Manager quotas"). */
export interface Quota {
  readonly operations: readonly string[];
  readonly perSecond: number;
}

export const SERVICE_QUOTAS: readonly Quota[] = [
  { operations: ['DescribeSecret', 'GetSecretValue'], perSecond: 10_000 },
  { operations: ['PutSecretValue', 'UpdateSecret', 'UpdateSecretVersionStage'], perSecond: 50 },
  { operations: ['RotateSecret', 'CancelRotateSecret'], perSecond: 50 },
];

/** From now on requests beyond a quota are answered with ThrottlingException; the fault counts them. */
export function enforceQuotas(faults: Faults, quotas: readonly Quota[] = SERVICE_QUOTAS): Fault {
  const buckets = new Map<string, TokenBucket>();
  for (const { operations, perSecond } of quotas) {
    const bucket = new TokenBucket(perSecond);
    for (const operation of operations) buckets.set(operation, bucket);
  }
  return faults.throttle({
    times: Number.POSITIVE_INFINITY,
    when: ({ operation }) => buckets.get(operation)?.take() === false,
  });
}

/** Holds at most one second's tokens. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** @param now in ms. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#tokens = perSecond;
    this.#filledAt = now();
  }

  /** Takes a token. @returns false where there is none. */
  take(): boolean {
    const now = this.#now();
    const gained = ((now - this.#filledAt) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
