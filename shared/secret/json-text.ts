/**
 * Replaces string members of a JSON object in its source text, so that everything else (unknown keys, their order,
 * large integers, white space) stays as it was, byte for byte. Parsing and printing again would not do that.
 *
 * @param source the text of a JSON object, known to be valid.
 * @param replacements new string values by key; a key that stands twice is replaced twice, so that every reader
 *   agrees on it; a key that is not there is left out.
 */
export function replaceMembers(source: string, replacements: ReadonlyMap<string, string>): string {
  let result = '';
  let copied = 0;
  let depth = 0;
  let key: string | undefined;
  let previous = '';
  for (const match of source.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g)) {
    const token = match[0];
    const replacement = depth === 1 && previous === ':' && key !== undefined ? replacements.get(key) : undefined;
    if (replacement !== undefined && token.startsWith('"')) {
      result += source.slice(copied, match.index) + JSON.stringify(replacement);
      copied = match.index + token.length;
    }
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && token.startsWith('"') && previous !== ':') key = JSON.parse(token) as string;
    previous = token;
  }
  return result + source.slice(copied);
}

/**
 * The same JSON with each whole number that a double can't hold as a text of its digits, which no other member can be: so
 * two of them are the same only if all their digits are, whichever library reads them.
 */
export function withAllDigits(source: string): string {
  return source.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"\\u0000${token}"` : token,
  );
}
