import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  nextRotationDate,
  nextWindow,
  parseSchedule,
  type RotationRules,
  ScheduleSyntaxError,
} from '../../../shared/schedule/schedule.ts';

// A Tuesday.
const ANCHOR = new Date('2026-03-10T13:45:00Z');

function windowAfter(rules: RotationRules, after: string | Date = ANCHOR, anchor = ANCHOR) {
  const schedule = parseSchedule(rules);
  if (!schedule) throw new Error('The rules name no schedule.');
  const { start, end } = nextWindow(schedule, { after: new Date(after), anchor });
  return { start: start.toISOString(), end: end.toISOString() };
}

const cron = (fields: string) => ({ ScheduleExpression: `cron(${fields})` });
const startsAfter = (fields: string, after?: string) => windowAfter(cron(fields), after).start;

describe('a schedule in days', () => {
  it('opens at midnight so many days after the last change and stays open for the day', () => {
    expect(windowAfter({ AutomaticallyAfterDays: 30 })).toEqual({
      start: '2026-04-09T00:00:00.000Z',
      end: '2026-04-10T00:00:00.000Z',
    });
    expect(windowAfter({ ScheduleExpression: 'rate(1 day)' }).start).toBe('2026-03-11T00:00:00.000Z');
  });

  it('reports the last second of the window, as the service does', () => {
    // Recorded from AWS: changed 2026-02-03T17:42Z, every 30 days, NextRotationDate 2026-03-05T23:59:59Z.
    const schedule = parseSchedule({ AutomaticallyAfterDays: 30 });
    const changed = new Date('2026-02-03T17:42:24.335Z');
    if (!schedule) throw new Error('The rules name no schedule.');
    const window = nextWindow(schedule, { after: changed, anchor: changed });
    expect(nextRotationDate(window).toISOString()).toBe('2026-03-05T23:59:59.000Z');
  });

  it('closes after the Duration', () => {
    expect(windowAfter({ AutomaticallyAfterDays: 1, Duration: '3h' }).end).toBe('2026-03-11T03:00:00.000Z');
  });

  it('goes on to a later window once the first has passed', () => {
    expect(windowAfter({ AutomaticallyAfterDays: 2 }, '2026-03-17T08:00:00Z').start).toBe('2026-03-18T00:00:00.000Z');
  });
});

describe('a rate in hours', () => {
  it('counts from midnight and is open for an hour', () => {
    expect(windowAfter({ ScheduleExpression: 'rate(4 hours)' })).toEqual({
      start: '2026-03-10T16:00:00.000Z',
      end: '2026-03-10T17:00:00.000Z',
    });
  });

  it('keeps its interval across midnight', () => {
    expect(windowAfter({ ScheduleExpression: 'rate(10 hours)' }, '2026-03-10T20:00:00Z').start).toBe(
      '2026-03-11T06:00:00.000Z',
    );
  });
});

describe('a cron expression', () => {
  it.each([
    ['every day', '0 8 * * ? *', '2026-03-11T08:00:00.000Z'],
    ['later today', '0 23 * * ? *', '2026-03-10T23:00:00.000Z'],
    ['steps from an hour, starting anew each day', '0 4/12 * * ? *', '2026-03-10T16:00:00.000Z'],
    ['steps over the whole day', '0 */6 * * ? *', '2026-03-10T18:00:00.000Z'],
    ['steps in a range', '0 0-12/6 * * ? *', '2026-03-11T00:00:00.000Z'],
    ['a list of hours', '0 1,15,20 * * ? *', '2026-03-10T15:00:00.000Z'],
    ['a day of the month', '0 0 1 * ? *', '2026-04-01T00:00:00.000Z'],
    ['every tenth day of the month', '0 0 1/10 * ? *', '2026-03-11T00:00:00.000Z'],
    ['the last day of the month', '0 16 L * ? *', '2026-03-31T16:00:00.000Z'],
    ['months by name', '0 0 1 JAN,APR,JUL,OCT ? *', '2026-04-01T00:00:00.000Z'],
    ['a range of months', '0 0 1 6-8 ? *', '2026-06-01T00:00:00.000Z'],
    ['a weekday by number, 1 being Sunday', '0 10 ? * 1 *', '2026-03-15T10:00:00.000Z'],
    ['weekdays by name', '0 10 ? * MON-FRI *', '2026-03-11T10:00:00.000Z'],
    ['lower-case names', '0 10 ? mar sat *', '2026-03-14T10:00:00.000Z'],
    ['the first Sunday of a month', '0 0 ? * SUN#1 *', '2026-04-05T00:00:00.000Z'],
    ['the third Friday of a month', '0 0 ? * 6#3 *', '2026-03-20T00:00:00.000Z'],
    ['the last Thursday of a month', '0 0 ? * 5L *', '2026-03-26T00:00:00.000Z'],
    ['the 29th of February', '0 0 29 2 ? *', '2028-02-29T00:00:00.000Z'],
  ])('fires on %s', (_, fields, expected) => {
    expect(startsAfter(fields)).toBe(expected);
  });

  it('does not fire again within the hour in which it has just fired', () => {
    expect(startsAfter('0 8 * * ? *', '2026-03-10T08:00:00Z')).toBe('2026-03-11T08:00:00.000Z');
  });

  it('is open for the rest of the day, or for an hour where it fires several times a day', () => {
    expect(windowAfter(cron('0 8 * * ? *')).end).toBe('2026-03-12T00:00:00.000Z');
    expect(windowAfter(cron('0 8/8 * * ? *')).end).toBe('2026-03-10T17:00:00.000Z');
    expect(windowAfter({ ...cron('0 8 * * ? *'), Duration: '2h' }).end).toBe('2026-03-11T10:00:00.000Z');
  });

  it('always fires on the hour, later than now, in one of its hours', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 23 }),
        fc.date({ min: new Date('2025-01-01'), max: new Date('2040-01-01'), noInvalidDate: true }),
        (hour, after) => {
          const start = new Date(windowAfter(cron(`0 ${hour} * * ? *`), after).start);
          expect(start.getUTCHours()).toBe(hour);
          expect(start.getTime()).toBeGreaterThan(after.getTime());
          expect(start.getTime() - after.getTime()).toBeLessThanOrEqual(86_400_000);
          expect(start.getTime() % 3_600_000).toBe(0);
        },
      ),
    );
  });
});

describe('rules that the service refuses', () => {
  it.each<[string, RotationRules]>([
    ['days and an expression', { AutomaticallyAfterDays: 1, ScheduleExpression: 'rate(1 day)' }],
    ['0 days', { AutomaticallyAfterDays: 0 }],
    ['1001 days', { AutomaticallyAfterDays: 1001 }],
    ['a rate below 4 hours', { ScheduleExpression: 'rate(3 hours)' }],
    ['a rate of 0 days', { ScheduleExpression: 'rate(0 days)' }],
    ['a rate above 999 days', { ScheduleExpression: 'rate(1000 days)' }],
    ['a rate in minutes', { ScheduleExpression: 'rate(300 minutes)' }],
    ['neither rate nor cron', { ScheduleExpression: 'every day' }],
    ['minutes other than 0', cron('30 8 * * ? *')],
    ['a year', cron('0 8 * * ? 2027')],
    ['five fields', cron('0 8 * * ?')],
    ['both days given', cron('0 8 1 * MON *')],
    ['* in both days', cron('0 8 * * * *')],
    ['neither day given', cron('0 8 ? * ? *')],
    ['a weekday nearest to a day', cron('0 8 15W * ? *')],
    ['hour 24', cron('0 24 * * ? *')],
    ['day 32', cron('0 8 32 * ? *')],
    ['month 13', cron('0 8 1 13 ? *')],
    ['an unknown weekday', cron('0 8 ? * FUN *')],
    ['a sixth weekday of a month', cron('0 8 ? * MON#6 *')],
    ['a range that runs backwards', cron('0 8 ? * FRI-MON *')],
    ['a step of 0', cron('0 0/0 * * ? *')],
    ['a date that never comes', cron('0 0 31 2 ? *')],
    ['hours less than 4 apart', cron('0 1,4 * * ? *')],
    ['hours less than 4 apart over midnight', cron('0 1,22 * * ? *')],
    ['every hour', cron('0 * * * ? *')],
    ['a Duration without h', { AutomaticallyAfterDays: 1, Duration: '3' }],
    ['a Duration of 0h', { AutomaticallyAfterDays: 1, Duration: '0h' }],
    ['a Duration of 25h', { AutomaticallyAfterDays: 1, Duration: '25h' }],
    ['a Duration longer than the rate', { ScheduleExpression: 'rate(4 hours)', Duration: '5h' }],
    ['a Duration that runs into the next day', { ...cron('0 20 * * ? *'), Duration: '5h' }],
    ['a Duration alone', { Duration: '3h' }],
  ])('%s', (_, rules) => {
    expect(() => parseSchedule(rules)).toThrow(ScheduleSyntaxError);
  });

  it('but hours far apart over midnight are fine where the days are not consecutive', () => {
    expect(startsAfter('0 1,22 1 * ? *')).toBe('2026-04-01T01:00:00.000Z');
  });
});

it('takes rules that name no schedule', () => {
  expect(parseSchedule({})).toBeUndefined();
});
