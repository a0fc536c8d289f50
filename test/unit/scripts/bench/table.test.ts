import { expect, it } from 'vitest';
import { number, table } from '../../../../scripts/bench/table.ts';

it('lines its columns up, names to the left and numbers to the right', () => {
  expect(
    table(
      ['step', 'ms'],
      [
        ['createSecret', 4.2],
        ['é', 1234.5],
      ],
    ),
  ).toBe(['step             ms', '------------  -----', 'createSecret   4.20', 'é             1,235', ''].join('\n'));
});

it.each([
  [0, '0'],
  [12, '12'],
  [2.345, '2.35'],
  [99.95, '100'],
  [123.4, '123'],
  [1234567, '1,234,567'],
  [Number.NaN, '–'],
])('writes %d as %s', (value, text) => {
  expect(number(value)).toBe(text);
});
