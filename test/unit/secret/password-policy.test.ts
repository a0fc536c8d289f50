import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, generatePassword, type PasswordPolicy } from '../../../shared/secret/password-policy.ts';

const draw = (policy: PasswordPolicy) => generatePassword(policy).reveal();

describe('a generated password', () => {
  it('by default has 32 characters, of all four kinds, that need no escaping in a URL', () => {
    for (let i = 0; i < 500; i++) {
      const password = draw(DEFAULT_POLICY);
      expect(password).toMatch(/^[A-Za-z0-9._~-]{32}$/);
      for (const kind of [/[A-Z]/, /[a-z]/, /[0-9]/, /[._~-]/]) expect(password).toMatch(kind);
      expect(encodeURIComponent(password)).toBe(password);
    }
  });

  it('has the length and the characters of its policy, whatever they are', () => {
    const alphabets = fc.uniqueArray(fc.constantFrom('ABCDEF', 'abcdef', '0123456789', '!%&/()', '~'), {
      minLength: 1,
    });
    const policies = fc.record({ length: fc.integer({ min: 8, max: 100 }), alphabets, requireEach: fc.boolean() });
    fc.assert(
      fc.property(policies, (policy) => {
        const password = draw(policy);
        expect(password).toHaveLength(policy.length);
        expect(Array.from(password).filter((character) => !policy.alphabets.join('').includes(character))).toEqual([]);
      }),
    );
  });

  it('has each alphabet at least once where that is required, however rare', () => {
    const policy = { length: 8, alphabets: ['abcdefghijklmnopqrstuvwxyz', '!'], requireEach: true };
    for (let i = 0; i < 300; i++) expect(draw(policy)).toMatch(/(?=.*!)(?=.*[a-z])/);
  });

  it('may lack an alphabet where none is required', () => {
    const policy = { length: 8, alphabets: ['abcdefghijklmnopqrstuvwxyz', '!'], requireEach: false };
    // A password without "!" has probability 0.74: that none of 300 lacks it has 10^-175.
    expect(Array.from({ length: 300 }, () => draw(policy)).some((password) => !password.includes('!'))).toBe(true);
  });

  it('takes every character equally often, at every place', () => {
    const policy = { length: 10, alphabets: ['abcde', '01234'], requireEach: false };
    const passwords = Array.from({ length: 10_000 }, () => draw(policy));
    for (const place of [0, 4, 9]) {
      const counts = new Map<string, number>();
      for (const password of passwords)
        counts.set(password.charAt(place), (counts.get(password.charAt(place)) ?? 0) + 1);
      expect(counts.size).toBe(10);
      // 1,000 are expected and the standard deviation is 30: these bounds are 10 deviations away.
      for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(300);
    }
  });

  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => draw(DEFAULT_POLICY))).size).toBe(1_000);
  });
});
