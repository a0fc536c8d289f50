import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PasswordRequest } from '../../../shared/rotation/ports.ts';
import { type RecentLogin, RecentLogins, storedForScram } from '../../../shared/rotation/recent-logins.ts';

const MINUTE = 60_000;
const LOGIN: RecentLogin = { source: 'pending', scram: true };

describe('the versions that an instance has logged in with', () => {
  it('are those that it was told of', () => {
    const logins = new RecentLogins();
    expect(logins.get('secret', 'a')).toBeUndefined();
    logins.add('secret', 'a', LOGIN);
    expect(logins.get('secret', 'a')).toMatchObject(LOGIN);
    expect(logins.get('secret', 'b')).toBeUndefined();
    expect(logins.get('secret 2', 'a')).toBeUndefined();
  });

  it('are believed for five minutes and no longer', () => {
    const logins = new RecentLogins();
    logins.add('secret', 'a', LOGIN, 0);
    expect(logins.get('secret', 'a', 5 * MINUTE)).toBeDefined();
    expect(logins.get('secret', 'a', 5 * MINUTE + 1)).toBeUndefined();
    expect(logins.latest('secret', 5 * MINUTE)).toBeDefined();
    expect(logins.latest('secret', 5 * MINUTE + 1)).toBeUndefined();
  });

  it('are not kept for longer than they are believed', () => {
    const logins = new RecentLogins();
    logins.add('secret', 'a', LOGIN, 0);
    logins.add('secret', 'b', LOGIN, 1);
    logins.add('secret 2', 'c', LOGIN, 5 * MINUTE);
    // Asked as of then, it tells whatever it still has.
    expect(logins.get('secret', 'a', 0)).toBeDefined();
    logins.add('secret 2', 'd', LOGIN, 5 * MINUTE + 1);
    expect(logins.get('secret', 'a', 0)).toBeUndefined();
    expect(logins.get('secret', 'b', 1)).toBeDefined();
  });

  it('tell how each logged in, and what it was compared with', () => {
    const logins = new RecentLogins();
    logins.add('secret', 'a', { source: 'current', scram: false });
    logins.add('secret', 'b', { ...LOGIN, proof: { comparedWith: 'a' } });
    expect(logins.get('secret', 'a')).toMatchObject({ source: 'current', scram: false });
    expect(logins.get('secret', 'a')?.proof).toBeUndefined();
    expect(logins.get('secret', 'b')).toMatchObject({ scram: true, proof: { comparedWith: 'a' } });
  });

  it('count from their last login, which says all that is known', () => {
    const logins = new RecentLogins();
    logins.add('secret', 'a', { ...LOGIN, proof: { comparedWith: 'x' } }, 0);
    logins.add('secret', 'b', LOGIN, 4 * MINUTE);
    logins.add('secret', 'a', LOGIN, 4 * MINUTE);
    expect(logins.get('secret', 'a', 9 * MINUTE)).toMatchObject(LOGIN);
    expect(logins.get('secret', 'a', 9 * MINUTE)?.proof).toBeUndefined();
  });

  it('have a latest one, whichever was told of first', () => {
    const logins = new RecentLogins();
    logins.add('secret', 'a', LOGIN, 1);
    logins.add('secret', 'b', { source: 'current', scram: true }, 2);
    expect(logins.latest('secret', 2)).toMatchObject({ versionId: 'b', source: 'current' });
    logins.add('secret', 'a', LOGIN, 3);
    expect(logins.latest('secret', 3)).toMatchObject({ versionId: 'a' });
    expect(logins.latest('secret 2', 3)).toBeUndefined();
  });

  it('are forgotten one by one, and of one secret only', () => {
    const logins = new RecentLogins();
    for (const secret of ['1', '2']) for (const version of ['a', 'b']) logins.add(secret, version, LOGIN);
    logins.forget('1', 'a');
    logins.forget('3', 'a');
    expect(
      [logins.get('1', 'a'), logins.get('1', 'b'), logins.get('2', 'a')].map((each) => each !== undefined),
    ).toEqual([false, true, true]);
  });

  it('count no more once a password of the secret changes, but for those that keep their own', () => {
    const logins = new RecentLogins();
    for (const version of ['a', 'b', 'c']) logins.add('secret', version, LOGIN);
    logins.add('secret 2', 'b', LOGIN);
    logins.keepOnly('secret', ['a', 'c']);
    logins.keepOnly('secret 3', []);
    expect(logins.get('secret', 'a')).toBeDefined();
    expect(logins.get('secret', 'b')).toBeUndefined();
    expect(logins.get('secret', 'c')).toBeDefined();
    expect(logins.get('secret 2', 'b')).toBeDefined();
  });

  it('are never believed for longer than from their own last login on, in whatever order they come', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const added = fc.array(fc.record({ secret: name, version: name, pause: fc.integer({ min: 0, max: 3 * MINUTE }) }));
    fc.assert(
      fc.property(added, fc.integer({ min: 0, max: 6 * MINUTE }), (all, rest) => {
        const logins = new RecentLogins();
        const last = new Map<string, number>();
        let now = 0;
        for (const { secret, version, pause } of all) {
          now += pause;
          logins.add(secret, version, LOGIN, now);
          last.set(`${secret} ${version}`, now);
        }
        now += rest;
        for (const secret of ['a', 'b', 'c']) {
          for (const version of ['a', 'b', 'c']) {
            const at = last.get(`${secret} ${version}`);
            const believed = at !== undefined && now - at <= 5 * MINUTE;
            expect(logins.get(secret, version, now) !== undefined).toBe(believed);
          }
        }
      }),
    );
  });
});

describe('how a password is stored, going by how the server asked for it,', () => {
  it.each<[string, PasswordRequest | undefined, boolean | undefined]>([
    ['is for SCRAM', { method: 'scram-sha-256', salt: Buffer.from('salt'), iterations: 4096 }, true],
    ['is not where it asked for MD5', { method: 'md5' }, false],
    ['is not where it asked for none', undefined, false],
    ['can not be told where it asked for it in clear', { method: 'clear' }, undefined],
  ])('%s', (_, request, stored) => {
    expect(storedForScram(request)).toBe(stored);
  });
});
