import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  AUTHENTICATION,
  authenticationRequest,
  backendKeyData,
  fatal,
  parameterStatus,
  type Refusal,
  readyForQuery,
  saslMechanisms,
} from '../../scripts/relays/backend-messages.ts';
import { type Frame, frames } from '../../scripts/relays/postgres-messages.ts';
import { TcpServer } from '../../scripts/relays/tcp-server.ts';

/** A client that has sent its start-up message. */
export interface ScriptedClient {
  send(...messages: readonly Buffer[]): void;
  /** Its next message; undefined when it has hung up. */
  next(): Promise<Frame | undefined>;
}

/** What a made-up server does with each client; afterwards it waits for the client to hang up. */
export type Script = (client: ScriptedClient) => void | Promise<void>;

/**
 * A server that speaks PostgreSQL's protocol as far as its script goes, without TLS: for what no real one can be made to
 * say. `await using odd = await ScriptedServer.start(asksFor(7))`
 */
export class ScriptedServer extends TcpServer {
  /** How many messages with a password or a proof of one were sent to it. */
  passwordMessages = 0;
  /** How many clients have hung up. */
  gone = 0;
  readonly #script: Script;

  static async start(script: Script): Promise<ScriptedServer> {
    return await new ScriptedServer(script).listen();
  }

  private constructor(script: Script) {
    super();
    this.#script = script;
  }

  protected serve(socket: Socket): void {
    socket.on('close', () => {
      this.gone++;
    });
    void this.#play(socket);
  }

  async #play(socket: Socket): Promise<void> {
    const messages = frames(socket, true)[Symbol.asyncIterator]();
    const next = async () => {
      const { done, value } = await messages.next();
      if (done) return undefined;
      if (value.type === 'p') this.passwordMessages++;
      return value;
    };
    try {
      const startup = await next();
      if (startup === undefined) return;
      await this.#script({ send: (...bytes) => void socket.write(Buffer.concat(bytes)), next });
      while ((await next()) !== undefined);
    } catch {
      // The client hung up.
    }
  }
}

/** Asks for authentication of any kind (PostgreSQL: 0 to 12, of which 4 and 6 are gone; Redshift: 13, 14). */
export const asksFor =
  (kind: number, body?: Buffer | string): Script =>
  ({ send }) =>
    send(authenticationRequest(kind, body));

/** Asks for SASL by these mechanisms and no others. */
export const asksForMechanisms =
  (...names: readonly string[]): Script =>
  ({ send }) =>
    send(saslMechanisms(...names));

/** Sends bytes that need not be a message. */
export const says =
  (bytes: Buffer): Script =>
  ({ send }) =>
    send(bytes);

/** Refuses whoever comes, before it asks for anything. */
export const refuses =
  (refusal: Refusal): Script =>
  ({ send }) =>
    send(fatal(refusal));

/** What is left to a SCRAM server to say in its first message: a nonce that begins with the client's, a salt. */
export interface ScramTerms {
  readonly nonce: string;
  readonly salt: string;
}

const WRONG_PASSWORD: Refusal = { state: '28P01', message: 'password authentication failed', routine: 'auth_failed' };

/** Begins SCRAM-SHA-256 with any server-first-message (RFC 5802: `r=NONCE,s=SALT,i=COUNT`), and takes no proof. */
export const beginsScram =
  (serverFirst: (terms: ScramTerms) => string, refusal = WRONG_PASSWORD): Script =>
  async ({ send, next }) => {
    send(saslMechanisms('SCRAM-SHA-256'));
    const first = await next();
    if (first === undefined) return;
    const nonce = /r=([^,]+)$/.exec(first.bytes.toString('latin1'))?.[1] ?? '';
    const random = () => randomBytes(18).toString('base64');
    const terms = { nonce: `${nonce}${random()}`, salt: random() };
    send(authenticationRequest(AUTHENTICATION.saslContinue, serverFirst(terms)));
    if ((await next()) === undefined) return;
    send(fatal(refusal));
  };

export const asksForIterations = (iterations: number): Script =>
  beginsScram(({ nonce, salt }) => `r=${nonce},s=${salt},i=${iterations}`);

/** Lets everybody in at once, and has nothing to say to statements. */
export const trusts: Script = ({ send }) =>
  send(
    authenticationRequest(AUTHENTICATION.ok),
    parameterStatus('server_version', '18.0'),
    backendKeyData(4711, 1),
    readyForQuery(),
  );
