import { kindOf, RotationError } from '../rotation/errors.ts';
import { replaceMembers } from './json-text.ts';
import { Password } from './password.ts';

/** The engines whose secrets we rotate; AWS's names. */
export const ENGINES = ['postgres', 'aurora-postgresql'] as const;
export type Engine = (typeof ENGINES)[number];

/** One version's value, parsed. Keys and defaults are AWS's for PostgreSQL. */
export interface DatabaseSecret {
  readonly engine: Engine;
  /** A DNS name or an IP address. */
  readonly host: string;
  /** Default 5432. */
  readonly port: number;
  /** At most 63 bytes, as PostgreSQL cuts longer names. */
  readonly username: string;
  readonly password: Password;
  /** Default "postgres". */
  readonly dbname: string;
  /** The `ssl` key; undefined where the secret has none. */
  readonly ssl: boolean | undefined;
  /** The superuser secret's ARN (`masterarn`), which alternating users need. */
  readonly superuserSecretArn: string | undefined;
  /** The same secret text with another user and password and everything else byte for byte as it was. */
  withCredentials(username: string, password: Password): string;
}

/**
 * Parses a SecretString.
 *
 * @param text undefined where the version holds SecretBinary.
 * @throws RotationError SECRET_MALFORMED, naming the key, never quoting a value.
 */
export function parseDatabaseSecret(text: string | undefined): DatabaseSecret {
  if (text === undefined) throw malformed('SecretString', 'text was needed, found SecretBinary');
  const members = parseObject(text);
  return {
    engine: parseEngine(members),
    host: parseHost(members),
    port: parsePort(members),
    username: parseUsername(members),
    password: new Password(requiredText(members, 'password')),
    dbname: parseDbname(members),
    ssl: parseSsl(members),
    superuserSecretArn: parseSuperuserSecretArn(members),
    withCredentials: (username, password) =>
      replaceMembers(
        text,
        new Map([
          ['username', username],
          ['password', password.reveal()],
        ]),
      ),
  };
}

/** Whether two secrets are for one server: same host, in any case, and port. */
export function isSameServer(a: DatabaseSecret, b: DatabaseSecret): boolean {
  return a.host.toLowerCase() === b.host.toLowerCase() && a.port === b.port;
}

type Members = Readonly<Record<string, unknown>>;

function parseObject(text: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it is not kept as the cause.
    throw malformed('SecretString', 'a JSON object was needed, found text that is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('SecretString', `a JSON object was needed, found ${kindOf(value)}`);
  }
  return value as Members;
}

function parseEngine(members: Members): Engine {
  const value = requiredText(members, 'engine');
  const engine = ENGINES.find((name) => name === value);
  if (engine === undefined) throw malformed('engine', `${ENGINES.join(' or ')} was needed, found another engine`);
  return engine;
}

function parseHost(members: Members): string {
  const host = requiredText(members, 'host');
  // Letters, digits and what IPv4, IPv6 and scopes need: no path of a Unix socket, no list, no connection string.
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(host) && !/^[0-9A-Fa-f:.]+(%\w+)?$/.test(host)) {
    throw malformed('host', 'one DNS name or IP address was needed, found something else');
  }
  return host;
}

function parsePort(members: Members): number {
  const value = own(members, 'port');
  if (value === undefined) return 5432;
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw malformed('port', 'a whole number from 1 to 65535 was needed, found something else');
  }
  return port;
}

function parseUsername(members: Members): string {
  const username = requiredText(members, 'username');
  const bytes = Buffer.byteLength(username);
  if (bytes > 63)
    throw malformed('username', `at most 63 bytes were needed (PostgreSQL cuts longer names), found ${bytes}`);
  return username;
}

function parseDbname(members: Members): string {
  return own(members, 'dbname') === undefined ? 'postgres' : requiredText(members, 'dbname');
}

function parseSsl(members: Members): boolean | undefined {
  const value = own(members, 'ssl');
  if (value === undefined || typeof value === 'boolean') return value;
  const word = typeof value === 'string' ? value.toLowerCase() : '';
  if (word !== 'true' && word !== 'false') throw malformed('ssl', 'true or false was needed, found something else');
  return word === 'true';
}

function parseSuperuserSecretArn(members: Members): string | undefined {
  const value = own(members, 'masterarn');
  // Left empty by whoever rotates with a single user, which never looks at it.
  return value === undefined || value === null || value === '' ? undefined : requiredText(members, 'masterarn');
}

function requiredText(members: Members, key: string): string {
  const value = own(members, key);
  if (typeof value !== 'string') throw malformed(key, `a string was needed, found ${kindOf(value)}`);
  if (value === '') throw malformed(key, 'a string was needed, found an empty one');
  if (value.includes('\0')) throw malformed(key, 'a string without NUL was needed, found one with NUL');
  if (!value.isWellFormed()) throw malformed(key, 'Unicode text was needed, found half of a surrogate pair');
  return value;
}

/** Own members only, so that a secret's `__proto__` can't add any. */
function own(members: Members, key: string): unknown {
  return Object.hasOwn(members, key) ? members[key] : undefined;
}

function malformed(key: string, found: string): RotationError {
  return new RotationError('SECRET_MALFORMED', `The secret's value can't be used: ${key}: ${found}.`, {
    remedy: `Correct "${key}" with \`aws secretsmanager put-secret-value --secret-id {secretArn}\`; the README lists the keys of the secret's JSON.`,
    key,
  });
}
