/** What a check of `rotation doctor` found. */
import type { CommandError } from '../failures.ts';

/** Those of logins: a refused one is what locks applications out. */
export const LOGIN_CHECKS = ['login AWSCURRENT', 'login AWSPENDING', 'login AWSPREVIOUS'] as const;

/** What was looked at: its code, for fixes and programs too, which people can read as it is. */
export type Check =
  | 'caller'
  | 'secret'
  | 'value'
  | 'labels'
  | 'rotation'
  | 'function'
  | 'time-out'
  | 'concurrency'
  | 'environment'
  | 'copies'
  | 'invoke permission'
  | 'role policy'
  | 'superuser policy'
  | 'KMS'
  | 'VPC'
  | 'way to Secrets Manager'
  | 'security groups'
  | 'DNS'
  | 'connection'
  | 'TLS'
  | 'login'
  | (typeof LOGIN_CHECKS)[number]
  | 'superuser secret'
  | 'IAM authentication'
  | 'IAM policy'
  | 'rds_iam'
  | 'twin'
  | 'schedule';

export type FindingState = 'ok' | 'warning' | 'broken' | 'unknown';

export interface Finding {
  readonly check: Check;
  readonly state: FindingState;
  /** One sentence. */
  readonly message: string;
  readonly remedy?: string;
}

/** An answer of AWS, or why there is none. */
export type Asked<T> = { readonly value: T } | { readonly error: CommandError };

export const ok = (check: Check, message: string): Finding => ({ check, state: 'ok', message });

export function warning(check: Check, message: string, remedy: string): Finding {
  return { check, state: 'warning', message, remedy };
}

export function broken(check: Check, message: string, remedy: string): Finding {
  return { check, state: 'broken', message, remedy };
}

/** Never taken for ok: nobody has looked. */
export function unknown(check: Check, why: string): Finding {
  return { check, state: 'unknown', message: `could not be checked: ${why}` };
}
