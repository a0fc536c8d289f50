import { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { Client, type ClientConfig, Query, type QueryConfig } from 'pg';
import type { Deadline } from '../deadline.ts';
import { RotationError } from '../rotation/errors.ts';
import type { LoginOutcome } from '../rotation/strategy.ts';
import type { Password } from '../secrets/password.ts';
import { databaseError, meaningOf, type Phase, TIMED_OUT } from './connect-error.ts';
import type { TlsPolicy } from './tls.ts';

/** Who logs in, where and how; none of it is taken from the environment or from a connection string. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: Password;
  readonly tls: TlsPolicy;
}

/** What an open session can do. Every wait ends by the step's deadline; every error is a RotationError. */
export interface SqlSession {
  readonly login: Login;
  /** Whether the login was by SCRAM: clients of this user must know it, and pg_hba.conf may ask for it. */
  readonly scram: boolean;
  readonly deadline: Deadline;
  /** One statement; `Row` is what the caller's SELECT list makes it. */
  query<Row extends object = never>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /**
   * Several statements in one round trip (simple query protocol), one of which is `COPY … FROM STDIN`.
   * @param data what that COPY reads, in its text format. The server logs no COPY data.
   */
  copyInto(text: string, data: string): Promise<void>;
  /** Marks a text that no error of this session may quote. */
  keepSecret(text: string): void;
}

/** What a session is made with, besides the login itself. */
export interface SessionSettings {
  readonly deadline: Deadline;
  readonly trust: () => Promise<SecureContext>;
}

/**
 * Logs in, runs `work` and always closes the session.
 *
 * @returns `{ accepted: false }` where the server said "wrong password" and nothing else; any other failure throws.
 * @throws RotationError DATABASE_*, TLS_*, LOGIN_FORBIDDEN … or what `work` throws.
 */
export async function withSession<T>(
  login: Login,
  settings: SessionSettings,
  work: (session: SqlSession) => Promise<T>,
): Promise<LoginOutcome<T>> {
  try {
    return await openSession(login, settings, work);
  } catch (error) {
    const serverHasNoTls = error instanceof RotationError && error.code === 'TLS_NOT_SUPPORTED';
    if (!serverHasNoTls || login.tls !== 'verified-or-plain') throw error;
    return await openSession({ ...login, tls: 'plain' }, settings, work);
  }
}

async function openSession<T>(
  login: Login,
  { deadline, trust }: SessionSettings,
  work: (session: SqlSession) => Promise<T>,
): Promise<LoginOutcome<T>> {
  const encrypted = login.tls !== 'plain';
  const socket = new Socket();
  const client = new Client(clientConfig(login, encrypted ? await trust() : undefined, socket));
  // A socket that breaks between two statements is reported by the next one; without a listener it would end the process.
  client.on('error', () => {});
  let scram = false;
  client.connection.once('authenticationSASL', () => {
    scram = true;
  });

  const secrets = [login.password.reveal()];
  const redact = (text: string) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
  const fail = (error: unknown, phase: Phase) => {
    const meaning = error === TIMED_OUT ? TIMED_OUT : meaningOf(error, phase, encrypted);
    const { host, port, username, database } = login;
    return { meaning, error: databaseError(meaning, error, { host, port, username, database }, redact) };
  };
  const run = async <Result>(query: (client: Client) => Promise<Result>): Promise<Result> => {
    try {
      return await before(deadline, query(client));
    } catch (error) {
      throw fail(error, 'working').error;
    }
  };

  try {
    try {
      await before(deadline, client.connect());
    } catch (error) {
      const failure = fail(error, 'connecting');
      if (failure.meaning.code === 'WRONG_PASSWORD') return { accepted: false };
      throw failure.error;
    }
    const value = await work({
      login,
      scram,
      deadline,
      query: (text, values = []) => run(async () => (await client.query(text, [...values])).rows),
      copyInto: (text, data) => run(() => copyQuery(client, text, data)),
      keepSecret: (text) => secrets.push(text),
    });
    return { accepted: true, value };
  } finally {
    await close(client, socket, deadline);
  }
}

function clientConfig(login: Login, secureContext: SecureContext | undefined, socket: Socket): ClientConfig {
  return {
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.username,
    password: login.password.reveal(),
    ssl: secureContext === undefined ? false : { secureContext, rejectUnauthorized: true },
    application_name: 'postgres-secret-rotation',
    // Our own socket, so that a silent server can be hung up on.
    stream: () => socket,
  };
}

/** Waits for `promise`, but not beyond the deadline: then it rejects with TIMED_OUT. */
async function before<T>(deadline: Deadline, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(TIMED_OUT), deadline.remaining());
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the session politely, for at most a second; then hangs up, and the server ends it. */
async function close(client: Client, socket: Socket, deadline: Deadline): Promise<void> {
  if (!socket.destroyed && !deadline.passed) {
    const polite = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(1_000, deadline.remaining()));
      client
        .end()
        .catch(() => {})
        .finally(() => {
          clearTimeout(timer);
          resolve();
        });
    });
    await polite;
  }
  socket.destroy();
}

/** The driver's query, answering the server's request for COPY data, which the driver itself always declines. */
class CopyQuery extends Query {
  readonly #data: string;

  constructor(text: string, data: string, callback: (error: Error | null) => void) {
    // The driver takes (config, callback); its types know only the config.
    super(...([{ text }, callback] as unknown as [QueryConfig]));
    this.#data = data;
  }

  handleCopyInResponse(connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }): void {
    connection.sendCopyFromChunk(Buffer.from(this.#data));
    connection.endCopyFrom();
  }
}

function copyQuery(client: Client, text: string, data: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyQuery(text, data, (error) => (error ? reject(error) : resolve())));
  });
}
