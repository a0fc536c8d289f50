import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { ServerCertificate } from '../lab/database/server.ts';
import { GSS_REQUEST, MessageReader, SSL_REQUEST } from '../relays/postgres-messages.ts';
import { type Address, TcpServer } from '../relays/tcp-server.ts';

export interface DatabaseCounts {
  readonly logins: number;
  readonly failedLogins: number;
  /** As the server counts them: one for each that it completed. */
  readonly statements: number;
  /** Simple queries and Syncs: how often the client waited for the server, once logged in. */
  readonly roundTrips: number;
  /** On the wire, both ways, TLS included. */
  readonly bytes: number;
}

const NOTHING: DatabaseCounts = { logins: 0, failedLogins: 0, statements: 0, roundTrips: 0, bytes: 0 };

/** Stands between a rotation function and PostgreSQL, ends the TLS where there is any, and counts. */
export class PostgresCounter extends TcpServer {
  readonly #target: Address;
  readonly #certificate: ServerCertificate;
  readonly #open = new Set<Promise<unknown>>();
  #counts = NOTHING;

  /** @param certificate for 127.0.0.1, shown to clients that ask for TLS; the server is reached in plain text. */
  static async start(target: Address, certificate: ServerCertificate): Promise<PostgresCounter> {
    return await new PostgresCounter(target, certificate).listen();
  }

  private constructor(target: Address, certificate: ServerCertificate) {
    super();
    this.#target = target;
    this.#certificate = certificate;
  }

  /** What was counted since the last time, once all connections have ended. */
  async take(): Promise<DatabaseCounts> {
    await Promise.all(this.#open);
    const counts = this.#counts;
    this.#counts = NOTHING;
    return counts;
  }

  protected serve(client: Socket): void {
    void this.#serve(client);
  }

  async #serve(raw: Socket): Promise<void> {
    const closed = once(raw, 'close').catch(() => undefined);
    this.#open.add(closed);
    const client = await this.#greet(raw);
    if (client !== undefined) this.#relay(client.socket, client.first);
    await closed;
    this.#count('bytes', raw.bytesRead + raw.bytesWritten);
    this.#open.delete(closed);
  }

  /** Answers requests for encryption, until the client says who it is. */
  async #greet(raw: Socket): Promise<{ socket: Socket; first: Buffer } | undefined> {
    let socket = raw;
    for (;;) {
      const first = await firstChunk(socket);
      if (first === undefined) return undefined;
      const code = first.length === 8 ? first.readInt32BE(4) : 0;
      if (code === GSS_REQUEST) socket.write('N');
      else if (code === SSL_REQUEST) {
        socket.write('S');
        socket = this.#encrypt(raw);
      } else return { socket, first };
    }
  }

  #encrypt(raw: Socket): Socket {
    const { certificate, privateKey } = this.#certificate;
    const secureContext = createSecureContext({ cert: certificate, key: privateKey });
    const socket = new TLSSocket(raw, { isServer: true, secureContext });
    socket.on('error', () => undefined);
    return socket;
  }

  #relay(client: Socket, first: Buffer): void {
    const server = connect(this.#target);
    server.on('error', () => client.destroy());
    let ready = false;
    const fromServer = new MessageReader();
    const fromClient = new MessageReader();
    server.on('data', (chunk) => {
      for (const { type } of fromServer.read(chunk)) {
        if (type === 'C') this.#count('statements');
        else if (type === 'Z' && !ready) {
          ready = true;
          this.#count('logins');
        } else if (type === 'E' && !ready) this.#count('failedLogins');
      }
      client.write(chunk);
    });
    client.on('data', (chunk) => {
      for (const { type } of fromClient.read(chunk)) if (type === 'Q' || type === 'S') this.#count('roundTrips');
      server.write(chunk);
    });
    server.on('close', () => client.end());
    client.on('close', () => server.destroy());
    client.on('end', () => server.end());
    server.write(first);
    client.resume();
  }

  #count(what: keyof DatabaseCounts, by = 1): void {
    this.#counts = { ...this.#counts, [what]: this.#counts[what] + by };
  }
}

async function firstChunk(socket: Socket): Promise<Buffer | undefined> {
  return await new Promise((resolve) => {
    socket.once('data', (chunk) => {
      socket.pause();
      socket.removeListener('close', ended);
      resolve(chunk);
    });
    const ended = () => resolve(undefined);
    socket.once('close', ended);
    socket.resume();
  });
}
