import { describe, expect, it } from 'vitest';
import { RecentLogins } from '../../../shared/rotation/recent-logins.ts';

const MINUTE = 60_000;

describe('the versions that an instance has tested', () => {
  it('are those that it was told of', () => {
    const tested = new RecentLogins();
    expect(tested.has('secret', 'a')).toBe(false);
    tested.add('secret', 'a');
    expect(tested.has('secret', 'a')).toBe(true);
    expect(tested.has('secret', 'b')).toBe(false);
  });

  it('are believed for five minutes and no longer', () => {
    const tested = new RecentLogins();
    tested.add('secret', 'a', { now: 0 });
    expect(tested.has('secret', 'a', 5 * MINUTE)).toBe(true);
    expect(tested.has('secret', 'a', 5 * MINUTE + 1)).toBe(false);
  });

  it('tell how each logged in', () => {
    const tested = new RecentLogins();
    tested.add('secret', 'a', { scram: true });
    tested.add('secret', 'b');
    expect([tested.get('secret', 'a')?.scram, tested.get('secret', 'b')?.scram]).toEqual([true, false]);
  });

  it('count from their last test', () => {
    const tested = new RecentLogins();
    tested.add('secret', 'a', { now: 0 });
    tested.add('secret', 'b', { now: 4 * MINUTE });
    tested.add('secret', 'a', { now: 4 * MINUTE });
    expect(tested.has('secret', 'a', 9 * MINUTE)).toBe(true);
    tested.add('secret', 'c', { now: 20 * MINUTE });
    expect(tested.has('secret', 'b', 20 * MINUTE)).toBe(false);
  });

  it('count no more once a password of the secret changes, but for the one version that keeps its own', () => {
    const tested = new RecentLogins();
    for (const [secret, version] of [
      ['secret', 'a'],
      ['secret', 'b'],
      ['secret 2', 'a'],
    ] as const)
      tested.add(secret, version);
    tested.keepOnly('secret', 'a');
    expect([tested.has('secret', 'a'), tested.has('secret', 'b'), tested.has('secret 2', 'a')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
