/**
 * The one error type of the rotation functions.
 *
 * A message is one sentence: what was needed and what was found. Everything a program might want is a field, and
 * `remedy` is one sentence for the operator. No field ever holds a password, a verifier or a RotationToken.
 */

/** Every way a rotation step can fail. docs/errors.md lists them with their remedies. */
export type RotationErrorCode =
  // The call itself
  | 'INVALID_EVENT'
  | 'INVALID_ENVIRONMENT'
  | 'ROTATION_NOT_ENABLED'
  | 'VERSION_UNKNOWN'
  | 'VERSION_NOT_PENDING'
  // Secrets Manager
  | 'SECRET_NOT_FOUND'
  | 'SECRET_ACCESS_DENIED'
  | 'SECRET_KEY_UNUSABLE'
  | 'SECRET_IN_WRONG_STATE'
  | 'SECRET_LIMIT_EXCEEDED'
  | 'SECRETS_MANAGER_THROTTLED'
  | 'SECRETS_MANAGER_TIMEOUT'
  | 'SECRETS_MANAGER_UNREACHABLE'
  | 'SECRETS_MANAGER_FAILED'
  // What the secret says
  | 'SECRET_HAS_NO_VALUE'
  | 'SECRET_MALFORMED'
  | 'SECRET_MANAGED'
  | 'ENGINE_UNSUPPORTED'
  | 'PENDING_MISMATCH'
  | 'PENDING_RETIRED'
  | 'LABEL_MOVED'
  // The way to the database
  | 'DATABASE_HOST_NOT_FOUND'
  | 'DATABASE_UNREACHABLE'
  | 'DATABASE_TIMEOUT'
  | 'DATABASE_UNAVAILABLE'
  | 'DATABASE_FULL'
  | 'DATABASE_NOT_FOUND'
  | 'DATABASE_READ_ONLY'
  | 'DATABASE_BEHIND_PROXY'
  | 'DATABASE_CONNECTION_LOST'
  | 'TLS_NOT_SUPPORTED'
  | 'TLS_REQUIRED'
  | 'TLS_UNTRUSTED_CERTIFICATE'
  | 'TLS_WRONG_HOST'
  | 'TLS_FAILED'
  | 'AUTHENTICATION_UNSUPPORTED'
  | 'SCRAM_ITERATIONS_TOO_HIGH'
  // Logins and roles
  | 'LOGIN_FORBIDDEN'
  | 'IAM_LOGIN_REFUSED'
  | 'IAM_CREDENTIALS_UNUSABLE'
  | 'ROLE_CONNECTION_LIMIT'
  | 'NO_WORKING_PASSWORD'
  | 'PASSWORD_NOT_ACCEPTED'
  | 'PASSWORD_REFUSED_BY_POLICY'
  | 'PASSWORD_WOULD_BE_LOGGED'
  | 'PASSWORD_FORM_UNKNOWN'
  | 'PASSWORD_PUT_BACK'
  | 'PASSWORD_NOT_PUT_BACK'
  | 'PERMISSION_DENIED'
  | 'ROLE_MISSING'
  | 'ROLE_CANNOT_LOGIN'
  | 'ROLE_EXPIRED'
  | 'ROLE_BUSY'
  | 'ROLE_NAME_ENCODING'
  | 'DATABASE_ERROR'
  // Alternating users
  | 'APPLICATION_USER_IS_SUPERUSER'
  | 'SUPERUSER_SECRET_MISSING'
  | 'SUPERUSER_SECRET_UNUSABLE'
  | 'SUPERUSER_ON_OTHER_SERVER'
  | 'RDS_UNAVAILABLE'
  | 'SUPERUSER_IS_APPLICATION_USER'
  | 'TWIN_NAME_TOO_LONG'
  | 'TWIN_NOT_LINKED'
  | 'TWIN_IS_SUPERUSER'
  | 'TWIN_DIFFERS'
  // A fault of ours
  | 'UNEXPECTED';

/** Which of the secret's credentials a login was made with. */
export type CredentialSource = 'current' | 'pending' | 'previous' | 'unlabelled' | 'superuser';

/** What is known about a failure. All of it may be logged. */
export interface RotationErrorFacts {
  /** One sentence an operator can act on, with the exact SQL or CLI command where one would fix it. */
  readonly remedy: string;
  /** The secret's ARN, as the event gave it. */
  readonly secretArn?: string;
  /** The version (ClientRequestToken) the step was for. */
  readonly versionId?: string;
  readonly step?: string;
  readonly credential?: CredentialSource;
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly database?: string;
  /** The key of the secret's JSON, the field of the event or the environment variable that is wrong. */
  readonly key?: string;
  /** PostgreSQL's five-character SQLSTATE, or Node's or the AWS SDK's error name; where neither is known, the cause's code. */
  readonly reason?: string;
  /** Of the failure that led to this one. */
  readonly cause?: RotationErrorCode;
  /** How long the step had waited, in ms, for what might have passed by itself. */
  readonly waitedMs?: number;
  /** The codes of that. */
  readonly waitedFor?: string;
}

/** @see RotationErrorCode for the codes, `remedy` for what to do. */
export class RotationError extends Error {
  override readonly name = 'RotationError';
  readonly code: RotationErrorCode;
  readonly facts: RotationErrorFacts;
  /** The remedy before any fact was put into it: what a longer remedy is made of. */
  readonly template: string;

  /** @param facts its remedy is a template, in which names stand as `quotedName` writes them. */
  constructor(code: RotationErrorCode, message: string, facts: RotationErrorFacts) {
    super(visible(message));
    this.code = code;
    this.facts = { ...facts, remedy: fillIn(facts) };
    this.template = facts.remedy;
    // For programs it is the remedy that counts.
    Object.defineProperty(this, 'template', { enumerable: false });
  }

  get remedy(): string {
    return this.facts.remedy;
  }

  /** The same error, with facts that only an outer layer knows. What is already there stays. */
  with(facts: Partial<RotationErrorFacts>): RotationError {
    return this.anew({ ...facts, ...this.facts, remedy: this.template });
  }

  /** The same error with another remedy, a template. */
  withRemedy(remedy: string): RotationError {
    return this.anew({ ...this.facts, remedy });
  }

  /** The same error of a step that had waited before. @param codes for what. */
  afterWaiting(ms: number, codes: readonly RotationErrorCode[]): RotationError {
    const waitedFor = codes.join(', ');
    const message = `${this.message.replace(/\.$/, '')}, after ${(ms / 1_000).toFixed(1)} s of waiting (${waitedFor}).`;
    return this.anew({ ...this.facts, waitedMs: ms, waitedFor, remedy: this.template }, message);
  }

  private anew(facts: RotationErrorFacts, message = this.message): RotationError {
    const error = new RotationError(this.code, message, facts);
    if (this.stack !== undefined) error.stack = this.stack;
    return error;
  }
}

/** Puts facts where a remedy names them: `{secretArn}`, `{versionId}`, names as SQL, and which secret. No place is left open. */
function fillIn({ remedy, secretArn, versionId, credential, username, database }: RotationErrorFacts): string {
  const known = {
    secret: credential === 'superuser' && 'the superuser secret',
    secretArn,
    versionId,
    role: username && quotedName(username),
    database: database && quotedName(database),
  };
  // In one go: what is filled in may look like a place to fill.
  return visible(
    remedy.replace(
      /\{(secret|secretArn|versionId|role|database)\}/g,
      (_, key: keyof typeof known) => known[key] || UNKNOWN[key],
    ),
  );
}

/** How a manual names what nobody here knows: whoever reads it knows. */
const UNKNOWN = {
  secret: 'the secret',
  secretArn: 'SECRET_ARN',
  versionId: 'VERSION_ID',
  role: 'ROLE_NAME',
  database: 'DATABASE_NAME',
} as const;

/** Characters that would end a line, steer a terminal, or make a name look like a place that is to be filled. */
const HARMFUL = /[\p{C}\u2028\u2029{]/u;

/** A role's name, or another, for SQL that a person will paste: one line, whatever is in it. */
export function quotedName(name: string): string {
  return HARMFUL.test(name) ? `U&"${escaped(name).replaceAll('"', '""')}"` : `"${name.replaceAll('"', '""')}"`;
}

/** The same for a text literal. */
export function quotedText(text: string): string {
  return HARMFUL.test(text) || text.includes('\\')
    ? `U&'${escaped(text).replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;
}

/** PostgreSQL's Unicode escapes (manual, "Identifiers and Key Words"). */
function escaped(text: string): string {
  return Array.from(text, (character) => {
    if (character === '\\') return '\\\\';
    if (!HARMFUL.test(character)) return character;
    return `\\+${(character.codePointAt(0) ?? 0).toString(16).padStart(6, '0')}`;
  }).join('');
}

/** For people and terminals: control characters as their escapes. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** What kind of JSON value something is, for messages that must not quote it: "nothing", "null", "an array", "a number". */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * Makes anything thrown a RotationError. An unknown error's message is left behind, because no one can promise that
 * it quotes no secret; its name and the places in the code it came from are kept.
 */
export function asRotationError(thrown: unknown): RotationError {
  if (thrown instanceof RotationError) return thrown;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  const error = new RotationError(
    'UNEXPECTED',
    `An error was expected to be a RotationError, but ${name} was thrown.`,
    {
      remedy: 'Report it as a fault of the rotation function, with the stack in its log; the next attempt may succeed.',
      reason: name,
    },
  );
  // The message goes first: a line of it may look like a place in the code.
  const frames = (thrown instanceof Error ? (thrown.stack ?? '').replace(thrown.message, '') : '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}
