import { Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate, type SecureContext } from 'node:tls';
import type { Client, QueryResult } from 'pg';
import type { Deadline } from '../deadline.ts';
import { RotationError } from '../errors.ts';
import type { PasswordOutcome, PasswordRequest } from '../rotation/ports.ts';
import type { Password } from '../secret/password.ts';
import { ExplicitClient } from './client-options.ts';
import { databaseError, type Phase, TIMED_OUT } from './connect-error.ts';
import { ServerConnection } from './connection.ts';
import { copyQuery } from './copy-query.ts';
import { answerOnlyInClear, iamMeaning } from './iam-login.ts';
import { needSpellable } from './role-names.ts';
import { before, close, connectedInTime } from './time-limits.ts';
import type { TlsPolicy } from './tls.ts';
import type { Wire } from './wire.ts';

/** Who logs in, where and how; none of it is taken from the environment or from a connection string. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: Password;
  /** Whether `password` is an IAM token, which only verified TLS may carry. */
  readonly byToken: boolean;
  readonly tls: TlsPolicy;
  /** The name in the server's certificate, where it is another than `host`. */
  readonly sslHostname: string | undefined;
}

/** What an open session can do. Every wait ends by the step's deadline; every error is a RotationError. */
export interface SqlSession {
  readonly login: Login;
  /** How the server asked for the password; undefined where it asked for none (trust, a certificate). */
  readonly request: PasswordRequest | undefined;
  /** Of the server process, as the server named it at login; null where it did not. */
  readonly processId: number | null;
  /** When the login began, by performance.now(): the server has looked the password up since, and not again. */
  readonly beganAt: number;
  /** How long it took, in ms. */
  readonly loginTook: number;
  /** Of the server's end of the connection. */
  readonly address: string | undefined;
  /** The server's version as it reports it, such as "16.4"; its first number is the major version. */
  readonly version: string;
  /** Of the database, as the server reports it (server_encoding), such as UTF8. */
  readonly encoding: string;
  readonly deadline: Deadline;
  /** One statement, in a pinned transaction of its own; `Row` is what the caller's SELECT list makes it. */
  query<Row extends object = never>(statement: string): Promise<readonly Row[]>;
  /** Begins a pinned transaction, which stays open, and runs statements in it. @returns the rows of the last SELECT. */
  begin<Row extends object = never>(statements: string): Promise<readonly Row[]>;
  /** Further statements of the transaction that `begin` opened. @returns the rows of the last SELECT. */
  proceed<Row extends object = never>(statements: string): Promise<readonly Row[]>;
  /**
   * The same, of which one is a `COPY … FROM STDIN`.
   * @param data what that reads, in the format that it says. The server logs no COPY data.
   */
  copy(statements: string, data: Buffer): Promise<void>;
  /** Ends the transaction that `begin` opened: what it changed counts from here on. */
  commit(): Promise<void>;
  /** When the last transaction that `commit` ended was over, or the login began, by performance.now(). */
  lastCommitAt(): number;
  /** Gives the transaction that `begin` opened up, also after an error. */
  rollback(): Promise<void>;
  /** Marks a text that no error of this session may quote. */
  redact(text: string): void;
}

/** What a session is made with, besides the login itself. */
export interface SessionSettings {
  readonly deadline: Deadline;
  readonly trust: () => Promise<SecureContext>;
  readonly wire: Wire;
  /** Hears that the session is ending, which nobody then waits for; default: it is waited for. */
  readonly onEnding?: (ended: Promise<void>) => void;
}

/**
 * Logs in, runs `work` and always closes the session.
 *
 * @returns `{ accepted: false }` where the server said "wrong password" and nothing else, 'without-session' where it took
 *   the password and then gave no session; any other failure throws.
 * @throws RotationError DATABASE_*, TLS_*, LOGIN_FORBIDDEN … or what `work` throws.
 */
export async function withSession<T>(
  login: Login,
  settings: SessionSettings,
  work: (session: SqlSession) => Promise<T>,
): Promise<PasswordOutcome<T>> {
  try {
    return await openSession(login, settings, work);
  } catch (error) {
    const serverHasNoTls = error instanceof RotationError && error.code === 'TLS_NOT_SUPPORTED';
    if (!serverHasNoTls || login.tls !== 'verified-or-plain') throw error;
    return await openSession(login, settings, work, false);
  }
}

async function openSession<T>(
  login: Login,
  { deadline, trust, wire, onEnding }: SessionSettings,
  work: (session: SqlSession) => Promise<T>,
  encrypted = login.tls !== 'plain',
): Promise<PasswordOutcome<T>> {
  const socket = new Socket();
  const { client, connection } = newClient(login, wire, encrypted ? await trust() : undefined, socket);
  // A socket that breaks between two statements is reported by the next one; without a listener it would end the process.
  client.on('error', () => {});

  const { redact, fail } = failuresOf(login, wire);
  const beganAt = performance.now();
  try {
    try {
      await before(deadline, Promise.race([client.connect(), connectedInTime(socket)]));
    } catch (error) {
      const failure = fail(error, 'connecting');
      const { passwordRequest: request, authenticated } = connection;
      if (failure.meaning.code === 'WRONG_PASSWORD') return { accepted: false, address: socket.remoteAddress, request };
      // Only who was asked for a password, and then let in, has shown that it is right.
      if (request !== undefined && authenticated && wire.okProves)
        return { accepted: 'without-session', error: failure.error, request };
      throw failure.error;
    }
    const { server_encoding: encoding = 'UTF8', server_version: version = '' } = Object.fromEntries(
      connection.parameters,
    );
    needSpellable({ login, encoding }, [login.username]);
    const value = await work({
      login,
      version,
      encoding,
      request: connection.passwordRequest,
      processId: processIdOf(client),
      beganAt,
      loginTook: performance.now() - beganAt,
      address: socket.remoteAddress,
      deadline,
      redact,
      ...statementsOf(client, { deadline, pinned: pinnedBy(wire, version, deadline), beganAt, fail }),
    });
    return { accepted: true, value };
  } finally {
    const ended = close(client, socket, deadline);
    if (onEnding === undefined) await ended;
    else onEnding(ended);
  }
}

/** What goes wrong with a session, told without its secrets. */
function failuresOf(login: Login, wire: Wire) {
  const secrets = [login.password.reveal()];
  const redacted = (text: string) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
  return {
    redact: (text: string) => void secrets.push(text),
    fail(error: unknown, phase: Phase) {
      const found = error === TIMED_OUT ? TIMED_OUT : wire.meaningOf(error, phase, login.tls !== 'plain');
      const meaning = login.byToken ? iamMeaning(error, found) : found;
      const { host, port, username, database } = login;
      return { meaning, error: databaseError(meaning, error, { host, port, username, database }, redacted) };
    },
  };
}

type Statements = Pick<SqlSession, 'query' | 'begin' | 'proceed' | 'copy' | 'commit' | 'lastCommitAt' | 'rollback'>;

interface StatementOptions
  extends Pick<SqlSession, 'deadline' | 'beganAt'>,
    Pick<ReturnType<typeof failuresOf>, 'fail'> {
  /** What a message begins with that opens a transaction. */
  pinned(): string;
}

/** What is sent in a session that is there. */
function statementsOf(client: Client, { deadline, pinned, beganAt, fail }: StatementOptions): Statements {
  /** What gave no answer in time would answer nothing else either. */
  let isSilent = false;
  let committedAt = beganAt;
  const run = async <Result>(answer: Promise<Result>): Promise<Result> => {
    try {
      return await before(deadline, answer);
    } catch (error) {
      isSilent ||= error === TIMED_OUT;
      throw fail(error, 'working').error;
    }
  };
  const send = async <Row extends object>(text: string) => rowsOf<Row>(await run(client.query<Row>(text)));
  const rollback = async () => {
    if (!isSilent) await send('ROLLBACK');
  };
  return {
    async query<Row extends object>(statement: string) {
      try {
        return await send<Row>(`${pinned()} ${statement}; COMMIT`);
      } catch (error) {
        await rollback().catch(() => undefined);
        throw error;
      }
    },
    begin: (statements) => send(`${pinned()} ${statements}`),
    proceed: (statements) => send(statements),
    copy: (statements, data) => run(copyQuery(client, statements, data)),
    async commit() {
      await send('COMMIT');
      committedAt = performance.now();
    },
    lastCommitAt: () => committedAt,
    rollback,
  };
}

/** What the role has for time-outs is not what a step has. */
function pinnedBy({ pinned }: Wire, version: string, deadline: Deadline) {
  const ofTransaction = Number.parseInt(version, 10) >= 17 ? ' SET LOCAL transaction_timeout = 0;' : '';
  return () => `${pinned} SET LOCAL statement_timeout = ${deadline.remaining()};${ofTransaction}`;
}

/** BackendKeyData's process id, which the driver keeps, and its types leave out. */
function processIdOf(client: Client): number | null {
  const processId: unknown = Reflect.get(client, 'processID');
  return typeof processId === 'number' ? processId : null;
}

/** Chain and name are verified either way; the name may be given beside the host (a Route 53 CNAME). */
function identityCheck({ sslHostname }: Login) {
  if (sslHostname === undefined) return {};
  return {
    checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(sslHostname, certificate),
  };
}

/** Several statements have several results, of which the driver's types know nothing. */
function rowsOf<Row extends object>(answer: QueryResult<Row> | readonly QueryResult<Row>[]): readonly Row[] {
  const results = Array.isArray(answer) ? answer : [answer];
  return results.findLast(({ fields }) => fields.length > 0)?.rows ?? [];
}

function newClient(login: Login, { digest }: Wire, secureContext: SecureContext | undefined, socket: Socket) {
  const ssl =
    secureContext === undefined ? false : { secureContext, rejectUnauthorized: true, ...identityCheck(login) };
  // Our own socket, so that a silent server can be hung up on.
  const stream = () => socket;
  const connection = new ServerConnection(
    { ssl, stream, sslNegotiation: 'postgres' },
    digest && { digest, password: login.password },
  );
  if (login.byToken) answerOnlyInClear(connection);
  const client = new ExplicitClient({
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.username,
    password: login.password.reveal(),
    ssl,
    application_name: 'postgres-secret-rotation',
    // The connection judges the count.
    scramMaxIterations: 0,
    connection,
  });
  return { client, connection };
}
