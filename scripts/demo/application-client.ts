import { DatabaseError } from 'pg';
import { waitFor } from '../lab/database/wait.ts';
import type { Login } from './secret-history.ts';

export interface ApplicationClientOptions {
  /** Where its login comes from: asked before each login. */
  readonly credential: () => Promise<Login> | Login;
  readonly logIn: (login: Login) => Promise<void>;
  readonly signal: AbortSignal;
}

/** An application that logs in, again and again, as fast as it can. */
export class ApplicationClient {
  readonly #options: ApplicationClientOptions;
  readonly #problems = new Map<string, number>();
  readonly #ended: Promise<void>;
  #stopped = false;
  #begun = 0;
  #tried = 0;

  constructor(options: ApplicationClientOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  get tried(): number {
    return this.#tried;
  }

  get refused(): number {
    return [...this.#problems.values()].reduce((sum, times) => sum + times, 0);
  }

  /** What it met instead of a login: PostgreSQL's code, or the error's name. */
  get problems(): string {
    return [...this.#problems].map(([code, times]) => `${times} × ${code}`).join(', ');
  }

  /** Resolves once it has fetched its credential and logged in this often, all of it after this call. */
  async logInAgain(times: number): Promise<void> {
    const last = this.#begun + times;
    await waitFor('an application to log in', () => this.#tried >= last || this.#stopped || undefined, {
      intervalMs: 2,
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { credential, logIn, signal } = this.#options;
    while (!this.#stopped && !signal.aborted) {
      this.#begun += 1;
      try {
        await logIn(await credential());
      } catch (error) {
        const code = error instanceof DatabaseError ? (error.code ?? '') : error instanceof Error ? error.name : '?';
        this.#problems.set(code, (this.#problems.get(code) ?? 0) + 1);
      }
      this.#tried += 1;
    }
  }
}
