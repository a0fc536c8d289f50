/** Members of a secret that hold a copy of its login: found, and rewritten with it. Pure. */
import type { RotationError } from '../errors.ts';
import { type ClearLogin, isConnectionString, rewriteLogin } from './connection-string.ts';
import type { DatabaseSecret } from './database-secret.ts';
import type { Password } from './password.ts';
import { isSameJson } from './same-json.ts';
import { malformed } from './secret-members.ts';

/** The keys whose members hold the secret's own login and are not among `listed`. */
export function copiesIn(secret: DatabaseSecret, listed: readonly string[] = []): readonly string[] {
  const login = clear(secret);
  return Object.entries(secret.rest())
    .filter(([key, value]) => !listed.includes(key) && typeof value === 'string' && holds(value, login))
    .map(([key]) => key);
}

/** The keys whose members lead an application to a database: copies of the login, and connection strings without one. */
export function placesNamedIn(secret: DatabaseSecret): readonly string[] {
  const strings = Object.entries(secret.rest())
    .filter(([, value]) => typeof value === 'string' && isConnectionString(value))
    .map(([key]) => key);
  return [...copiesIn(secret), ...strings];
}

/**
 * What the listed keys say for another login. A key that is absent, or null, is passed over: one function serves many
 * secrets.
 *
 * @throws RotationError SECRET_MALFORMED where a listed key holds anything but the secret's own login.
 */
export function rewrittenCopies(
  secret: DatabaseSecret,
  username: string,
  password: Password,
  listed: readonly string[] = [],
): ReadonlyMap<string, string> {
  const members = secret.rest();
  const copies = new Map<string, string>();
  for (const key of listed) {
    const value = Object.hasOwn(members, key) ? (members[key] ?? undefined) : undefined;
    if (value === undefined) continue;
    const to = { username, password: password.reveal() };
    const next = typeof value === 'string' ? rewriteLogin(value, clear(secret), to) : undefined;
    if (next === undefined) throw notACopy(key);
    copies.set(key, next);
  }
  return copies;
}

/**
 * The keys, besides user and password, in which `next` is not what createSecret makes of `current`: members are the same,
 * however their JSON is written, or copies of the login that were rewritten. Whether a key is listed does not count, as the
 * list may change in the middle of a rotation.
 */
export function differences(current: DatabaseSecret, next: DatabaseSecret): readonly string[] {
  const [left, right] = [current.rest(), next.rest()];
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return keys.filter((key) => {
    const [from, to] = [left[key], right[key]];
    if (Object.hasOwn(left, key) === Object.hasOwn(right, key) && isSameJson(from, to)) return false;
    const rewritten = typeof from === 'string' ? rewriteLogin(from, clear(current), clear(next)) : undefined;
    return rewritten === undefined || rewritten !== to;
  });
}

function holds(text: string, login: ClearLogin): boolean {
  return rewriteLogin(text, login, login) !== undefined;
}

function clear({ username, password }: DatabaseSecret): ClearLogin {
  return { username, password: password.reveal() };
}

function notACopy(key: string): RotationError {
  const error = malformed(
    key,
    'the current user and password were needed, in a connection string or as the bare password, found something else',
  );
  return error.withRemedy(`${error.template} Or take it out of the function's CONNECTION_STRING_KEYS.`);
}
