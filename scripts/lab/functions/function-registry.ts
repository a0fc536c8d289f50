/** The account's Lambda functions: ARN to bundle. */
import { ACCOUNT_ID, DEFAULT_REGION } from '../account.ts';
import type { LabEvents } from '../events.ts';
import type { Role } from '../resources.ts';
import { FunctionPool, type InvocationResult } from './function-pool.ts';
import { roleFor } from './function-role.ts';

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
  /** What Lambda's API tells of it besides, and who may invoke it. */
  settings?: Partial<FunctionDetails>;
}

export interface FunctionDetails {
  readonly description?: string;
  /** Default nodejs24.x. The lab runs every function on the Node that it runs on itself. */
  readonly runtime?: string;
  /** Default Zip. Of an image Lambda tells neither runtime nor handler. */
  readonly packageType?: 'Zip' | 'Image';
  readonly state?: string;
  /** The execution role's ARN. Default: a role of its own, with what a rotation function needs. */
  readonly role: string;
  /** Default /aws/lambda/NAME. */
  readonly logGroup?: string;
  readonly vpc?: {
    readonly vpcId: string;
    readonly subnetIds: readonly string[];
    readonly securityGroupIds: readonly string[];
  };
  readonly reservedConcurrency?: number;
  /** Of Secrets Manager to invoke it: for this account (the default), for whichever, or not at all. */
  readonly permission?: 'account' | 'any' | 'none';
}

/** A function as Lambda's API knows it. */
export interface DescribedFunction {
  readonly arn: string;
  readonly name: string;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly logGroup: string;
  readonly settings: FunctionDetails;
}

export class FunctionRegistry {
  readonly #pools = new Map<string, FunctionPool>();
  readonly #described = new Map<string, DescribedFunction>();
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
    const settings = { role: `arn:aws:iam::${ACCOUNT_ID}:role/${name}`, ...definition.settings };
    const logGroup = settings.logGroup ?? `/aws/lambda/${name}`;
    this.#described.set(arn, { arn, name, timeoutMs, environment: environment ?? {}, logGroup, settings });
    const replaced = this.#pools.get(arn);
    if (replaced) this.#replaced.push(replaced.close());
    const pool = new FunctionPool({
      name,
      arn,
      bundle,
      timeoutMs,
      concurrency,
      region,
      environment: { ...this.#environment(), ...environment },
      onLog: (line) => this.#events.emit({ type: 'log-line', functionName: name, ...line }),
    });
    this.#pools.set(arn, pool);
    return arn;
  }

  /** Whether there is such a function and its resource policy lets Secrets Manager invoke it. */
  mayBeInvoked(arn: string): boolean {
    const found = this.#described.get(arn);
    return found !== undefined && found.settings.permission !== 'none';
  }

  describe(arn: string): DescribedFunction | undefined {
    return this.#described.get(arn);
  }

  /** The log group of a function, by its name. */
  logGroupOf(name: string): string {
    const found = [...this.#described.values()].find((each) => each.name === name);
    return found?.logGroup ?? `/aws/lambda/${name}`;
  }

  /** The role that a function has which was given none. */
  defaultRole(roleArn: string): Role | undefined {
    const found = [...this.#described.values()].find(({ settings }) => settings.role === roleArn);
    return found && roleFor(found.arn, roleArn);
  }

  /** Deletes the function. */
  forget(arn: string): void {
    const pool = this.#pools.get(arn);
    if (pool) this.#replaced.push(pool.close());
    this.#pools.delete(arn);
    this.#described.delete(arn);
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
