/**
 * The cron() expressions of a rotation schedule, in UTC: `cron(0 Hours Day-of-month Month Day-of-week *)`.
 * Pure. What each field takes is in the service's user guide under "Rotation schedules"; EventBridge's W is not there, and a
 * step without a start is: `cron(0 /8 * * ? *)` is the guide's own example of every eight hours from midnight on.
 */
export interface CronSchedule {
  /** Hours of the day, ascending. */
  readonly hours: readonly number[];
  firesOn(day: Date): boolean;
}

export class ScheduleSyntaxError extends Error {}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  name: string;
  min: number;
  max: number;
  names?: readonly string[];
}

const HOURS: Field = { name: 'hours', min: 0, max: 23 };
const DAY_OF_MONTH: Field = { name: 'day-of-month', min: 1, max: 31 };
const MONTH: Field = { name: 'month', min: 1, max: 12, names: MONTHS };
const DAY_OF_WEEK: Field = { name: 'day-of-week', min: 1, max: 7, names: WEEKDAYS };

/** @throws ScheduleSyntaxError on anything the service would refuse. */
export function parseCron(body: string): CronSchedule {
  const fields = body.trim().split(/\s+/);
  const [minutes, hours, dayOfMonth, month, dayOfWeek, year] = fields;
  if (fields.length !== 6 || !minutes || !hours || !dayOfMonth || !month || !dayOfWeek || !year) {
    throw new ScheduleSyntaxError(`A cron expression has six fields, this one has ${fields.length}.`);
  }
  if (minutes !== '0') throw new ScheduleSyntaxError('The minutes field must be 0: rotation windows open on the hour.');
  if (year !== '*') throw new ScheduleSyntaxError('The year field must be *.');
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    throw new ScheduleSyntaxError('Exactly one of day-of-month and day-of-week must be ?.');
  }
  const months = numbers(MONTH, month);
  const dayMatches = dayOfWeek === '?' ? parseDayOfMonth(dayOfMonth) : parseDayOfWeek(dayOfWeek);
  return {
    hours: [...numbers(HOURS, hours)].sort((a, b) => a - b),
    firesOn: (day) => months.has(day.getUTCMonth() + 1) && dayMatches(day),
  };
}

type DayMatcher = (day: Date) => boolean;

function parseDayOfMonth(text: string): DayMatcher {
  return anyOf(text, (part) => {
    if (part === 'L') return (day) => day.getUTCDate() === lastDayOfMonth(day);
    // The guide describes SUNL under this field; that it goes in the other one as well is its older wording.
    if (/^[A-Z]+L$/.test(part)) return lastOfItsKind(part.slice(0, -1));
    const days = numbers(DAY_OF_MONTH, part);
    return (day) => days.has(day.getUTCDate());
  });
}

function parseDayOfWeek(text: string): DayMatcher {
  return anyOf(text, (part) => {
    const nth = /^(\w+)#([1-5])$/.exec(part);
    if (nth?.[1]) {
      const weekday = number(DAY_OF_WEEK, nth[1]);
      return (day) => isWeekday(day, weekday) && Math.ceil(day.getUTCDate() / 7) === Number(nth[2]);
    }
    // A bare L is the week's last day.
    if (part === 'L') return (day) => isWeekday(day, 7);
    const last = /^(\w+)L$/.exec(part);
    if (last?.[1]) return lastOfItsKind(last[1]);
    const weekdays = numbers(DAY_OF_WEEK, part);
    return (day) => weekdays.has(day.getUTCDay() + 1);
  });
}

/** The last Sunday, Monday … of the month. */
function lastOfItsKind(text: string): DayMatcher {
  const weekday = number(DAY_OF_WEEK, text);
  return (day) => isWeekday(day, weekday) && day.getUTCDate() + 7 > lastDayOfMonth(day);
}

function anyOf(text: string, parse: (part: string) => DayMatcher): DayMatcher {
  const matchers = text.toUpperCase().split(',').map(parse);
  return (day) => matchers.some((matches) => matches(day));
}

const isWeekday = (day: Date, weekday: number) => day.getUTCDay() + 1 === weekday;

const lastDayOfMonth = (day: Date) => new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate();

/** `*`, `5`, `MON-FRI`, `8/8`, `0-12/4`, `/8` (as of the first), and lists of those. */
function numbers(field: Field, text: string): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(?:(\*|(?=\/))|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (!match) throw invalid(field, text);
    const [, star, from, to, step] = match;
    const all = star !== undefined;
    const first = all ? field.min : number(field, from ?? '');
    const last = all || (step && !to) ? field.max : number(field, to ?? from ?? '');
    const by = step === undefined ? 1 : Number(step);
    if (by < 1 || last < first) throw invalid(field, text);
    for (let value = first; value <= last; value += by) found.add(value);
  }
  return found;
}

function number(field: Field, text: string): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = named >= 0 ? named + field.min : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= field.min && value <= field.max)) throw invalid(field, text);
  return value;
}

const invalid = (field: Field, text: string) =>
  new ScheduleSyntaxError(`The ${field.name} field takes ${field.min} to ${field.max}, found ${text}.`);
