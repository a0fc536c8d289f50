import { isRefusedPassword } from '../../client/index.ts';
import { waitFor } from '../../scripts/lab/database/wait.ts';

/** What a load of logins has met. */
export interface LoadResult {
  readonly tried: number;
  /** Logins that the application saw refused. */
  readonly refused: number;
  /** What else went wrong, in words. */
  readonly problems: readonly string[];
  /** Of the slowest login that succeeded, looks at Secrets Manager included, in ms. */
  readonly slowestMs: number;
}

/**
 * An application that logs in at a steady rate, whatever becomes of the logins before, for as long as it is in scope.
 *
 * @param logIn one login, as the application makes it.
 */
export class LoginLoad implements AsyncDisposable {
  readonly #logIn: () => Promise<void>;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #problems: string[] = [];
  #tried = 0;
  #ended = 0;
  #refused = 0;
  #slowestMs = 0;

  constructor(logIn: () => Promise<void>, perSecond = 40) {
    this.#logIn = logIn;
    this.#timer = setInterval(() => this.#begin(), 1_000 / perSecond);
  }

  /** Resolves once this many more logins have begun and ended. */
  async more(logins: number): Promise<void> {
    const until = this.#tried + logins;
    await waitFor('logins to be tried', () => this.#ended >= until || undefined);
  }

  async end(): Promise<LoadResult> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
    return { tried: this.#tried, refused: this.#refused, problems: this.#problems, slowestMs: this.#slowestMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  #begin(): void {
    this.#tried += 1;
    const running = this.#once().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #once(): Promise<void> {
    const from = performance.now();
    try {
      await this.#logIn();
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - from);
    } catch (error) {
      if (isRefusedPassword(error)) this.#refused += 1;
      else this.#problems.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    }
    this.#ended += 1;
  }
}
