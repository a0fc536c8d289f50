/** What was asked of the lab's Secrets Manager: for tests that count calls where they arrive. Holds no values. */
export interface RequestSummary {
  operation: string;
  region: string;
  secretId: string | undefined;
  versionId: string | undefined;
  versionStage: string | undefined;
  token: string | undefined;
  userAgent: string | undefined;
}

export interface RequestRecord extends RequestSummary {
  /** HTTP status, or undefined where the connection was cut. */
  status: number | undefined;
  errorType: string | undefined;
  at: Date;
}

// So that a lab that runs for days does not grow.
const KEPT_RECORDS = 10_000;

export class RequestLog {
  readonly #records: RequestRecord[] = [];

  add(record: RequestRecord): void {
    this.#records.push(record);
    if (this.#records.length > KEPT_RECORDS) this.#records.shift();
  }

  all(): readonly RequestRecord[] {
    return this.#records;
  }

  /** Names of the operations, in the order they were answered. */
  operations(): string[] {
    return this.#records.map((record) => record.operation);
  }

  count(operation: string): number {
    return this.#records.filter((record) => record.operation === operation).length;
  }

  clear(): void {
    this.#records.length = 0;
  }
}
