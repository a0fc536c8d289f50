/** The account's Lambda functions: ARN to bundle. */
import { createHash } from 'node:crypto';
import { ACCOUNT_ID, DEFAULT_REGION } from '../account.ts';
import type { LabEvents } from '../events.ts';
import { FunctionPool, type InvocationResult } from './function-pool.ts';

export interface FunctionDefinition {
  name: string;
  /** Absolute path of an ES module that exports `handler(event, context)`, such as dist/single-user/index.mjs. */
  bundle: string;
  /** The function's own environment, besides what Lambda sets. */
  environment?: Record<string, string>;
  /** Default 30,000. */
  timeoutMs?: number;
  /** Invocations at one time; more of them wait. Default 10. */
  concurrency?: number;
  /** Default us-east-1. */
  region?: string;
}

export class FunctionRegistry {
  readonly #pools = new Map<string, FunctionPool>();
  readonly #replaced: Promise<void>[] = [];
  readonly #events: LabEvents;
  /** Given to every function, under its own environment: where the lab's Secrets Manager listens. */
  readonly #environment: () => Record<string, string>;

  constructor(events: LabEvents, environment: () => Record<string, string> = () => ({})) {
    this.#events = events;
    this.#environment = environment;
  }

  /** @returns the function's ARN. Registering a name again replaces the function. */
  register(definition: FunctionDefinition): string {
    const { name, bundle, environment, timeoutMs = 30_000, concurrency = 10, region = DEFAULT_REGION } = definition;
    const arn = `arn:aws:lambda:${region}:${ACCOUNT_ID}:function:${name}`;
    const replaced = this.#pools.get(arn);
    if (replaced) this.#replaced.push(replaced.close());
    const pool = new FunctionPool({
      name,
      arn,
      bundle,
      timeoutMs,
      concurrency,
      region,
      logStream: `lab/[$LATEST]${createHash('sha256').update(arn).digest('hex').slice(0, 32)}`,
      environment: { ...this.#environment(), ...environment },
      onLog: (line) => this.#events.emit({ type: 'log-line', functionName: name, ...line }),
    });
    this.#pools.set(arn, pool);
    return arn;
  }

  has(arn: string): boolean {
    return this.#pools.has(arn);
  }

  arns(): string[] {
    return [...this.#pools.keys()];
  }

  /** Never rejects: a crash, a time-out and an unknown ARN are results too. */
  async invoke(arn: string, event: unknown): Promise<InvocationResult> {
    const pool = this.#pools.get(arn);
    if (!pool) {
      return {
        ok: false,
        errorType: 'ResourceNotFoundException',
        errorMessage: `Function not found: ${arn}`,
        trace: [],
      };
    }
    return pool.invoke(event);
  }

  /** Kills every process. */
  async close(): Promise<void> {
    await Promise.all([...this.#replaced, ...[...this.#pools.values()].map((pool) => pool.close())]);
    this.#pools.clear();
  }
}
