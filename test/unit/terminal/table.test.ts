import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { table, textWidth, wrap } from '../../../shared/terminal/table.ts';

const red = (text: string) => `\u001B[31m${text}\u001B[39m`;

describe('a table', () => {
  it('has columns two spaces apart, texts to the left and numbers to the right', () => {
    expect(
      table([
        ['name', { right: 'rows' }],
        ['orders', 12_345],
        ['a', 1],
      ]),
    ).toEqual(['name      rows', 'orders  12 345', 'a            1']);
  });

  it.each([
    ['app', 3],
    ['é', 1],
    ['e\u0301', 1],
    ['日本語', 6],
    ['ＡＢ', 4],
    ['ｱｲ', 2],
    ['한국', 4],
    ['🚀', 2],
    ['👩‍👩‍👧', 2],
    ['❤️', 2],
    [red('red'), 3],
    ['', 0],
  ])('takes %j to be %d columns wide', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  it('lines columns up behind wide characters and colours', () => {
    expect(
      table([
        ['日本', 'x'],
        [{ text: 'four', style: red }, 'x'],
        ['ab', 'x'],
      ]),
    ).toEqual(['日本  x', `${red('four')}  x`, 'ab    x']);
  });

  it('breaks its widest column into lines on a narrow terminal, each line in its colour', () => {
    const lines = table(
      [
        ['id', 'what', 'when'],
        ['1', { text: 'the quick brown fox jumps over', style: red }, 'today'],
      ],
      27,
    );
    expect(lines).toEqual(
      ['id  what              when', `1   ${red('the quick brown')}   today`, `    ${red('fox jumps over')}`].map(
        (line) => line.trimEnd(),
      ),
    );
  });

  it('stays readable where there is no room at all', () => {
    expect(table([['a name', 'another name']], 1)).toEqual(['a name  another name']);
  });
});

it('no line that was broken is too wide, and no character gets lost', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '日', '🚀', '-') });
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 30 }), (whole, width) => {
      const lines = wrap(whole, width);
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width);
      expect(lines.join('').replaceAll(' ', '')).toBe(whole.replaceAll(' ', ''));
    }),
  );
});
