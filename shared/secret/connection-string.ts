/**
 * Copies of a login in other members of a secret: a URL for `pg`, Prisma or JDBC, libpq's `key=value` text, or the bare
 * password. Found and rewritten in place; pure.
 */

/** User and password in clear, for the text that is about to be stored. */
export interface ClearLogin {
  readonly username: string;
  readonly password: string;
}

/** A part of a text that says who logs in. */
interface Place {
  readonly is: 'username' | 'password';
  readonly start: number;
  readonly end: number;
  /** What it says, by each reading that drivers have of it; none where it can't be read. */
  readonly readings: readonly string[];
  write(value: string): string;
}

/**
 * The same text for another login and byte for byte as it was otherwise.
 *
 * @returns undefined where the text does not hold the login `from`: where it is neither one of the forms with that user
 *   and that password, nor the whole password. That a text contains the password says nothing.
 */
export function rewriteLogin(text: string, from: ClearLogin, to: ClearLogin): string | undefined {
  if (text === from.password) return to.password;
  const places = placesIn(text);
  const kinds = new Set(places.map(({ is }) => is));
  if (kinds.size !== 2 || !places.every(({ is, readings }) => readings.includes(from[is]))) return undefined;
  let result = '';
  let copied = 0;
  for (const { is, start, end, write } of places) {
    result += text.slice(copied, start) + write(to[is]);
    copied = end;
  }
  return result + text.slice(copied);
}

/** Whether a text says where a database is, with a login in it or without: a URL, JDBC's, or `host=…` among keywords. */
export function isConnectionString(text: string): boolean {
  return /^[\w+.:-]*postgres[\w+.-]*:/i.test(text) || /(?:^|\s)host(?:addr)?\s*=/.test(text);
}

/** In their order. */
function placesIn(text: string): readonly Place[] {
  const url = /^postgres(?:ql)?(?:\+[a-z0-9]+)?:\/\//i.exec(text);
  if (url !== null) return placesInUrl(text, url[0].length);
  if (/^jdbc:(?:[a-z-]+:)?postgresql:/i.test(text)) return placesInQuery(text, text.indexOf('?'), text.length);
  return placesInKeywords(text);
}

/** `scheme://user:password@host:port/database?key=value#…`; in the query too, as libpq reads it. */
function placesInUrl(text: string, from: number): readonly Place[] {
  const rest = text.slice(from);
  const authority = from + (/[/?#]/.exec(rest)?.index ?? rest.length);
  // The last one, as WHATWG reads a URL; libpq takes the first, and they differ on texts alone that libpq can't use.
  const at = text.lastIndexOf('@', authority - 1);
  const hash = text.indexOf('#', authority);
  const end = hash === -1 ? text.length : hash;
  const query = text.slice(0, end).indexOf('?', authority);
  return [...(at < from ? [] : placesInUserInfo(text, from, at)), ...placesInQuery(text, query, end)];
}

function placesInUserInfo(text: string, start: number, end: number): readonly Place[] {
  const colon = text.slice(0, end).indexOf(':', start);
  const place = (is: Place['is'], from: number, to: number): Place => ({
    is,
    start: from,
    end: to,
    readings: percentReadings(text.slice(from, to), false),
    write: percentEncoded,
  });
  if (colon === -1) return [place('username', start, end)];
  return [place('username', start, colon), place('password', colon + 1, end)];
}

const QUERY_KEYS: Readonly<Record<string, Place['is']>> = { user: 'username', password: 'password' };

/** @param mark where the question mark is; -1 where there is none. */
function placesInQuery(text: string, mark: number, end: number): readonly Place[] {
  if (mark === -1) return [];
  const places: Place[] = [];
  let start = mark + 1;
  for (const pair of text.slice(start, end).split('&')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, equals);
    const is = equals === -1 || !Object.hasOwn(QUERY_KEYS, key) ? undefined : QUERY_KEYS[key];
    if (is !== undefined) {
      const from = start + equals + 1;
      const readings = percentReadings(pair.slice(equals + 1), true);
      places.push({ is, start: from, end: start + pair.length, readings, write: percentEncoded });
    }
    start += pair.length + 1;
  }
  return places;
}

/** @param plus whether some drivers (JDBC, WHATWG) read a plus sign as a space; libpq never does. */
function percentReadings(raw: string, plus: boolean): readonly string[] {
  try {
    const plain = decodeURIComponent(raw);
    return plus && raw.includes('+') ? [plain, decodeURIComponent(raw.replaceAll('+', ' '))] : [plain];
  } catch {
    return [];
  }
}

/** Everything but RFC 3986's unreserved characters, which every driver reads alike. */
function percentEncoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** One `key = value` of libpq's (manual, "Keyword/Value Connection Strings"), with the space before it. */
const KEYWORD = /\s*([^\s=]+)\s*=\s*('(?:[^'\\]|\\[\s\S])*'|(?:[^\s'\\]|\\[\s\S])(?:[^\s\\]|\\[\s\S])*|(?=\s|$))/y;
const KEYWORDS: Readonly<Record<string, Place['is']>> = { user: 'username', password: 'password' };

function placesInKeywords(text: string): readonly Place[] {
  const places: Place[] = [];
  const pattern = new RegExp(KEYWORD);
  const end = text.trimEnd().length;
  while (pattern.lastIndex < end) {
    const match = pattern.exec(text);
    if (match === null) return [];
    const [, key = '', raw = ''] = match;
    const is = Object.hasOwn(KEYWORDS, key) ? KEYWORDS[key] : undefined;
    if (is === undefined) continue;
    const quoted = raw.startsWith("'");
    const value = (quoted ? raw.slice(1, -1) : raw).replace(/\\([\s\S])/g, '$1');
    places.push({
      is,
      start: pattern.lastIndex - raw.length,
      end: pattern.lastIndex,
      readings: [value],
      write: (next) => (quoted || !/^[\w.~-]+$/.test(next) ? `'${next.replace(/['\\]/g, '\\$&')}'` : next),
    });
  }
  return places;
}
