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

/** By file, relative to the project. */
export function linesOf(files: FilesCoverage, root: string): Map<string, Lines> {
  return new Map(
    Object.values(files).map(({ path, statementMap, s }) => {
      const lines: Lines = new Map();
      for (const [id, { start }] of Object.entries(statementMap)) {
        lines.set(start.line, lines.get(start.line) === true || (s[id] ?? 0) > 0);
      }
      return [relative(root, path), lines];
    }),
  );
}
