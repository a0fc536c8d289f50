/** Columns of text: the first flush left, the others flush right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => (typeof cell === 'number' ? number(cell) : cell)));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => width(row[column] ?? ''))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column === 0))
      .join('  ')
      .trimEnd();
  const [first = [], ...rest] = cells;
  return [line(first), widths.map((each) => '-'.repeat(each)).join('  '), ...rest.map(line), ''].join('\n');
}

/** Three significant digits; what was not measured is a dash. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

const width = (text: string) => Array.from(text).length;

function pad(text: string, to: number, left: boolean): string {
  const fill = ' '.repeat(to - width(text));
  return left ? text + fill : fill + text;
}
