/** Which secrets `now --all` rotates. */

import { InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import { mapLimited } from '../map-limited.ts';
import { conditionOf } from '../secret-status.ts';
import { type RotatedSecret, rotatedSecrets, type SecretFilter } from '../secrets.ts';
import { gatherStatus } from '../status-facts.ts';

export interface Selection {
  readonly filters: readonly SecretFilter[];
  /** Only those whose rotation has failed or was left behind. */
  readonly failed: boolean;
  /** Only those that were not rotated in so many ms. */
  readonly notRotatedFor: number | undefined;
}

export interface Selected {
  readonly chosen: readonly RotatedSecret[];
  /** Somebody has cancelled these, for a reason that is not known here. */
  readonly cancelled: readonly RotatedSecret[];
}

/** Each takes some four calls. */
const AT_ONCE = 5;

export async function select(context: Context, { filters, failed, notRotatedFor }: Selection): Promise<Selected> {
  const now = new Date();
  const found = await rotatedSecrets(context, filters);
  const old = found.filter(
    ({ lastRotated }) => notRotatedFor === undefined || isOlder(lastRotated, now, notRotatedFor),
  );
  const cancelled = old.filter(({ enabled }) => !enabled);
  const enabled = old.filter((secret) => secret.enabled);
  if (!failed) return { chosen: enabled, cancelled };
  const isFailed = await mapLimited(enabled, AT_ONCE, async ({ arn }) =>
    ['failed', 'stuck'].includes(conditionOf(await gatherStatus(context, arn), now)),
  );
  return { chosen: enabled.filter((_, index) => isFailed[index]), cancelled };
}

/** What was never rotated is older than anything. */
function isOlder(lastRotated: Date | undefined, now: Date, age: number): boolean {
  return lastRotated === undefined || now.getTime() - lastRotated.getTime() > age;
}

const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 };

/** Such as "30d" or "12h". @returns milliseconds. */
export function age(text: string): number {
  const [, number, unit = ''] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const ms = UNITS_MS[unit];
  if (number === undefined || ms === undefined) throw new InvalidArgumentError('An age such as 30d or 12h was needed.');
  return Number(number) * ms;
}
