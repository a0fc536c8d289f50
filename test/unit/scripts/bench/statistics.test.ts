import { describe, expect, it } from 'vitest';
import { percentile, rotated, significant, summarise } from '../../../../scripts/bench/statistics.ts';

describe('percentile', () => {
  it.each([
    [[3, 1, 2], 50, 2],
    [[4, 1, 3, 2], 50, 2.5],
    [[10], 95, 10],
    [Array.from({ length: 101 }, (_, index) => index), 95, 95],
    [[0, 10], 95, 9.5],
  ])('of %j at %i is %d', (samples, percent, expected) => {
    expect(percentile(samples, percent)).toBeCloseTo(expected);
  });

  it('is not a number where nothing was measured', () => {
    expect(percentile([], 50)).toBeNaN();
  });

  it('leaves the samples in their order', () => {
    const samples = [3, 1, 2];
    percentile(samples, 50);
    expect(samples).toEqual([3, 1, 2]);
  });
});

it('summarises samples', () => {
  expect(summarise([5, 1, 3])).toEqual({ samples: 3, median: 3, p95: 4.8 });
});

it('lets every contender come first once in as many blocks', () => {
  const orders = [0, 1, 2].map((block) => rotated(['a', 'b', 'c'], block));
  expect(orders).toEqual([
    ['a', 'b', 'c'],
    ['b', 'c', 'a'],
    ['c', 'a', 'b'],
  ]);
});

it.each([
  [1234.5, 1230],
  [0.012345, 0.0123],
  [7, 7],
])('rounds %d to three significant digits', (value, expected) => {
  expect(significant(value)).toBe(expected);
});
