/** Who imports whom, read from the text of the files; pure. The rules that this serves are in import-rules.ts. */
import { posix } from 'node:path';

/** Texts of files by their paths from the project's folder, with forward slashes. */
export type SourceFiles = ReadonlyMap<string, string>;

export interface Import {
  readonly from: string;
  /** A file's path; else a package's name, or that of one of Node's own modules with `node:`. */
  readonly to: string;
  /** `location`: a file that `new URL('…', import.meta.url)` names, to be run or loaded later. */
  readonly kind: 'import' | 'location';
}

/**
 * Static imports and exports, of types too, begin a line (the formatter sees to that); `import('…')`, of a module or of
 * its types, may stand anywhere.
 */
const FORMS: readonly (readonly [form: RegExp, kind: Import['kind']])[] = [
  [/^(?:import|export)\b[^'";]*?\bfrom\s*(['"])(?<to>[^'"]+)\1/gm, 'import'],
  [/^import\s*(['"])(?<to>[^'"]+)\1/gm, 'import'],
  [/\bimport\(\s*(['"`])(?<to>[^'"`$]+)\1/g, 'import'],
  [/\bnew URL\(\s*(['"`])(?<to>\.[^'"`$]+\.(?:ts|mjs))\1,\s*import\.meta\.url/g, 'location'],
];

export function importsOf(files: SourceFiles): readonly Import[] {
  return [...files].flatMap(([from, text]) =>
    FORMS.flatMap(([form, kind]) =>
      [...text.matchAll(form)].map(({ groups }) => ({ from, to: target(from, groups?.to ?? ''), kind })),
    ),
  );
}

function target(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier);
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The ways on from one file: the shortest chain to each file and package that it reaches, itself first. */
export function waysFrom(start: string, imports: readonly Import[]): ReadonlyMap<string, readonly string[]> {
  const next = Map.groupBy(imports, ({ from }) => from);
  const ways = new Map<string, readonly string[]>([[start, [start]]]);
  // A Map hands out what is added to it while it is walked.
  for (const [path, way] of ways) {
    for (const { to } of next.get(path) ?? []) if (!ways.has(to)) ways.set(to, [...way, to]);
  }
  return ways;
}

/** Files that import each other in a circle, each circle once, as a chain that ends where it began. */
export function circlesIn(imports: readonly Import[]): readonly (readonly string[])[] {
  // A program that is started by its location may well import from who starts it.
  const direct = imports.filter(({ kind }) => kind === 'import');
  const circles = new Map<string, readonly string[]>();
  for (const { from, to } of direct) {
    const back = waysFrom(to, direct).get(from);
    if (back === undefined) continue;
    const members = [...back].sort().join(' ');
    if (!circles.has(members)) circles.set(members, [from, ...back]);
  }
  return [...circles.values()];
}
