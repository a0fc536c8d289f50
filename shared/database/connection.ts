import type { Duplex } from 'node:stream';
import { Connection, type ConnectionConfig } from 'pg';
import type { PasswordRequest } from '../rotation/ports.ts';
import type { Password } from '../secret/password.ts';
import { messagesOf } from './messages.ts';

/** More rounds than these take a client seconds: nobody's PostgreSQL has them by choice. */
export const MAX_SCRAM_ITERATIONS = 1_000_000;

/** The server wants to be convinced in a way that neither the driver nor we know. */
export class AuthenticationUnsupported extends Error {
  /** Such as "GSSAPI". */
  readonly method: string;

  constructor(method: string) {
    super(`unsupported authentication: ${method}`);
    this.method = method;
  }
}

/** The role's stored password needs more rounds of SCRAM than we are ready to compute. */
export class TooManyIterations extends Error {
  readonly iterations: string;

  constructor(iterations: string) {
    super(`too many SCRAM iterations: ${iterations}`);
    this.iterations = iterations;
  }
}

/** The server answered the request for TLS by an error, which nobody has vouched for: its text is not looked at (as in libpq). */
export class NoProcess extends Error {}

/** Authentication requests by code (PostgreSQL manual, "Message Formats"; 13 and 14 are Amazon Redshift's drivers'). */
const METHODS: Readonly<Record<number, string>> = {
  2: 'Kerberos V5',
  4: 'crypt',
  6: 'SCM credentials',
  7: 'GSSAPI',
  8: 'GSSAPI',
  9: 'SSPI',
  13: 'a SHA-256 digest (13, Amazon Redshift)',
  14: 'an identity provider (14, Amazon Redshift)',
};

/**
 * Answers Redshift's digest request.
 *
 * @param body of the request, behind its code.
 * @returns undefined where it is not one that can be answered.
 */
export type DigestAnswer = (body: Buffer, password: Password) => Buffer | undefined;

export interface DigestLogin {
  readonly digest: DigestAnswer;
  readonly password: Password;
}

/** A method of the driver's connection that its types leave out. */
const attach: (this: Connection, stream: Pick<Duplex, 'on'>) => void = Reflect.get(
  Connection.prototype,
  'attachListeners',
);

/**
 * The driver's connection, and the one place that knows more of the protocol than the driver does: which way the server
 * asked for the password, and that a request which the driver can't answer is an error of this connection. By itself the
 * driver throws that inside the socket's handler, which ends the process.
 */
export class ServerConnection extends Connection {
  /** Undefined where the server has not asked for one (yet): trust, a certificate, or another answer came first. */
  passwordRequest: PasswordRequest | undefined;
  /** Whether the server said AuthenticationOk. */
  authenticated = false;
  /** What the server reports of itself, such as server_version and server_encoding. */
  readonly parameters = new Map<string, string>();
  readonly #login: DigestLogin | undefined;

  /** @param login where a digest is to be answered. */
  constructor(config: ConnectionConfig & { readonly sslNegotiation: 'postgres' }, login?: DigestLogin) {
    super(config);
    this.#login = login;
    // Before the driver's own listener, for whom it is a fault of TLS.
    if (config.ssl)
      this.stream.once('data', (answer: Buffer) => {
        if (answer[0] === ERROR) this.emit('error', new NoProcess());
      });
    // These come before the driver's own listeners: what throws here keeps the password from being sent.
    this.on('authenticationCleartextPassword', () => {
      this.passwordRequest = { method: 'clear' };
    });
    this.on('authenticationMD5Password', () => {
      this.passwordRequest = { method: 'md5' };
    });
    this.on('authenticationSASL', ({ mechanisms }: { readonly mechanisms: readonly string[] }) => {
      if (!mechanisms.includes('SCRAM-SHA-256')) throw new AuthenticationUnsupported(`SASL ${mechanisms.join(', ')}`);
    });
    this.on('authenticationSASLContinue', ({ data }: { readonly data: string }) => {
      this.passwordRequest = scramRequest(data);
    });
    this.on('authenticationOk', () => {
      this.authenticated = true;
    });
    this.on('parameterStatus', ({ parameterName, parameterValue }) => {
      this.parameters.set(parameterName, parameterValue);
    });
  }

  /** The driver calls this for each of its streams, the plain one and the encrypted one. */
  attachListeners(stream: Duplex): void {
    const messages = messagesOf();
    const on = (event: string, listener: (...args: readonly unknown[]) => void) =>
      stream.on(event, (...args) => {
        try {
          const [chunk] = args;
          if (event === 'data' && Buffer.isBuffer(chunk)) this.#hear(messages(chunk), chunk, listener);
          else listener(...args);
        } catch (error) {
          stream.destroy();
          this.emit('error', unsupported(error) ?? error);
        }
      });
    attach.call(this, { on } as Pick<Duplex, 'on'>);
  }

  /** Looks at each whole message before the driver does, which never hears of a digest request that was answered. */
  #hear(messages: readonly Buffer[], chunk: Buffer, listener: (chunk: Buffer) => void): void {
    for (const message of messages) checkTexts(message.toString('latin1', 0, 1), message.subarray(5));
    const isWatched = this.#login !== undefined;
    const rest = isWatched ? messages.filter((message) => !this.#answersDigest(message)) : [chunk];
    if (rest.length > 0) listener(Buffer.concat(rest));
  }

  #answersDigest(message: Buffer): boolean {
    const isRequest = message[0] === AUTHENTICATION && message.length >= 9 && message.readInt32BE(5) === DIGEST;
    if (this.#login === undefined || !isRequest) return false;
    const answer = this.#login.digest(message.subarray(9), this.#login.password);
    if (answer === undefined) throw new AuthenticationUnsupported(METHODS[DIGEST] ?? '');
    this.passwordRequest = { method: 'sha256-digest' };
    this.stream.write(answer);
    return true;
  }
}

/** The first byte of an error, in every version of the protocol, and of an authentication request: E and R. */
const ERROR = 0x45;
const AUTHENTICATION = 0x52;
/** The code of Redshift's digest request. */
const DIGEST = 13;

/** Zero bytes that a message must have at least, by type: the driver looks for the end of a text beyond the message, for ever. */
const TEXTS: Readonly<Record<string, number>> = { E: 1, N: 1, S: 2, C: 1 };

/** @throws where a text in a message has no end */
function checkTexts(type: string, body: Buffer): void {
  const needed = type === 'R' && body.length >= 4 && body.readInt32BE(0) === 10 ? 1 : TEXTS[type];
  if (needed === undefined) return;
  const zeros = body.filter((byte) => byte === 0).length;
  // A list of texts ends with an empty one.
  const isList = type === 'E' || type === 'N' || type === 'R';
  const isEnded = body.at(-1) === 0 && (!isList || body.length === 1 || body.at(-2) === 0);
  if (zeros < needed || !isEnded) throw new Error('SASL: a message without an end');
}

/** The driver names an authentication request that it does not know by its code only. */
function unsupported(error: unknown): AuthenticationUnsupported | undefined {
  const [, code] =
    /Unknown authentication\w* message type (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  return code === undefined
    ? undefined
    : new AuthenticationUnsupported(METHODS[Number(code)] ?? `a method of code ${code}`);
}

/**
 * RFC 5802's server-first-message: `r=…,s=<salt>,i=<count>`, and nothing else, since the driver would take another order
 * and the last of two counts.
 */
function scramRequest(data: string): PasswordRequest {
  const [, salt, iterations] = /^r=[^,]+,s=([^,]+),i=(\d+)$/.exec(data) ?? [];
  if (salt === undefined || iterations === undefined) throw new Error('SASL: the server-first-message is malformed');
  if (Number(iterations) > MAX_SCRAM_ITERATIONS) throw new TooManyIterations(iterations);
  return { method: 'scram-sha-256', salt: Buffer.from(salt, 'base64'), iterations: Number(iterations) };
}
