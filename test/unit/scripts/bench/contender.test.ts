import { describe, expect, it } from 'vitest';
import { against, failureIn } from '../../../../scripts/bench/contender.ts';

describe('an answer by line', () => {
  it('is no failure where it says ok', () => {
    expect(failureIn('{"ok":true}')).toBeUndefined();
  });

  it.each([
    ['{"error":"no such user"}', 'no such user'],
    ['{"ok":false}', 'the answer was to be'],
    ['null', 'the answer was to be'],
    ['INFO starting', 'the answer was to be JSON'],
  ])('%s is a failure', (answer, message) => {
    expect(failureIn(answer)).toContain(message);
  });
});

it.each([
  ['single-user', 'run --scheme single single'],
  ['alternating-users', 'run --scheme multi multi'],
] as const)('{scheme} becomes what %s is called there', (strategy, command) => {
  expect(against('run --scheme {scheme} {scheme}').command(strategy).args).toEqual(['-c', command]);
});
