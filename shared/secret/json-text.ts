/** One member of a JSON object, by where it stands in the text. */
interface Member {
  readonly key: string;
  readonly keyStart: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Replaces string members of a JSON object in its source text, so that everything else (unknown keys, their order,
 * large integers, white space) stays as it was, byte for byte. Parsing and printing again would not do that.
 *
 * @param source the text of a JSON object, known to be valid.
 * @param replacements new string values by key; a key that stands twice is replaced twice, so that every reader
 *   agrees on it; a key that is not there is left out.
 */
export function replaceMembers(source: string, replacements: ReadonlyMap<string, string>): string {
  return edited(source, membersOf(source), ({ key, start }) =>
    source[start] === '"' ? replacements.get(key) : undefined,
  );
}

/**
 * The same for values of any kind; a key that is not there is added behind the last, spaced as that one is.
 *
 * @param source the text of a JSON object, known to be valid.
 * @param values by key.
 */
export function setMembers(source: string, values: ReadonlyMap<string, string | number | boolean>): string {
  const members = membersOf(source);
  const present = new Set(members.map(({ key }) => key));
  const text = edited(source, members, ({ key }) => values.get(key));
  const [before, last] = members.slice(-2);
  const between = before && last ? source.slice(before.end, last.keyStart) : ',';
  const member = last ?? before;
  const colon = member ? source.slice(member.keyStart, member.start).replace(/^"(?:[^"\\]|\\.)*"/, '') : ':';
  const added = [...values]
    .filter(([key]) => !present.has(key))
    .map(([key, value]) => `${JSON.stringify(key)}${colon}${JSON.stringify(value)}`);
  if (added.length === 0) return text;
  const end = member ? text.length - (source.length - member.end) : text.indexOf('{') + 1;
  return text.slice(0, end) + (member ? between : '') + added.join(between) + text.slice(end);
}

/**
 * The members of a JSON object, whose keys are read one at a time. JSON.parse of Node 24.21 takes a key that is written with
 * an escape for one that it has read before, in whichever object, where the text of the one begins as the other
 * reads: after `{"\\u0":1}` it finds no "ssl" in `{"\u0073sl":1}`. So one secret could hide another's members.
 *
 * @param source the text of a JSON object, known to be valid.
 * @returns own members only, `__proto__` too; of a key that stands twice the last, as JSON.parse has it.
 */
export function valuesOf(source: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    membersOf(source).map(({ key, start, end }) => [key, JSON.parse(source.slice(start, end))]),
  );
}

function edited(source: string, members: readonly Member[], newValue: (member: Member) => unknown): string {
  let result = '';
  let copied = 0;
  for (const member of members) {
    const value = newValue(member);
    if (value === undefined) continue;
    result += source.slice(copied, member.start) + JSON.stringify(value);
    copied = member.end;
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

function membersOf(source: string): readonly Member[] {
  const members: Member[] = [];
  let depth = 0;
  let key = '';
  let keyStart = 0;
  let start: number | undefined;
  let previous = '';
  for (const { 0: token, index } of source.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g)) {
    if (depth === 1 && previous === ':') start = index;
    else if (depth === 1 && token.startsWith('"')) {
      key = JSON.parse(token) as string;
      keyStart = index;
    }
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    if (depth === 1 && start !== undefined) {
      members.push({ key, keyStart, start, end: index + token.length });
      start = undefined;
    }
    previous = token;
  }
  return members;
}
