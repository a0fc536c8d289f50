/** What the report counts: ages of passwords, and windows by hour; pure. */

import { parseSchedule, type RotationRules, ScheduleSyntaxError } from '../../shared/schedule/schedule.ts';
import { daysSince } from '../fleet/age.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Days, each with the age that it ends before. */
const AGES = [
  { label: 'under 7 d', before: 7 },
  { label: '7–30 d', before: 30 },
  { label: '30–60 d', before: 60 },
  { label: '60–90 d', before: 90 },
  { label: '90–180 d', before: 180 },
  { label: '180 d–1 y', before: 365 },
  { label: 'over 1 y', before: Number.POSITIVE_INFINITY },
] as const;

export interface Password {
  readonly lastRotated: Date | undefined;
  /** Of one that was never rotated: when its value was stored. */
  readonly stored: Date | undefined;
}

export interface AgeClass {
  readonly label: string;
  readonly rotated: number;
  /** By when they were stored. */
  readonly neverRotated: number;
}

export function ages(passwords: readonly Password[], now: Date): readonly AgeClass[] {
  const classOf = (date: Date) => AGES.find(({ before }) => daysSince(date, now) < before)?.label;
  return AGES.map(({ label }) => ({
    label,
    rotated: passwords.filter(({ lastRotated }) => lastRotated !== undefined && classOf(lastRotated) === label).length,
    neverRotated: passwords.filter(
      ({ lastRotated, stored }) => lastRotated === undefined && stored !== undefined && classOf(stored) === label,
    ).length,
  }));
}

/**
 * When the window opens that ends with `nextRotation`, the last second of it, as the service tells.
 *
 * @returns undefined where the rules are none that the service would take.
 */
export function windowStart(rules: RotationRules, nextRotation: Date): Date | undefined {
  const end = Math.ceil((nextRotation.getTime() + 1) / 1_000) * 1_000;
  try {
    // ListSecrets tells both, the days worked out from the expression.
    const { AutomaticallyAfterDays, ...expressed } = rules;
    const schedule = parseSchedule(
      rules.ScheduleExpression === undefined ? { ...expressed, AutomaticallyAfterDays } : expressed,
    );
    if (schedule === undefined) return undefined;
    if (schedule.hoursOpen !== 'rest of the day') return new Date(end - schedule.hoursOpen * HOUR_MS);
    const hour = schedule.kind === 'cron' ? (schedule.cron.hours.at(-1) ?? 0) : 0;
    return new Date(Math.floor((end - 1) / DAY_MS) * DAY_MS + hour * HOUR_MS);
  } catch (error) {
    if (error instanceof ScheduleSyntaxError) return undefined;
    throw error;
  }
}

export const DAYS_AHEAD = 7;

export interface HourOfWindows {
  /** Its beginning, UTC. */
  readonly hour: Date;
  readonly windows: number;
}

/** Every hour of the next seven days, with how many windows open in it. One that is open already counts as now. */
export function windowsByHour(starts: readonly Date[], now: Date): readonly HourOfWindows[] {
  const first = Math.floor(now.getTime() / HOUR_MS);
  const counts = Array.from({ length: DAYS_AHEAD * 24 }, () => 0);
  for (const start of starts) {
    const index = Math.max(Math.floor(start.getTime() / HOUR_MS) - first, 0);
    const before = counts[index];
    if (before !== undefined) counts[index] = before + 1;
  }
  return counts.map((windows, index) => ({ hour: new Date((first + index) * HOUR_MS), windows }));
}

/**
 * Rotations that Secrets Manager's quota lets through in an hour: PutSecretValue and UpdateSecretVersionStage are 50 a
 * second together (AWS General Reference, "Secrets Manager quotas"), and a rotation makes one call of each.
 */
export const ROTATIONS_PER_HOUR = (50 / 2) * 3_600;
