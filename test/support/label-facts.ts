/** What the doctor's tests say of a secret's labels. */
import type { LabelFacts } from '../../cli/doctor/secret-checks.ts';

export const NOW = new Date('2026-03-01T12:00:00Z');

/** @param minutes age of AWSPENDING; undefined: there is none. */
export const labels = (minutes: number | undefined, more: Partial<LabelFacts> = {}, hasValue = false): LabelFacts => ({
  name: 'shop',
  stages: { one: ['AWSCURRENT'], two: minutes === undefined ? [] : ['AWSPENDING'] },
  enabled: true,
  pending:
    minutes === undefined
      ? undefined
      : { versionId: 'two', since: new Date(NOW.getTime() - minutes * 60_000), hasValue },
  failure: undefined,
  nextRotation: undefined,
  ...more,
});
export const failure = {
  step: 'createSecret',
  code: 'SECRET_ACCESS_DENIED',
  message: 'm',
  remedy: 'Allow it.',
} as const;
