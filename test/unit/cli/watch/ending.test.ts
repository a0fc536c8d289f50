import { describe, expect, it } from 'vitest';
import { EndingJudge, type Look } from '../../../../cli/watch/ending.ts';

const failure = { step: 'testSecret', code: 'X', message: 'm', remedy: undefined } as const;

/** What each look at a rotation comes to, the seconds at which they are told. */
function outcomes(kind: 'rotation' | 'test', looks: Readonly<Record<number, Partial<Look>>>, throughRetries = false) {
  const judge = new EndingJudge({ kind, throughRetries });
  return Object.entries(looks).map(([second, look]) => {
    const nothing = { labels: [], failure: undefined, lastStepEnded: false, logReadable: true, last: false };
    return judge.judge({ ...nothing, at: 1_000 * Number(second), ...look })?.outcome;
  });
}

const PENDING = { labels: ['AWSPENDING'] };
const CURRENT = { labels: ['AWSCURRENT'] };
const BOTH = { labels: ['AWSCURRENT', 'AWSPENDING'] };
const GONE = { labels: [] };

describe('a rotation', () => {
  it('has succeeded once AWSCURRENT moved and the log told the last step', () => {
    expect(outcomes('rotation', { 0: PENDING, 60: CURRENT, 63: { ...CURRENT, lastStepEnded: true } })).toEqual([
      ...[undefined, undefined, 'succeeded'],
    ]);
  });

  it('has succeeded when the log stays silent for twelve seconds after that, however long it took before', () => {
    const looks = { 0: PENDING, 100: PENDING, 101: CURRENT, 112: CURRENT, 113: CURRENT };
    expect(outcomes('rotation', looks)).toEqual([undefined, undefined, undefined, undefined, 'succeeded']);
  });

  it('has succeeded with AWSPENDING still on the version that is current', () => {
    expect(outcomes('rotation', { 0: BOTH, 11: BOTH, 12: BOTH })).toEqual([undefined, undefined, 'succeeded']);
    expect(outcomes('rotation', { 0: BOTH, 12: { ...BOTH, logReadable: false } })).toEqual([undefined, 'succeeded']);
  });

  it('has succeeded at once where no log can be read, and where the time to watch is up', () => {
    expect(outcomes('rotation', { 0: { ...CURRENT, logReadable: false } })).toEqual(['succeeded']);
    expect(outcomes('rotation', { 0: { ...CURRENT, last: true } })).toEqual(['succeeded']);
  });

  it('is not abandoned because one look found its version without labels', () => {
    expect(outcomes('rotation', { 0: GONE, 1: GONE, 2: PENDING, 3: CURRENT })).not.toContain('abandoned');
    expect(outcomes('rotation', { 0: GONE, 2: GONE, 4: GONE })).toEqual([undefined, undefined, 'abandoned']);
    expect(outcomes('rotation', { 0: PENDING, 1: GONE })).toEqual([undefined, 'abandoned']);
  });

  it('has failed with the first failure, or goes on through retries', () => {
    expect(outcomes('rotation', { 0: { ...PENDING, failure } })).toEqual(['failed']);
    expect(outcomes('rotation', { 0: { ...PENDING, failure }, 9: PENDING }, true)).toEqual([undefined, undefined]);
  });
});

describe('a test', () => {
  it('has succeeded when the log says so, which may come late', () => {
    expect(outcomes('test', { 0: PENDING, 1: GONE, 12: { ...GONE, lastStepEnded: true } })).toEqual([
      ...[undefined, undefined, 'succeeded'],
    ]);
    expect(outcomes('test', { 0: { ...GONE, failure } })).toEqual(['failed']);
  });

  it('is not known where no log says it', () => {
    expect(outcomes('test', { 0: GONE })).toEqual([undefined]);
    expect(outcomes('test', { 0: PENDING, 1: GONE, 13: GONE })).toEqual([undefined, undefined, 'unknown']);
    expect(outcomes('test', { 0: PENDING, 1: { ...GONE, logReadable: false } })).toEqual([undefined, 'unknown']);
  });
});
