/** How long a password has been the same; pure. */
import { usage } from '../failures.ts';

const DAY_MS = 86_400_000;

/** Such as `30d`, `12h` (before `now`) or `2026-01-31` (UTC). @throws CommandError where it is none of these. */
export function moment(text: string, now: Date = new Date()): Date {
  const ago = /^(\d{1,5})([dh])$/.exec(text);
  if (ago !== null) return new Date(now.getTime() - Number(ago[1]) * (ago[2] === 'd' ? DAY_MS : DAY_MS / 24));
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : new Date(Number.NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw usage(`A time such as 30d, 12h or 2026-01-31 was needed, found "${text}".`);
}

/** Whether the last rotation was before `since`; one that never was counts. */
export function isNotRotatedSince(lastRotated: Date | undefined, since: Date): boolean {
  return lastRotated === undefined || lastRotated < since;
}

/** Whole days. */
export function daysSince(date: Date, now: Date): number {
  return Math.floor((now.getTime() - date.getTime()) / DAY_MS);
}
