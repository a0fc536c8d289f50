import { fileURLToPath } from 'node:url';
import { ACCOUNT_ID } from '../../../scripts/lab/account.ts';
import { FunctionProcess, type LogLine } from '../../../scripts/lab/functions/function-process.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';

const bundleOf = (strategy: StrategyName) =>
  fileURLToPath(new URL(`../../../dist/${strategy}/index.mjs`, import.meta.url));

export interface StockOptions {
  readonly strategy: StrategyName;
  readonly endpoint: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly spare?: boolean;
  readonly onLog: (line: LogLine) => void;
}

/** A function of which one instance is in use, and maybe another is starting so that a killed one is replaced at once. */
export class FunctionStock implements AsyncDisposable {
  readonly #make: () => FunctionProcess;
  #inUse: FunctionProcess | undefined;
  #spare: FunctionProcess | undefined;
  readonly #keepsSpare: boolean;

  constructor({ strategy, endpoint, environment = {}, timeoutMs = 30_000, spare = false, onLog }: StockOptions) {
    this.#make = () =>
      new FunctionProcess({
        name: strategy,
        arn: `arn:aws:lambda:us-east-1:${ACCOUNT_ID}:function:${strategy}`,
        bundle: bundleOf(strategy),
        region: 'us-east-1',
        timeoutMs,
        logStream: 'crash',
        environment: { SECRETS_MANAGER_ENDPOINT: endpoint, ...environment },
        onLog,
      });
    this.#keepsSpare = spare;
    this.#inUse = this.#make();
    this.#spare = this.#makeSpare();
  }

  /** The instance in use; a new one where the last was killed. */
  get instance(): FunctionProcess {
    if (this.#inUse?.isUsable) return this.#inUse;
    this.#inUse = this.#spare ?? this.#make();
    this.#spare = this.#makeSpare();
    return this.#inUse;
  }

  /** SIGKILL for the instance in use. */
  async kill(): Promise<void> {
    await this.#inUse?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#inUse?.kill(), this.#spare?.kill()]);
  }

  #makeSpare(): FunctionProcess | undefined {
    return this.#keepsSpare ? this.#make() : undefined;
  }
}
