import { relative } from 'node:path';

/** The lines of a file on which something is done, and whether that ever was. */
export type Lines = Map<number, boolean>;

/** Coverage in istanbul's format, as far as lines are concerned. */
export type FilesCoverage = Readonly<
  Record<
    string,
    {
      readonly path: string;
      readonly statementMap: Readonly<Record<string, { readonly start: { readonly line: number } }>>;
      readonly s: Readonly<Record<string, number>>;
    }
  >
>;

/** One more look at a line: reached once is reached. */
export function reach(lines: Lines, line: number, hit: boolean): void {
  lines.set(line, hit || lines.get(line) === true);
}

/** By file, relative to the project. */
export function linesOf(files: FilesCoverage, root: string): Map<string, Lines> {
  return new Map(
    Object.values(files).map(({ path, statementMap, s }) => {
      const lines: Lines = new Map();
      for (const [id, { start }] of Object.entries(statementMap)) {
        reach(lines, start.line, (s[id] ?? 0) > 0);
      }
      return [relative(root, path), lines];
    }),
  );
}
