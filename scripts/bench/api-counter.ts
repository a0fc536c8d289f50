import type { ApiAnswer, ApiCall, ApiWatcher } from '../relays/api-relay.ts';

export interface ApiCounts {
  readonly calls: Readonly<Record<string, number>>;
  /** Answers with an error. */
  readonly failed: number;
  /** Bodies of requests and answers. */
  readonly bytes: number;
}

/** Counts what passes between a rotation function and Secrets Manager. */
export class ApiCounter implements ApiWatcher {
  #calls: Record<string, number> = {};
  #failed = 0;
  #bytes = 0;

  request({ operation, body }: ApiCall): 'pass' {
    this.#calls[operation] = (this.#calls[operation] ?? 0) + 1;
    this.#bytes += Buffer.byteLength(body);
    return 'pass';
  }

  answer(_: ApiCall, { status, body }: ApiAnswer): 'pass' {
    if (status >= 400) this.#failed++;
    this.#bytes += Buffer.byteLength(body);
    return 'pass';
  }

  /** What was counted since the last time. */
  take(): ApiCounts {
    const counts = { calls: this.#calls, failed: this.#failed, bytes: this.#bytes };
    this.#calls = {};
    this.#failed = 0;
    this.#bytes = 0;
    return counts;
  }
}
