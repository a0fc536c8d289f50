/**
 * Takes the names out of SQL: each identifier or string literal that is a known name, in whatever quotes, becomes its
 * label, numbers become N, quoted or not, and comments go. Literals that hold SQL themselves (a DO block, a statement to EXECUTE) are taken apart
 * too. Two statements that differ in nothing but the names have one shape.
 *
 * @param names labels by name.
 */
export function sqlShape(sql: string, names: ReadonlyMap<string, string>): string {
  const tokens = sql.match(TOKEN) ?? [];
  return tokens
    .map((token) => shapeOf(token, names))
    .filter((token) => token !== '')
    .join(' ');
}

const TOKEN =
  /--[^\n]*|"(?:[^"]|"")*"|[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|[\p{L}_][\p{L}\p{N}_$]*|\$\d+|\d+|\s+|[\s\S]/gu;

function shapeOf(token: string, names: ReadonlyMap<string, string>): string {
  if (token.trim() === '' || token.startsWith('--')) return '';
  if (/^\d+$/.test(token)) return 'N';
  const text = decoded(token);
  if (text === undefined) return token;
  const label = names.get(text);
  if (label !== undefined) return `⟨${label}⟩`;
  if (/^\d+$/.test(text) && token.startsWith("'")) return "'N'";
  return token.startsWith('"') ? token : `'${holdsSql(text) ? sqlShape(text, names) : text}'`;
}

/** What a quoted identifier or a literal stands for; undefined for every other token. */
function decoded(token: string): string | undefined {
  if (token.length > 1 && token.startsWith('"')) return token.slice(1, -1).replaceAll('""', '"');
  if (/^[eE]'/.test(token)) return token.slice(2, -1).replaceAll("''", "'").replaceAll('\\\\', '\\');
  return token.length > 1 && token.startsWith("'") ? token.slice(1, -1).replaceAll("''", "'") : undefined;
}

function holdsSql(text: string): boolean {
  return /\b(BEGIN|ALTER ROLE)\b/.test(text);
}
