import { describe, expect, it } from 'vitest';
import { conditionOf, distance, isUnwell, moment, type StatusFacts } from '../../../cli/secret-status.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);

const well: StatusFacts = {
  name: 'shop',
  arn: 'arn:shop',
  functionArn: 'arn:function',
  enabled: true,
  strategy: 'single-user',
  ...{
    username: 'shop',
    unreadable: undefined,
    lastRotated: minutesAgo(600),
    nextRotation: new Date('2026-03-20T00:00:00Z'),
  },
  stages: { v: ['AWSPENDING'] },
  deleted: undefined,
  pending: undefined,
  failure: undefined,
  notice: undefined,
  replicas: [],
};
const pending = (minutes: number) => ({ versionId: 'v', since: minutesAgo(minutes), hasValue: true });
const failure = { step: 'setSecret', code: 'ROLE_BUSY', message: 'm', remedy: undefined } as const;

describe('the condition of a secret', () => {
  it.each<[name: string, facts: Partial<StatusFacts>, condition: string]>([
    ['is ok', {}, 'ok'],
    ['is ok without a schedule', { nextRotation: undefined }, 'ok'],
    ['is overdue once its window has passed', { nextRotation: minutesAgo(1) }, 'overdue'],
    ['is rotating while AWSPENDING is young', { pending: pending(2) }, 'rotating'],
    ['is stuck when AWSPENDING is older than a step can take', { pending: pending(16) }, 'stuck'],
    [
      'is stuck when rotation was cancelled, however young AWSPENDING is',
      { enabled: false, pending: pending(1) },
      'stuck',
    ],
    ['has failed when the log says so', { pending: pending(2), failure }, 'failed'],
    ['has failed, and is tried again, while its window lasts', { pending: pending(90), failure }, 'failed'],
    [
      'is stuck when its window has passed too',
      { pending: pending(90), failure, nextRotation: minutesAgo(5) },
      'stuck',
    ],
    [
      'is stuck when AWSPENDING is on a retired password',
      { pending: pending(1), stages: { v: ['AWSPENDING', 'AWSPREVIOUS'] } },
      'stuck',
    ],
    ['is cancelled', { enabled: false }, 'cancelled'],
    ['is not attached', { enabled: false, functionArn: undefined }, 'not-attached'],
    ['is marked for deletion before all else', { deleted: NOW, pending: pending(90) }, 'marked-for-deletion'],
  ])('%s', (_, facts, condition) => {
    expect(conditionOf({ ...well, ...facts }, NOW)).toBe(condition);
  });

  it('is unwell where somebody should look at it, a failed replica included', () => {
    const conditions = ['ok', 'rotating', 'failed', 'stuck', 'overdue', 'cancelled', 'not-attached'] as const;
    expect(conditions.filter((condition) => isUnwell(condition, well))).toEqual(['failed', 'stuck', 'overdue']);
    const replicas = [{ region: 'eu-west-1', status: 'Failed', message: 'no key' }];
    expect(isUnwell('ok', { replicas })).toBe(true);
  });
});

describe('dates', () => {
  it('are shown to the minute, in UTC', () => {
    expect(moment(NOW)).toBe('2026-03-01 12:00 UTC');
    expect(moment(undefined)).toBe('–');
  });

  it.each([
    [minutesAgo(0.5), '30 s ago'],
    [minutesAgo(59), '59 min ago'],
    [minutesAgo(180), '3 h ago'],
    [minutesAgo(-3 * 1440), 'in 3 d'],
  ])('are told as a distance: %s', (date, words) => {
    expect(distance(date, NOW)).toBe(words);
  });
});
