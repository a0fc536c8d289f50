/**
 * Every schedule that AWS's documentation writes down: the user guide ("Rotation schedules"), the API reference
 * (RotationRulesType, RotateSecret), the CLI's reference (rotate-secret) and CloudFormation's (RotationSchedule).
 */
import { describe, expect, it } from 'vitest';
import { nextWindow, parseSchedule, type RotationRules } from '../../../shared/schedule/schedule.ts';

// A Tuesday, with its day's first hour just begun.
const FROM = new Date('2026-03-10T00:30:00Z');

/** Starts of the next windows, as far as the minute. */
function starts(rules: RotationRules, count: number): string[] {
  const schedule = parseSchedule(rules);
  if (schedule === undefined) throw new Error('The rules name no schedule.');
  const found: string[] = [];
  for (let after = FROM; found.length < count; ) {
    after = nextWindow(schedule, { after, anchor: FROM }).start;
    found.push(after.toISOString().slice(0, 16));
  }
  return found;
}

const expression = (ScheduleExpression: string, Duration?: string): RotationRules => ({ ScheduleExpression, Duration });

describe("the user guide's examples", () => {
  it.each<[string, string, string[]]>([
    ['rate(4 hours)', 'every four hours', ['2026-03-10T04:00', '2026-03-10T08:00']],
    ['rate(1 day)', 'every day', ['2026-03-11T00:00', '2026-03-12T00:00']],
    ['rate(10 days)', 'every 10 days', ['2026-03-20T00:00', '2026-03-30T00:00']],
    [
      'cron(0 /8 * * ? *)',
      'every eight hours starting at midnight',
      ['2026-03-10T08:00', '2026-03-10T16:00', '2026-03-11T00:00'],
    ],
    [
      'cron(0 8/8 * * ? *)',
      'every eight hours starting at 8:00 AM',
      ['2026-03-10T08:00', '2026-03-10T16:00', '2026-03-11T08:00'],
    ],
    [
      'cron(0 2/10 * * ? *)',
      'at 2:00, 12:00, and 22:00, and then on the next day at the same hours',
      ['2026-03-10T02:00', '2026-03-10T12:00', '2026-03-10T22:00', '2026-03-11T02:00'],
    ],
    ['cron(0 4/12 * * ? *)', '4:00 AM, 4:00 PM', ['2026-03-10T04:00', '2026-03-10T16:00', '2026-03-11T04:00']],
    ['cron(0 10 * * ? *)', 'every day at 10:00 AM', ['2026-03-10T10:00', '2026-03-11T10:00']],
    ['cron(0 18 ? * SAT *)', 'every Saturday at 6:00 PM', ['2026-03-14T18:00', '2026-03-21T18:00']],
    ['cron(0 8 1 * ? *)', 'the first day of every month at 8:00 AM', ['2026-04-01T08:00', '2026-05-01T08:00']],
    [
      'cron(0 1 ? 1/3 SUN#1 *)',
      'every three months on the first Sunday at 1:00 AM',
      ['2026-04-05T01:00', '2026-07-05T01:00', '2026-10-04T01:00', '2027-01-03T01:00'],
    ],
    ['cron(0 17 L * ? *)', 'the last day of every month at 5:00 PM', ['2026-03-31T17:00', '2026-04-30T17:00']],
    ['cron(0 8 ? * MON-FRI *)', 'Monday through Friday at 8:00 AM', ['2026-03-10T08:00', '2026-03-11T08:00']],
    [
      'cron(0 16 1,15 * ? *)',
      'first and 15th day of every month at 4:00 PM',
      ['2026-03-15T16:00', '2026-04-01T16:00', '2026-04-15T16:00'],
    ],
    ['cron(0 0 ? * SUN#1 *)', 'first Sunday of every month at midnight', ['2026-04-05T00:00', '2026-05-03T00:00']],
  ])('%s: %s', (written, _, expected) => {
    expect(starts(expression(written), expected.length)).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    ['1,15 as days', 'cron(0 0 1,15 * ? *)', ['2026-03-15T00:00', '2026-04-01T00:00']],
    ['1-15 as days', 'cron(0 0 1-15 * ? *)', ['2026-03-11T00:00', '2026-03-12T00:00']],
    ['1/2 as days', 'cron(0 0 1/2 * ? *)', ['2026-03-11T00:00', '2026-03-13T00:00']],
    ['SUNL, the last Sunday of the month, as a day', 'cron(0 0 SUNL * ? *)', ['2026-03-29T00:00', '2026-04-26T00:00']],
    ['JAN,APR,JUL,OCT as months', 'cron(0 0 1 JAN,APR,JUL,OCT ? *)', ['2026-04-01T00:00', '2026-07-01T00:00']],
    ['1-3 as months', 'cron(0 0 1 1-3 ? *)', ['2027-01-01T00:00', '2027-02-01T00:00']],
    ['1/3 as months', 'cron(0 0 1 1/3 ? *)', ['2026-04-01T00:00', '2026-07-01T00:00']],
    ['TUE#3 as weekday', 'cron(0 0 ? * TUE#3 *)', ['2026-03-17T00:00', '2026-04-21T00:00']],
    ['1,4 as weekdays', 'cron(0 0 ? * 1,4 *)', ['2026-03-11T00:00', '2026-03-15T00:00']],
    ['1-4 as weekdays', 'cron(0 0 ? * 1-4 *)', ['2026-03-11T00:00', '2026-03-15T00:00']],
    ['1/2 as weekdays', 'cron(0 0 ? * 1/2 *)', ['2026-03-12T00:00', '2026-03-14T00:00', '2026-03-15T00:00']],
    ['L as weekday, the last of the week', 'cron(0 0 ? * L *)', ['2026-03-14T00:00', '2026-03-21T00:00']],
  ])('what its table of fields says of %s', (_, written, expected) => {
    expect(starts(expression(written), expected.length)).toEqual(expected);
  });
});

it.each<[string, RotationRules, string]>([
  ['RotationRulesType', expression('rate(12 hours)'), '2026-03-10T12:00'],
  ['RotationRulesType', expression('rate(10 days)', '3h'), '2026-03-20T00:00'],
  ['rotate-secret', expression('cron(0 16 1,15 * ? *)', '2h'), '2026-03-15T16:00'],
  ['rotate-secret', expression('cron(0 8/8 * * ? *)', '1h'), '2026-03-10T08:00'],
  ['RotationSchedule', { AutomaticallyAfterDays: 30 }, '2026-04-09T00:00'],
  ['RotationSchedule', expression('cron(0 8 1 * ? *)', '4h'), '2026-04-01T08:00'],
])('takes what the reference of %s shows', (_, rules, expected) => {
  expect(starts(rules, 1)).toEqual([expected]);
});

it('a step without a start begins with the first of any field', () => {
  expect(starts(expression('cron(0 0 /10 * ? *)'), 3)).toEqual(starts(expression('cron(0 0 1/10 * ? *)'), 3));
  expect(starts(expression('cron(0 0 1 /5 ? *)'), 3)).toEqual(starts(expression('cron(0 0 1 1/5 ? *)'), 3));
  expect(starts(expression('cron(0 0 ? * /3 *)'), 3)).toEqual(starts(expression('cron(0 0 ? * SUN/3 *)'), 3));
});
