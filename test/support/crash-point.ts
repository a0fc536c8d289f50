import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const HOOK = new URL('./functions/crash.mjs', import.meta.url).href;

/**
 * A moment at which a function's process is killed, once: `send:TEXT`, `answer:TEXT` or `receive:TEXT` (see
 * functions/crash.mjs), where TEXT is in what goes to or comes from the database or Secrets Manager.
 */
export class CrashPoint {
  readonly #file = join(tmpdir(), `crash-${randomUUID()}`);
  readonly #at: string;

  constructor(at: string) {
    this.#at = at;
  }

  /** For the function that is to crash. */
  get environment(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--import=${HOOK}`, CRASH_AT: this.#at, CRASH_FILE: this.#file };
  }

  get happened(): boolean {
    return existsSync(this.#file);
  }
}
