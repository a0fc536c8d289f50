/** What a check of `rotation doctor` found. */
import type { CommandError } from '../failures.ts';

export type FindingState = 'ok' | 'warning' | 'broken' | 'unknown';

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  readonly state: FindingState;
  /** One sentence. */
  readonly message: string;
  readonly remedy?: string;
}

/** An answer of AWS, or why there is none. */
export type Asked<T> = { readonly value: T } | { readonly error: CommandError };

export const ok = (check: string, message: string): Finding => ({ check, state: 'ok', message });

export function warning(check: string, message: string, remedy: string): Finding {
  return { check, state: 'warning', message, remedy };
}

export function broken(check: string, message: string, remedy: string): Finding {
  return { check, state: 'broken', message, remedy };
}

/** Never taken for ok: nobody has looked. */
export function unknown(check: string, why: string): Finding {
  return { check, state: 'unknown', message: `could not be checked: ${why}` };
}
