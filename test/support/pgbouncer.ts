import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { freePort } from '../../scripts/lab/database/free-port.ts';
import { tail } from '../../scripts/lab/database/instance.ts';
import type { Credentials, PostgresServer } from '../../scripts/lab/database/server.ts';
import { serverUser, spawnAs, temporaryFolder } from '../../scripts/lab/database/server-user.ts';
import { waitFor } from '../../scripts/lab/database/wait.ts';
import { toolIsHere } from './tools.ts';

/** Where Debian puts it, which is not in everybody's PATH. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;
const HOST = '127.0.0.1';
const PORTS_TO_TRY = 10;

/** Whether PgBouncer is installed: for `describe.skipIf(!pgBouncerIsHere())`. */
export function pgBouncerIsHere(): boolean {
  return toolIsHere('PgBouncer', ['pgbouncer', '--version'], 'REQUIRE_PGBOUNCER', { ...process.env, PATH });
}

/** Passwords in clear, or what PostgreSQL stores of them, by user. */
export type AuthFile = Readonly<Record<string, string>>;

export interface PgBouncerOptions {
  /**
   * How it knows its clients' passwords:
   * - file: from a file of its own; it logs in to the server as its client, with what the file says
   * - query: asks the server, as a login that may read pg_shadow (default: the superuser)
   * - forced: from a file of its own; whoever comes is another user at the server
   */
  readonly passwords:
    | { readonly from: 'file'; readonly file: AuthFile }
    | { readonly from: 'query'; readonly as?: Credentials }
    | { readonly from: 'forced'; readonly file: AuthFile; readonly as: Credentials };
  /** What it asks its clients for. Default: scram-sha-256. */
  readonly authType?: 'scram-sha-256' | 'md5' | 'plain';
  /** When a server's session is another client's: when its client has gone, or its transaction has ended. Default: session. */
  readonly poolMode?: 'session' | 'transaction';
  /** Server sessions for each user and database. Default: PgBouncer's 20. */
  readonly poolSize?: number;
  /** Start-up parameters that it drops in silence, where it refuses the client otherwise. */
  readonly ignoreStartupParameters?: readonly string[];
  /** More settings of pgbouncer.ini's section [pgbouncer]. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Becomes PgBouncer. When our end of the pipe is closed, be it by SIGKILL, it ends and its folder goes: neither outlives
 * the test.
 */
const KEEPER = `
exec 3<&0
{ cat <&3; kill -s TERM $$ 2>/dev/null; rm -rf "$1"; } >/dev/null &
exec pgbouncer "$1/pgbouncer.ini" 3<&-`;

/** Debian's PgBouncer before a server, on loopback and a port of its own: `await using pooler = await PgBouncer.start(…)`. */
export class PgBouncer implements AsyncDisposable {
  readonly host = HOST;
  readonly port: number;
  readonly #child: ChildProcessByStdio<Writable, null, Readable>;
  readonly #closed: Promise<unknown>;
  #log = '';

  static async start(server: PostgresServer, options: PgBouncerOptions): Promise<PgBouncer> {
    for (let attempt = 1; ; attempt++) {
      const pooler = await PgBouncer.#spawn(server, options, await freePort(HOST));
      try {
        await waitFor('PgBouncer to listen', () => pooler.#listening());
        return pooler;
      } catch (error) {
        await pooler[Symbol.asyncDispose]();
        if (!pooler.log.includes('Address already in use') || attempt === PORTS_TO_TRY) throw error;
      }
    }
  }

  static async #spawn(server: PostgresServer, options: PgBouncerOptions, port: number): Promise<PgBouncer> {
    const user = await serverUser();
    const folder = join(await temporaryFolder(user), `pgbouncer-${randomUUID()}`);
    await mkdir(folder, { mode: 0o700 });
    const files = {
      'pgbouncer.ini': configuration(server, options, port, folder),
      'users.txt': userList(server, options),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      await writeFile(path, content, { mode: 0o600 });
      if (user !== undefined) await chown(path, user.uid, user.gid);
    }
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    const child = spawn('/bin/sh', ['-c', KEEPER, 'pgbouncer-keeper', folder], {
      cwd: '/',
      env: { PATH },
      stdio: ['pipe', 'ignore', 'pipe'],
      ...spawnAs(user),
    });
    await once(child, 'spawn');
    return new PgBouncer(port, child);
  }

  private constructor(port: number, child: ChildProcessByStdio<Writable, null, Readable>) {
    this.port = port;
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
  }

  /** What it has logged so far: user names, no passwords. */
  get log(): string {
    return this.#log;
  }

  /** Ends it, and with it its sessions at the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }

  /** It says so itself: a connection might reach somebody else on that port. */
  #listening(): true | undefined {
    if (this.#log.includes('process up: PgBouncer')) return true;
    if (this.#gone()) throw new Error(`PgBouncer should run, and has ended:\n${tail(this.#log)}`);
    return undefined;
  }

  #gone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

function configuration(server: PostgresServer, options: PgBouncerOptions, port: number, folder: string): string {
  const { passwords, authType = 'scram-sha-256', poolMode = 'session', poolSize, ignoreStartupParameters } = options;
  const target: Record<string, string> = { host: server.host, port: String(server.port) };
  if (passwords.from === 'forced')
    Object.assign(target, { user: passwords.as.username, password: passwords.as.password });
  if (passwords.from === 'query') target.auth_user = (passwords.as ?? server.superuser).username;
  const settings = {
    listen_addr: HOST,
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: authType,
    auth_file: join(folder, 'users.txt'),
    pool_mode: poolMode,
    ...(poolSize === undefined ? {} : { default_pool_size: String(poolSize) }),
    ...(ignoreStartupParameters === undefined ? {} : { ignore_startup_parameters: ignoreStartupParameters.join(', ') }),
    ...options.settings,
  };
  const connection = Object.entries(target).map(([key, value]) => `${key}='${value.replaceAll("'", "''")}'`);
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  return ['[databases]', `* = ${connection.join(' ')}`, '[pgbouncer]', ...lines, ''].join('\n');
}

/** Users and passwords in its own format; of one that asks the server, the login that asks. */
function userList(server: PostgresServer, { passwords }: PgBouncerOptions): string {
  const asking = ({ username, password }: Credentials): AuthFile => ({ [username]: password });
  const file = passwords.from === 'query' ? asking(passwords.as ?? server.superuser) : passwords.file;
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  return Object.entries(file)
    .map(([user, secret]) => `${quoted(user)} ${quoted(secret)}\n`)
    .join('');
}
