import { faultOfHost, isSameHost } from './host-name.ts';
import { replaceMembers, withAllDigits } from './json-text.ts';
import { type LoginTokens, Password } from './password.ts';
import { type Members, malformed, optional, parseMembers, requiredText, writtenOtherwise } from './secret-members.ts';

/** The engines whose secrets we rotate; AWS's names. */
export const ENGINES = ['postgres', 'aurora-postgresql', 'redshift'] as const;
export type Engine = (typeof ENGINES)[number];

/** What a secret that leaves them out means, and how many bytes of a name count; AWS's defaults. */
export const ENGINE_RULES: Readonly<
  Record<Engine, { readonly port: number; readonly dbname: string; readonly nameBytes: number }>
> = {
  postgres: { port: 5432, dbname: 'postgres', nameBytes: 63 },
  'aurora-postgresql': { port: 5432, dbname: 'postgres', nameBytes: 63 },
  redshift: { port: 5439, dbname: 'dev', nameBytes: 127 },
};

/** Keys that a secret may leave out, or give null. */
const OPTIONAL_KEYS = ['port', 'dbname', 'ssl', 'masterarn', 'sslhostname', 'iam'] as const;

/** Keys that have a meaning of their own for a rotation. */
export const OWN_KEYS: readonly string[] = ['engine', 'host', 'username', 'password', ...OPTIONAL_KEYS];

/** A server and who logs in to it. Keys and defaults are AWS's for the engine. */
export interface ServerLogin {
  readonly engine: Engine;
  /** A DNS name or an IP address. */
  readonly host: string;
  /** Default 5432; of Redshift 5439. */
  readonly port: number;
  /** At most 63 bytes, as PostgreSQL cuts longer names; of Redshift 127, and none in upper case. */
  readonly username: string;
  readonly password: Password | LoginTokens;
  /** Default "postgres"; of Redshift "dev". */
  readonly dbname: string;
  /** The `ssl` key; undefined where the secret has none. */
  readonly ssl: boolean | undefined;
  /** The name (or IP address) in the server's certificate, where it is another than `host`: `sslhostname`, our own key. */
  readonly sslHostname: string | undefined;
}

/** One version's value, parsed. */
export interface DatabaseSecret extends ServerLogin {
  readonly password: Password;
  /** The superuser secret's ARN (`masterarn`), which alternating users need. */
  readonly superuserSecretArn: string | undefined;
  /**
   * Keys, as they are written, that would be optional ones but for their case, such as "SSL", where the right one is
   * absent. They have no effect, as in AWS's functions, and so are no error; whoever wrote them should know.
   */
  readonly misspelt: readonly string[];
  /** The members besides user and password, for comparison: as JSON has them, `withAllDigits`. A function, so that nothing prints them by accident. */
  rest(): Members;
  /**
   * The same secret text with another user and password and everything else byte for byte as it was.
   * @param copies what other members say then, by key.
   */
  withCredentials(username: string, password: Password, copies?: ReadonlyMap<string, string>): string;
}

/**
 * Parses a SecretString.
 *
 * @param text undefined where the version holds SecretBinary.
 * @throws RotationError SECRET_MALFORMED, naming the key, never quoting a value.
 */
export function parseDatabaseSecret(text: string | undefined): DatabaseSecret {
  if (text === undefined) throw malformed('SecretString', 'text was needed, found SecretBinary');
  const members = parseMembers(text);
  if (optional(members, 'iam') === true) {
    throw malformed('iam', 'a login by password was needed, found one by IAM').withRemedy(
      'Name this secret in "masterarn" of an application\'s: it has no password to rotate.',
    );
  }
  return {
    ...parseServer(members),
    password: new Password(requiredText(members, 'password')),
    superuserSecretArn: parseSuperuserSecretArn(members),
    misspelt: OPTIONAL_KEYS.flatMap((key) => writtenOtherwise(members, key) ?? []),
    rest() {
      const all = Object.entries(parseMembers(withAllDigits(text)));
      return Object.fromEntries(all.filter(([key]) => key !== 'username' && key !== 'password'));
    },
    withCredentials: (username, password, copies = new Map()) =>
      replaceMembers(text, new Map([...copies, ['username', username], ['password', password.reveal()]])),
  };
}

/** All of a login but its password. */
export function parseServer(members: Members): Omit<ServerLogin, 'password'> {
  const engine = parseEngine(members);
  return {
    engine,
    host: parseHost(members, 'host'),
    port: parsePort(members, engine),
    username: parseUsername(members, engine),
    dbname: optional(members, 'dbname') === undefined ? ENGINE_RULES[engine].dbname : requiredText(members, 'dbname'),
    ssl: parseSsl(members),
    sslHostname: optional(members, 'sslhostname') === undefined ? undefined : parseHost(members, 'sslhostname'),
  };
}

/** AWS's rule for the name of the second of two users that take turns. */
export const TWIN_SUFFIX = '_clone';

/** Whether two users are called what twins are called; that they are twins only a server can tell. */
export function areTwinsByName({ username: a }: ServerLogin, { username: b }: ServerLogin): boolean {
  return a === b + TWIN_SUFFIX || b === a + TWIN_SUFFIX;
}

/** Whether two secrets are for one server: same host, however its name is written, and port. */
export function isSameServer(a: ServerLogin, b: ServerLogin): boolean {
  return isSameHost(a.host, b.host) && a.port === b.port;
}

function parseEngine(members: Members): Engine {
  const value = requiredText(members, 'engine');
  const engine = ENGINES.find((name) => name === value);
  if (engine === undefined) throw malformed('engine', `${ENGINES.join(' or ')} was needed, found another engine`);
  return engine;
}

function parseHost(members: Members, key: 'host' | 'sslhostname'): string {
  const host = requiredText(members, key);
  const fault = faultOfHost(host);
  if (fault !== undefined) throw malformed(key, fault);
  return host;
}

function parsePort(members: Members, engine: Engine): number {
  const value = optional(members, 'port');
  if (value === undefined) return ENGINE_RULES[engine].port;
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw malformed('port', 'a whole number from 1 to 65535 was needed, found something else');
  }
  return port;
}

function parseUsername(members: Members, engine: Engine): string {
  const username = requiredText(members, 'username');
  const bytes = Buffer.byteLength(username);
  const most = ENGINE_RULES[engine].nameBytes;
  if (bytes > most)
    throw malformed('username', `at most ${most} bytes were needed (the server cuts longer names), found ${bytes}`);
  const fault = engine === 'redshift' ? faultOfRedshiftUser(username) : undefined;
  if (fault !== undefined) throw malformed('username', fault);
  return username;
}

/** Names that GetClusterCredentials makes log in with its temporary passwords only (Redshift management guide). */
function faultOfRedshiftUser(username: string): string | undefined {
  if (/^iam[ar]?:/i.test(username))
    return 'a user with a password of its own was needed, found a name of IAM (IAM:, IAMA:, IAMR:), which has none';
  if (/[A-Z]/.test(username)) return 'lower case was needed, as Redshift folds names, found upper case';
  return undefined;
}

function parseSsl(members: Members): boolean | undefined {
  const value = optional(members, 'ssl');
  if (value === undefined || typeof value === 'boolean') return value;
  const word = typeof value === 'string' ? value.toLowerCase() : '';
  if (word !== 'true' && word !== 'false') throw malformed('ssl', 'true or false was needed, found something else');
  return word === 'true';
}

function parseSuperuserSecretArn(members: Members): string | undefined {
  const value = optional(members, 'masterarn');
  // Left empty by whoever rotates with a single user, which never looks at it; white space comes with pasting.
  if (value === undefined || (typeof value === 'string' && value.trim() === '')) return undefined;
  return requiredText(members, 'masterarn').trim();
}
