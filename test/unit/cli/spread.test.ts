import { describe, expect, it } from 'vitest';
import { spreadSchedule } from '../../../cli/moving/spread.ts';

describe('a schedule that is spread', () => {
  it('begins in so many hours, in turn', () => {
    const hours = [0, 1, 2, 3, 4].map((index) => spreadSchedule('cron(0 21 ? * SUN *)', index, 3));
    expect(hours.map((each) => /0 (\d+) \? \* SUN \*/.exec(each)?.[1])).toEqual(['21', '22', '23', '21', '22']);
  });

  it.each(['rate(30 days)', 'cron(0 /8 * * ? *)', 'none'])('has one hour, which %s has not', (expression) => {
    expect(() => spreadSchedule(expression, 0, 2)).toThrow('a schedule with one hour');
  });

  it('ends on the day on which it begins', () => {
    expect(() => spreadSchedule('cron(0 21 ? * SUN *)', 0, 4)).toThrow('at most 3 hours from hour 21 on');
  });
});
