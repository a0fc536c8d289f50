/** When a secret is due for rotation. Pure: rules and dates in, windows out. All of it is in UTC, as in the service. */
import { type CronSchedule, parseCron, ScheduleSyntaxError } from './cron.ts';

export { ScheduleSyntaxError } from './cron.ts';

export interface RotationRules {
  AutomaticallyAfterDays?: number | undefined;
  Duration?: string | undefined;
  ScheduleExpression?: string | undefined;
}

/** Rotation happens from `start` on and before `end`. */
export interface RotationWindow {
  start: Date;
  end: Date;
}

export type Schedule =
  | { kind: 'days'; days: number; hoursOpen: number }
  | { kind: 'hours'; hours: number; hoursOpen: number }
  | { kind: 'cron'; cron: CronSchedule; hoursOpen: number | 'rest of the day' };

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MIN_HOURS_APART = 4;
const LEAP_CYCLE_DAYS = 4 * 366;
// Where the days of a four-year cycle are counted from when a cron expression is checked.
const REFERENCE_DAY = Date.UTC(2024, 0, 1);

/**
 * @returns undefined where the rules name no schedule at all.
 * @throws ScheduleSyntaxError whose message says what was needed and what was found.
 */
export function parseSchedule(rules: RotationRules): Schedule | undefined {
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression } = rules;
  if (days !== undefined && expression !== undefined) {
    throw new ScheduleSyntaxError('You cannot specify both rotation frequency and schedule expression together.');
  }
  const duration = rules.Duration === undefined ? undefined : parseDuration(rules.Duration);
  if (days !== undefined) return daySchedule(days, 1000, 'AutomaticallyAfterDays', duration);
  if (expression !== undefined) return parseExpression(expression, duration);
  if (duration !== undefined) throw new ScheduleSyntaxError('A Duration needs a schedule to go with it.');
  return undefined;
}

/** A day-based schedule counts from the last change of the value; `anchor` is that, or when the rules were set. */
export function nextWindow(schedule: Schedule, { after, anchor }: { after: Date; anchor: Date }): RotationWindow {
  switch (schedule.kind) {
    case 'days':
      return dayWindow(schedule, after, anchor);
    case 'hours':
      return hourWindow(schedule, after, anchor);
    case 'cron':
      return cronWindow(schedule, after);
  }
}

/** What DescribeSecret reports: the last second of the window. The service answers, for instance, 23:59:59. */
export const nextRotationDate = (window: RotationWindow) => new Date(window.end.getTime() - 1000);

function parseExpression(expression: string, duration: number | undefined): Schedule {
  const match = /^(rate|cron)\((.*)\)$/.exec(expression.trim());
  if (!match) throw new ScheduleSyntaxError(`A schedule is rate(…) or cron(…), found ${expression}.`);
  const body = match[2] ?? '';
  return match[1] === 'rate' ? parseRate(body, duration) : cronSchedule(parseCron(body), duration);
}

function parseRate(body: string, duration: number | undefined): Schedule {
  const match = /^\s*(\d+)\s+(hours?|days?)\s*$/.exec(body);
  if (!match) throw new ScheduleSyntaxError(`A rate is a number of hours or days, found rate(${body}).`);
  const value = Number(match[1]);
  if (match[2]?.startsWith('day')) return daySchedule(value, 999, 'rate()', duration);
  if (value < MIN_HOURS_APART || value > 999 * 24) {
    throw new ScheduleSyntaxError(`Rotations must be at least ${MIN_HOURS_APART} hours apart, found rate(${body}).`);
  }
  const hoursOpen = duration ?? 1;
  if (hoursOpen > value) throw new ScheduleSyntaxError('The rotation window must not extend into the next one.');
  return { kind: 'hours', hours: value, hoursOpen };
}

function daySchedule(days: number, max: number, name: string, duration = 24): Schedule {
  if (!Number.isInteger(days) || days < 1 || days > max) {
    throw new ScheduleSyntaxError(`${name} must be within 1-${max} days, found ${days}.`);
  }
  return { kind: 'days', days, hoursOpen: duration };
}

function cronSchedule(cron: CronSchedule, duration: number | undefined): Schedule {
  const gap = shortestGapHours(cron);
  if (gap < MIN_HOURS_APART) {
    throw new ScheduleSyntaxError(`Rotations must be at least ${MIN_HOURS_APART} hours apart, found ${gap}.`);
  }
  const lastHour = cron.hours.at(-1) ?? 0;
  if (duration !== undefined && (duration > gap || lastHour + duration > 24)) {
    throw new ScheduleSyntaxError('The rotation window must not extend into the next one or the next day.');
  }
  return { kind: 'cron', cron, hoursOpen: duration ?? (cron.hours.length > 1 ? 1 : 'rest of the day') };
}

function shortestGapHours(cron: CronSchedule): number {
  const fires = Array.from({ length: LEAP_CYCLE_DAYS }, (_, day) => cron.firesOn(new Date(REFERENCE_DAY + day * DAY)));
  if (!fires.includes(true)) throw new ScheduleSyntaxError('The cron expression names no date that exists.');
  const { hours } = cron;
  const gaps = hours.slice(1).map((hour, index) => hour - (hours[index] ?? 0));
  const onConsecutiveDays = fires.some((fired, day) => fired && fires[day + 1]);
  if (onConsecutiveDays) gaps.push(24 - (hours.at(-1) ?? 0) + (hours[0] ?? 0));
  return Math.min(...gaps, Number.POSITIVE_INFINITY);
}

function parseDuration(text: string): number {
  const hours = /^[0-9]{1,2}h$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
  if (!(hours >= 1 && hours <= 24)) throw new ScheduleSyntaxError(`A Duration is 1h to 24h, found ${text}.`);
  return hours;
}

function dayWindow(schedule: { days: number; hoursOpen: number }, after: Date, anchor: Date): RotationWindow {
  let start = midnight(anchor) + schedule.days * DAY;
  while (start <= after.getTime()) start += schedule.days * DAY;
  return windowOf(start, schedule.hoursOpen);
}

function hourWindow(schedule: { hours: number; hoursOpen: number }, after: Date, anchor: Date): RotationWindow {
  const step = schedule.hours * HOUR;
  const first = midnight(anchor);
  const passed = Math.floor((after.getTime() - first) / step) + 1;
  return windowOf(first + Math.max(passed, 1) * step, schedule.hoursOpen);
}

function cronWindow(
  { cron, hoursOpen }: { cron: CronSchedule; hoursOpen: number | 'rest of the day' },
  after: Date,
): RotationWindow {
  for (let day = midnight(after), left = 2 * LEAP_CYCLE_DAYS; left > 0; day += DAY, left--) {
    if (!cron.firesOn(new Date(day))) continue;
    const hour = cron.hours.find((candidate) => day + candidate * HOUR > after.getTime());
    if (hour !== undefined) return windowOf(day + hour * HOUR, hoursOpen === 'rest of the day' ? 24 - hour : hoursOpen);
  }
  throw new ScheduleSyntaxError('The cron expression names no date that exists.');
}

const midnight = (date: Date) => Math.floor(date.getTime() / DAY) * DAY;

const windowOf = (start: number, hours: number): RotationWindow => ({
  start: new Date(start),
  end: new Date(start + hours * HOUR),
});
