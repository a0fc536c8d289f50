import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { ExplicitClient } from '../../../shared/database/client-options.ts';
import {
  AUTHENTICATION,
  authenticationRequest,
  backendKeyData,
  fatal,
  parameterStatus,
  type Refusal,
  readyForQuery,
} from '../../relays/backend-messages.ts';
import {
  type Frame,
  GSS_REQUEST,
  MessageReader,
  SSL_REQUEST,
  startupParameters,
} from '../../relays/postgres-messages.ts';
import { TcpServer } from '../../relays/tcp-server.ts';
import { type Connect, faultOfToken } from '../services/connect-token.ts';
import type { PostgresServer, ServerCertificate } from './server.ts';

export interface IamFrontOptions extends Pick<Connect, 'host' | 'region' | 'keyOf'> {
  /** For `host`. */
  readonly certificate: ServerCertificate;
  /** Whether the signer's policies allow `rds-db:connect` as this user. Default: every user. */
  readonly mayConnect?: (user: string) => boolean;
  /** ms since the epoch. Default: the real time. */
  readonly now?: () => number;
}

/** The role whose members log in by IAM, as RDS names it. */
const RDS_IAM = 'rds_iam';

/**
 * A stand-in for RDS before a real PostgreSQL: members of rds_iam are asked for a token in clear, over TLS only, and refused
 * in RDS's words (28000, "PAM authentication failed"), whatever the reason. Everybody else's bytes are the server's own.
 * PostgreSQL's local builds know no PAM: who may come in is logged in with a password that only the front knows.
 */
export class IamFront extends TcpServer {
  /** Why tokens were refused, in order; no client is told. */
  readonly faults: string[] = [];
  /** How many bytes the last token had. */
  tokenBytes = 0;
  readonly #server: PostgresServer;
  readonly #options: IamFrontOptions;
  readonly #passwords = new Map<string, string>();

  static async start(server: PostgresServer, options: IamFrontOptions): Promise<IamFront> {
    // Others may be doing so.
    await server.query(`DO $$ BEGIN CREATE ROLE ${RDS_IAM};
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`);
    return await new IamFront(server, options).listen();
  }

  private constructor(server: PostgresServer, options: IamFrontOptions) {
    super();
    this.#server = server;
    this.#options = options;
  }

  protected serve(client: Socket): void {
    void this.#serve(client).catch(() => client.destroy());
  }

  async #serve(socket: Socket): Promise<void> {
    let client: Duplex = socket;
    let startup = await next(client, true);
    while (startup !== undefined && [SSL_REQUEST, GSS_REQUEST].includes(codeOf(startup))) {
      if (codeOf(startup) === SSL_REQUEST) {
        socket.write('S');
        const { certificate: cert, privateKey: key } = this.#options.certificate;
        client = new TLSSocket(socket, { isServer: true, cert, key }).on('error', () => socket.destroy());
      } else socket.write('N');
      startup = await next(client, true);
    }
    if (startup === undefined) return;
    const parameters = startupParameters(startup);
    const { user = '' } = parameters;
    const opened = (await this.#isByIam(user))
      ? await this.#admit(client, parameters, client instanceof TLSSocket)
      : this.#passOn(startup);
    if (opened === undefined) return;
    if ('state' in opened) return void client.end(fatal(opened));
    client.write(opened.greeting);
    client.pipe(opened.socket).pipe(client);
  }

  /** As pg_hba.conf's `+rds_iam` finds out: superusers are members of what they were granted, and nothing else. */
  async #isByIam(user: string): Promise<boolean> {
    const [row] = await this.#server.query<{ found: boolean }>(
      `WITH RECURSIVE roles(id) AS (
         SELECT oid FROM pg_roles WHERE rolname = $1
         UNION SELECT m.roleid FROM pg_auth_members m JOIN roles ON m.member = roles.id)
       SELECT EXISTS (SELECT FROM roles JOIN pg_roles r ON r.oid = roles.id WHERE r.rolname = '${RDS_IAM}') AS found`,
      [user],
    );
    return row?.found === true;
  }

  #passOn(startup: Frame): Opened {
    const socket = new Socket();
    this.keep(socket);
    socket.connect(this.#server.port, this.#server.host);
    socket.write(startup.bytes);
    return { socket, greeting: Buffer.alloc(0) };
  }

  /** @returns the session, a refusal, or undefined where the client has hung up. */
  async #admit(client: Duplex, parameters: Parameters, encrypted: boolean): Promise<Opened | Refusal | undefined> {
    const { user = '', database = user } = parameters;
    if (!encrypted) {
      const message = `no pg_hba.conf entry for host "${this.host}", user "${user}", database "${database}", no encryption`;
      return { state: '28000', message, routine: 'ClientAuthentication' };
    }
    client.write(authenticationRequest(AUTHENTICATION.clearText));
    const answer = await next(client, false);
    if (answer === undefined) return undefined;
    const token = answer.bytes.toString('utf8', 5, answer.bytes.length - 1);
    this.tokenBytes = token.length;
    const { now = Date.now, mayConnect = () => true, ...expected } = this.#options;
    const fault =
      faultOfToken(token, { ...expected, port: this.port, user, now: now() }) ??
      (mayConnect(user) ? undefined : 'no permission');
    if (fault === undefined) return await this.#open(user, parameters);
    this.faults.push(fault);
    return { state: '28000', message: `PAM authentication failed for user "${user}"`, routine: 'auth_failed' };
  }

  async #passwordOf(user: string): Promise<string> {
    const known = this.#passwords.get(user);
    if (known !== undefined) return known;
    const password = randomBytes(24).toString('base64url');
    this.#passwords.set(user, password);
    await this.#server.query(`ALTER ROLE ${escapeIdentifier(user)} PASSWORD ${escapeLiteral(password)}`);
    return password;
  }

  /** Logs in as any client does; then the session's bytes are the client's. */
  async #open(user: string, { database = user, application_name = '' }: Parameters): Promise<Opened | Refusal> {
    const socket = new Socket();
    this.keep(socket);
    const { host, port } = this.#server;
    const session = new ExplicitClient({
      ...{ host, port, user, database, application_name, ssl: false },
      password: await this.#passwordOf(user),
      stream: () => socket,
    });
    session.on('error', () => undefined);
    const told: Buffer[] = [];
    session.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      told.push(parameterStatus(parameterName, parameterValue));
    });
    session.connection.on('backendKeyData', ({ processID, secretKey }) => {
      told.push(backendKeyData(processID, secretKey));
    });
    try {
      await session.connect();
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { state: error.code ?? 'XX000', message: error.message, routine: error.routine ?? '' };
    }
    socket.removeAllListeners('data');
    return { socket, greeting: Buffer.concat([authenticationRequest(AUTHENTICATION.ok), ...told, readyForQuery()]) };
  }
}

interface Opened {
  readonly socket: Socket;
  /** What the client is told before the server's own bytes. */
  readonly greeting: Buffer;
}

type Parameters = Readonly<Record<string, string>>;

/** One message; until a login is over, a client sends no other before it is answered. */
function next(client: Duplex, startsWithStartup: boolean): Promise<Frame | undefined> {
  const reader = new MessageReader({ startsWithStartup });
  return new Promise((resolve) => {
    const end = (frame?: Frame) => {
      client.off('data', read);
      client.off('close', end);
      client.pause();
      resolve(frame);
    };
    const read = (chunk: Buffer) => {
      const [frame] = reader.read(chunk);
      if (frame !== undefined) end(frame);
    };
    client.on('data', read);
    client.once('close', () => end());
    client.resume();
  });
}

const codeOf = ({ bytes }: Frame) => bytes.readInt32BE(4);
