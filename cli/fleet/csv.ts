import { stringify } from 'csv-stringify/sync';
import { harmless } from '../../shared/terminal/text.ts';

/** Lines of RFC 4180 with a header. What a spreadsheet would take for a formula is escaped: names are not ours. */
export function csv(rows: readonly object[], columns: readonly string[]): string {
  const cells = rows.map((row) => columns.map((column) => Reflect.get(row, column)));
  const cast = {
    // Names of users may hold what a terminal heeds.
    string: harmless,
    date: (value: Date) => value.toISOString(),
    boolean: (value: boolean) => String(value),
  };
  return stringify(cells, { header: true, columns: [...columns], escape_formulas: true, cast });
}
