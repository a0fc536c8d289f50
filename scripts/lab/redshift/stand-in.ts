import { createHash, randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { type Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { message } from '../../relays/backend-messages.ts';
import { type Frame, MessageReader, SSL_REQUEST, startupParameters } from '../../relays/postgres-messages.ts';
import { TcpServer } from '../../relays/tcp-server.ts';
import type { PostgresServer } from '../database/server.ts';
import { judge, statementsOf } from './statements.ts';
import { type Challenge, complaint, digestChallenge, greeting, md5Challenge, sha256Password } from './wire.ts';

/** What a real PostgreSQL answers with an error, so that it gives the transaction up, as Redshift does. */
const FAILS = 'SELECT redshift.has_no_such_statement()';

const wrongPassword = (user: string) =>
  complaint({
    severity: 'FATAL',
    code: '28000',
    words: `password authentication failed for user "${user}"`,
    routine: 'auth_failed',
  });

/**
 * A front before a real PostgreSQL that speaks Amazon Redshift's authentication, answers in its words, and refuses every
 * statement that Redshift is not known to have (statements.ts). Transactions, rows and roles are PostgreSQL's own. What no
 * stand-in can tell is listed in docs/lab.md.
 */
export class RedshiftStandIn extends TcpServer {
  readonly #server: PostgresServer;
  /** By what stands for it in PostgreSQL, which has no such passwords: once that is replaced, this is too. */
  readonly #sha256 = new Map<string, ReturnType<typeof sha256Password>>();
  /** Statements that were refused. */
  readonly refused: string[] = [];
  /** How often each way of asking for a password was taken. */
  readonly asked = { p: 0, d: 0 };

  /** @param databases in which Redshift's own views are made. */
  static async start(server: PostgresServer, databases: readonly string[]): Promise<RedshiftStandIn> {
    for (const database of databases) await server.withClient(makeViews, { database });
    return await new RedshiftStandIn(server).listen();
  }

  private constructor(server: PostgresServer) {
    super();
    this.#server = server;
  }

  /** Stores a role's password as Redshift does. */
  async store(role: string, password: string, how: 'md5' | 'sha256'): Promise<void> {
    const clear = how === 'md5' ? password : randomBytes(16).toString('hex');
    const stored = md5Of(role, clear);
    if (how === 'sha256') this.#sha256.set(stored, sha256Password(password));
    await this.#server.query(`ALTER ROLE ${escapeIdentifier(role)} PASSWORD ${escapeLiteral(stored)}`);
  }

  protected serve(client: Socket): void {
    client.setNoDelay(true);
    void this.#serve(client).catch(() => client.destroy());
  }

  async #serve(client: Socket): Promise<void> {
    const incoming = framesOf(client);
    const { value: startUp } = await incoming.next();
    if (startUp === undefined) return;
    const { user = '', database = user } = startupParameters(startUp);
    const challenge = await this.#challengeOf(user);
    this.asked[challenge.type]++;
    client.write(challenge.request);
    const { value: answer } = await incoming.next();
    if (answer === undefined) return;
    if (answer.type !== challenge.type || !challenge.isRight(answer.bytes.subarray(5)))
      return void client.end(wrongPassword(user));
    const backend = await this.#backend(client, user, database);
    if (backend === undefined) return;
    try {
      client.write(greeting());
      await this.#relay(client, incoming, backend);
    } finally {
      await backend.end().catch(() => undefined);
      client.end();
    }
  }

  async #challengeOf(user: string): Promise<Challenge> {
    const [row] = await this.#server.query<{ stored: string | null }>(
      `SELECT rolpassword AS stored FROM pg_authid
        WHERE rolname = $1 AND rolcanlogin AND coalesce(rolvaliduntil > now(), true)`,
      [user],
    );
    const stored = row?.stored ?? md5Of(user, randomBytes(16).toString('hex'));
    const digest = this.#sha256.get(stored);
    return digest === undefined ? md5Challenge(stored) : digestChallenge(digest);
  }

  /** The session that serves the user; what it was refused for is told. */
  async #backend(client: Socket, user: string, database: string): Promise<Client | undefined> {
    try {
      const backend = await this.#server.connect({ database });
      await backend.query(`SET SESSION AUTHORIZATION ${escapeIdentifier(user)}`);
      return backend;
    } catch (error) {
      const { code = 'XX000', message: words } = error instanceof DatabaseError ? error : { message: 'no session' };
      client.end(complaint({ severity: 'FATAL', code, words }));
      return undefined;
    }
  }

  /** Hands messages on, PostgreSQL's driver out of the way. */
  async #relay(client: Socket, incoming: AsyncIterator<Frame>, backend: Client): Promise<void> {
    const stream: unknown = Reflect.get(Reflect.get(backend, 'connection'), 'stream');
    if (!(stream instanceof Socket)) throw new TypeError('the driver has a socket');
    stream.removeAllListeners('data');
    const outgoing = new MessageReader();
    const refusals: string[] = [];
    stream.on('data', (chunk) => {
      for (const { type, bytes } of outgoing.read(chunk)) {
        if (type === 'N' || type === 'S') continue;
        const why = type === 'E' ? refusals.shift() : undefined;
        client.write(why === undefined ? bytes : complaint({ severity: 'ERROR', code: '42601', words: why }));
      }
    });
    stream.on('close', () => client.end());
    for (;;) {
      const { value: frame, done } = await incoming.next();
      if (done === true || frame.type === 'X') return;
      const passed = this.#passed(frame);
      if (passed.why !== undefined) refusals.push(passed.why);
      stream.write(passed.bytes);
    }
  }

  #passed({ type, bytes }: Frame): { readonly bytes: Buffer; readonly why?: string } {
    if (type !== 'Q' && type !== 'P') return { bytes };
    const start = type === 'Q' ? 5 : bytes.indexOf(0, 5) + 1;
    const end = bytes.indexOf(0, start);
    const statements = statementsOf(bytes.toString('utf8', start, end));
    const parts = [];
    for (const statement of statements) {
      const verdict = judge(statement);
      if (!verdict.allowed) {
        this.refused.push(statement.replace(/'.*'/s, "'…'"));
        const rest = [bytes.subarray(5, start), FAILS, bytes.subarray(end)];
        return { bytes: message(type, ...rest), why: `Redshift refuses this: ${verdict.why}` };
      }
      parts.push(verdict.password === undefined ? statement : passwordStatement(verdict.password));
    }
    return { bytes: message(type, bytes.subarray(5, start), parts.join('; '), bytes.subarray(end)) };
  }
}

/** Clear text is stored as md5, salted with the name (CREATE USER). */
function passwordStatement({
  alter,
  given,
}: {
  readonly alter: string;
  readonly given: { readonly kind: 'md5'; readonly stored: string } | { readonly kind: 'clear'; readonly text: string };
}): string {
  const [, quoted, bare = ''] = /^alter user (?:"((?:[^"]|"")+)"|(\w+)) /i.exec(alter) ?? [];
  const user = quoted?.replaceAll('""', '"') ?? bare.toLowerCase();
  const stored = given.kind === 'md5' ? given.stored : md5Of(user, given.text);
  return `${alter}${escapeLiteral(stored)}`;
}

function md5Of(user: string, clear: string): string {
  return `md5${createHash('md5').update(clear).update(user).digest('hex')}`;
}

/** Redshift's own catalog, as far as its guide shows it. */
async function makeViews(client: Client): Promise<void> {
  await client.query(`
    SET allow_system_table_mods = on;
    CREATE OR REPLACE VIEW pg_catalog.pg_user_info AS
      SELECT usename, usesysid, usecreatedb, usesuper, false AS usecatupd, passwd, valuntil, useconfig,
             (SELECT CASE rolconnlimit WHEN -1 THEN 'UNLIMITED' ELSE rolconnlimit::text END
                FROM pg_roles WHERE rolname = usename) AS useconnlimit
        FROM pg_user;
    CREATE OR REPLACE VIEW pg_catalog.svv_user_info AS
      SELECT usesysid AS user_id, usename AS user_name, usecreatedb AS createdb, usesuper AS superuser,
             useconnlimit AS connection_limit
        FROM pg_catalog.pg_user_info;
    GRANT SELECT ON pg_catalog.pg_user_info, pg_catalog.svv_user_info TO PUBLIC`);
}

async function* framesOf(client: Socket): AsyncGenerator<Frame, undefined> {
  let reader = new MessageReader({ startsWithStartup: true });
  for await (const chunk of client) {
    for (const frame of reader.read(chunk)) {
      if (frame.type !== '' || frame.bytes.readInt32BE(4) !== SSL_REQUEST) {
        yield frame;
        continue;
      }
      client.write('N');
      reader = new MessageReader({ startsWithStartup: true });
    }
  }
  return undefined;
}
