import { stripVTControlCharacters } from 'node:util';
import { count } from './text.ts';

/**
 * A text is aligned left; a number, or a text that heads or stands for numbers, right. `style` colours a text that may
 * have to be broken into lines: each of them by itself.
 */
export type Cell =
  | string
  | number
  | { readonly right: string }
  | { readonly text: string; readonly style: (text: string) => string };

const GAP = 2;
/** No column is made narrower than this. */
const NARROW = 12;

/**
 * Columns two spaces apart, each as wide as its widest cell.
 * @param width of the terminal: where the table is wider, the widest columns are broken into lines. Default: no limit.
 */
export function table(rows: readonly (readonly Cell[])[], width = Number.POSITIVE_INFINITY): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, textWidth(textOf(cell)));
  }
  narrow(widths, width);
  return rows.flatMap((row) => lines(row, widths));
}

/** Takes from the widest column, one by one, what is too much. */
function narrow(widths: number[], width: number): void {
  const available = width - GAP * (widths.length - 1);
  for (let total = widths.reduce((sum, each) => sum + each, 0); total > available; total--) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= NARROW) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function lines(row: readonly Cell[], widths: readonly number[]): string[] {
  const broken = row.map((cell, column) => wrap(textOf(cell), widths[column] ?? 0));
  const height = Math.max(1, ...broken.map((each) => each.length));
  return Array.from({ length: height }, (_, line) =>
    row
      .map((cell, column) => place(cell, broken[column]?.[line] ?? '', widths[column] ?? 0))
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

function place(cell: Cell, text: string, width: number): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  if (typeof cell === 'string') return text + space;
  if (typeof cell === 'number' || 'right' in cell) return space + text;
  return (text === '' ? '' : cell.style(text)) + space;
}

function textOf(cell: Cell): string {
  if (typeof cell === 'number') return count(cell);
  if (typeof cell === 'string') return cell;
  return 'right' in cell ? cell.right : cell.text;
}

/** Breaks between words, and within those that have no room on a line. */
export function wrap(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text];
  const broken: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (textWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== '') broken.push(line);
    line = '';
    for (const character of characters(word)) {
      if (line !== '' && textWidth(line + character) > width) {
        broken.push(line);
        line = '';
      }
      line += character;
    }
  }
  return [...broken, line];
}

/**
 * A line for a terminal: what is too long goes on below, further to the right.
 * @param width 0: nobody knows it, and the line stays as it is.
 * @param hang how far the lines after the first are indented. Default: two further than the first.
 */
export function wrapHanging(line: string, width: number, hang?: number): string[] {
  const [indent = ''] = /^ */.exec(line) ?? [];
  const below = ' '.repeat(Math.min(hang ?? indent.length + 2, Math.floor(width / 2)));
  if (width === 0 || textWidth(line) <= width) return [line];
  const [first = '', ...others] = wrap(line.slice(indent.length), width - Math.max(indent.length, below.length));
  // The first may be as long as the others are: only where it is indented less does that cost it some words.
  return [indent + first, ...others.map((each) => below + each.trimStart())];
}

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** As a reader counts them: a letter with its accents is one. */
export const characters = (text: string) => Array.from(SEGMENTER.segment(text), ({ segment }) => segment);

/** East Asian wide and full-width characters (Unicode's UAX 11), and what is shown as a picture: two columns each. */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}|\uFE0F/u;
const INVISIBLE = /^[\p{Mark}\p{Control}\p{Format}]+$/u;

/** How many columns of a terminal a text takes; colours take none. */
export function textWidth(text: string): number {
  return characters(stripVTControlCharacters(text)).reduce((width, character) => width + columns(character), 0);
}

function columns(character: string): number {
  if (INVISIBLE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
