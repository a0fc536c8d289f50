import { createHash, randomBytes, randomInt } from 'node:crypto';
import { Socket } from 'node:net';
import { Client, DatabaseError } from 'pg';
import type { Credentials, PostgresServer } from '../../scripts/lab/database/server.ts';
import {
  AUTHENTICATION,
  authenticationRequest,
  backendKeyData,
  fatal,
  parameterStatus,
  type Refusal,
  readyForQuery,
} from '../../scripts/relays/backend-messages.ts';
import { type Frame, frames, startupParameters } from '../../scripts/relays/postgres-messages.ts';
import { TcpServer } from '../../scripts/relays/tcp-server.ts';

export interface MiddlemanOptions {
  /** How it asks its clients for their passwords. */
  readonly asks: 'in clear' | 'md5';
  /**
   * The password that it knows of a user, asked at each login; undefined where it knows nobody of that name.
   * Default: it leaves the judgement to the server, for which it must ask in clear.
   */
  readonly knows?: (user: string) => string | undefined | Promise<string | undefined>;
  /** Who all its clients are at the server. Default: who they say they are. */
  readonly as?: Credentials;
  /** The process id that it tells its clients. Default: its own, as a session may be in another process each time. */
  readonly processId?: 'own' | 'none';
}

interface Opened {
  readonly socket: Socket;
  readonly parameters: readonly Buffer[];
}

/**
 * Stands between clients and a server, and decides itself who comes in: a stand-in for RDS Proxy, which takes the
 * passwords of the AWSCURRENT versions that it reads, and no others. Its wordings are RDS Proxy's (Amazon RDS user guide,
 * "Troubleshooting for RDS Proxy"); their SQLSTATEs are not documented, and assumed. It pools nothing.
 */
export class Middleman extends TcpServer {
  readonly #target: PostgresServer;
  readonly #options: MiddlemanOptions;

  static async start(target: PostgresServer, options: MiddlemanOptions): Promise<Middleman> {
    return await new Middleman(target, options).listen();
  }

  private constructor(target: PostgresServer, options: MiddlemanOptions) {
    super();
    this.#target = target;
    this.#options = options;
  }

  protected serve(client: Socket): void {
    void this.#serve(client).catch(() => client.destroy());
  }

  async #serve(client: Socket): Promise<void> {
    const messages = frames(client, true)[Symbol.asyncIterator]();
    const next = async () => {
      const { done, value } = await messages.next();
      return done ? undefined : value;
    };
    const startup = await next();
    if (startup === undefined) return;
    const parameters = startupParameters(startup);
    const opened = await this.#admit(client, next, parameters);
    if (opened === undefined) return;
    if ('state' in opened) return void client.end(fatal(opened));
    const { socket } = opened;
    socket.on('data', (chunk: Buffer) => void client.write(chunk));
    socket.on('close', () => void client.end());
    client.on('close', () => void socket.destroy());
    const key = this.#options.processId === 'none' ? [] : [backendKeyData(randomInt(2 ** 31), randomInt(2 ** 31))];
    client.write(
      Buffer.concat([authenticationRequest(AUTHENTICATION.ok), ...opened.parameters, ...key, readyForQuery()]),
    );
    for (let frame = await next(); frame !== undefined; frame = await next()) socket.write(frame.bytes);
    socket.end();
  }

  /** @returns the session at the server, a refusal, or undefined where the client has hung up. */
  async #admit(
    client: Socket,
    next: () => Promise<Frame | undefined>,
    parameters: Readonly<Record<string, string>>,
  ): Promise<Opened | Refusal | undefined> {
    const { user = '' } = parameters;
    const { asks, knows, as } = this.#options;
    if (parameters.options !== undefined)
      return { state: '0A000', message: "RDS Proxy currently doesn't support command-line options." };
    const salt = randomBytes(4);
    client.write(
      asks === 'md5'
        ? authenticationRequest(AUTHENTICATION.md5, salt)
        : authenticationRequest(AUTHENTICATION.clearText),
    );
    const answer = await next();
    if (answer === undefined) return undefined;
    const given = answer.bytes.toString('utf8', 5, answer.bytes.length - 1);
    if (knows !== undefined) {
      const password = await knows(user);
      if (password === undefined) {
        const what = `This RDS proxy has no credentials for the role ${user}.`;
        return { state: '28000', message: `${what} Check the credentials for this role and try again.` };
      }
      if (given !== (asks === 'md5' ? md5Answer(user, password, salt) : password))
        return { state: '28P01', message: `The password that was provided for the role ${user} is wrong.` };
      return await this.#open(as ?? { username: user, password }, parameters);
    }
    return await this.#open(as ?? { username: user, password: given }, parameters);
  }

  /** Logs in as any client does; then the session's bytes are the client's. */
  async #open(
    { username, password }: Credentials,
    startup: Readonly<Record<string, string>>,
  ): Promise<Opened | Refusal> {
    const socket = new Socket();
    this.keep(socket);
    const session = new Client({
      host: this.#target.host,
      port: this.#target.port,
      user: username,
      password,
      database: startup.database ?? username,
      application_name: startup.application_name ?? '',
      stream: () => socket,
    });
    session.on('error', () => undefined);
    const parameters: Buffer[] = [];
    session.connection.on('parameterStatus', (status: { parameterName: string; parameterValue: string }) => {
      parameters.push(parameterStatus(status.parameterName, status.parameterValue));
    });
    try {
      await session.connect();
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { state: error.code ?? 'XX000', message: error.message };
    }
    socket.removeAllListeners('data');
    return { socket, parameters };
  }
}

function md5Answer(user: string, password: string, salt: Buffer): string {
  const md5 = (...parts: readonly (string | Buffer)[]) => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  return `md5${md5(md5(password, user), salt)}`;
}
