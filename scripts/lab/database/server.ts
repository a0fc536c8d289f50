import { type Client, type ClientConfig, escapeIdentifier, escapeLiteral, type QueryResultRow } from 'pg';
import { ExplicitClient } from '../../../shared/database/client-options.ts';
import { pinnedQuery } from '../../../shared/database/pinned.ts';
import type { Credentials, InstanceOptions, ServerInstance } from './instance.ts';
import { waitFor } from './wait.ts';

/** Marks our own sessions in the server's log and in pg_stat_activity. */
export const ADMINISTRATION = 'throwaway-postgres administration';

export interface StartOptions extends InstanceOptions {
  /** 'embedded', 'container', or the URL of a running server: `postgres://superuser:password@host:port/database`. */
  readonly source: 'embedded' | 'container' | (string & {});
  /** PostgreSQL's major version, for containers; the embedded server has the one it was installed with. */
  readonly version?: number;
  /** TLS of the superuser's own sessions. Default: TLS without verification where the server has a certificate, else none. */
  readonly superuserTls?: ClientConfig['ssl'];
}

export interface ConnectOptions {
  /** Default: the superuser. */
  readonly user?: string;
  readonly password?: string;
  /** Default: 'postgres', or the database in the server's URL. */
  readonly database?: string;
  /** Default: as the superuser connects. */
  readonly ssl?: ClientConfig['ssl'];
}

const DEFAULT_VERSION = 18;

/** A role may have as many as it likes, where the driver gives up at 100,000. An option that its types leave out. */
const ANY_SCRAM_ITERATIONS = { scramMaxIterations: 0 };

/** Starts a throw-away PostgreSQL, or reaches a running one. Dispose of it with `await using` or `close()`. */
export async function startPostgres(options: StartOptions): Promise<PostgresServer> {
  const instance = await startInstance(options);
  try {
    return await PostgresServer.of(instance, {
      ssl: options.superuserTls ?? (options.tls === undefined ? false : { rejectUnauthorized: false }),
      database: instance.kind === 'url' ? databaseIn(options.source) : 'postgres',
    });
  } catch (error) {
    await instance.close();
    throw error;
  }
}

function databaseIn(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1)) || 'postgres';
}

/** Each kind of server is loaded only if it is wanted. */
async function startInstance(options: StartOptions): Promise<ServerInstance> {
  switch (options.source) {
    case 'embedded':
      return await (await import('./embedded.ts')).startEmbedded(options);
    case 'container':
      return await (await import('./container.ts')).startContainer({ version: DEFAULT_VERSION, ...options });
    default:
      return (await import('./external.ts')).externalServer(options.source);
  }
}

interface ServerDefaults {
  readonly ssl: ClientConfig['ssl'];
  readonly database: string;
}

/** A running PostgreSQL and its superuser. */
export class PostgresServer implements AsyncDisposable {
  readonly #instance: ServerInstance;
  readonly #defaults: ServerDefaults;
  #version = 0;

  static async of(instance: ServerInstance, defaults: ServerDefaults): Promise<PostgresServer> {
    const server = new PostgresServer(instance, defaults);
    const [row] = await server.pinnedQuery<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    server.#version = Math.trunc((row?.version ?? 0) / 10_000);
    return server;
  }

  private constructor(instance: ServerInstance, defaults: ServerDefaults) {
    this.#instance = instance;
    this.#defaults = defaults;
  }

  get kind(): 'embedded' | 'container' | 'url' {
    return this.#instance.kind;
  }

  /** PostgreSQL's major version. */
  get version(): number {
    return this.#version;
  }

  get host(): string {
    return this.#instance.host;
  }

  get port(): number {
    return this.#instance.port;
  }

  get superuser(): Credentials {
    return this.#instance.superuser;
  }

  /** Our own statements set passwords: they stay out of the log, whatever it is to show of others. */
  #unlogged(): string {
    if (this.kind === 'url') return ''; // somebody else's server, whose administrator may not set these
    return '-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic';
  }

  /** Opens a session, as the superuser unless told otherwise. The caller ends it: `withClient` does so by itself. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const { user = this.superuser.username, password = this.superuser.password } = options;
    const client = new ExplicitClient({
      host: this.host,
      port: this.port,
      user,
      password,
      database: options.database ?? this.#defaults.database,
      ssl: options.ssl ?? this.#defaults.ssl ?? false,
      ...(options.user === undefined ? { application_name: ADMINISTRATION, options: this.#unlogged() } : {}),
      ...ANY_SCRAM_ITERATIONS,
      connectionTimeoutMillis: 30_000,
    });
    client.on('error', () => undefined); // the server may be stopped under a session; queries still fail
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  async withClient<T>(work: (client: Client) => Promise<T>, options: ConnectOptions = {}): Promise<T> {
    const client = await this.connect(options);
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  /** The same of statements that may run on somebody else's server: names in them mean what PostgreSQL's catalog says. */
  async pinnedQuery<Row extends QueryResultRow>(statement: string, options: ConnectOptions = {}): Promise<Row[]> {
    return await this.withClient((client) => pinnedQuery<Row>(client, statement), options);
  }

  /**
   * Runs one statement (several, if without values) in a session of its own, as the superuser unless told otherwise. Names
   * in it mean what the database's owner says: for our own servers only.
   */
  async query<Row extends QueryResultRow>(
    sql: string,
    values?: readonly unknown[],
    options: ConnectOptions = {},
  ): Promise<Row[]> {
    const run = async (client: Client) =>
      (await client.query<Row>(sql, values === undefined ? undefined : [...values])).rows;
    return await this.withClient(run, options);
  }

  /** Changes settings for good (null: back to the default), restarting the server where they need it. */
  async reconfigure(settings: Readonly<Record<string, string | null>>): Promise<void> {
    const loadTime = 'SELECT pg_conf_load_time()::text AS at';
    const before = await this.withClient(async (client) => {
      for (const [name, value] of Object.entries(settings)) await client.query(alterSystem(name, value));
      const [row] = await pinnedQuery<{ at: string }>(client, loadTime);
      await pinnedQuery(client, 'SELECT pg_reload_conf()');
      return row?.at;
    });
    // The server reloads in its own time: what counts is what a new session sees.
    await waitFor('PostgreSQL to reload its settings', async () => {
      const [row] = await this.pinnedQuery<{ at: string }>(loadTime);
      return row?.at !== before || undefined;
    });
    const pending = await this.pinnedQuery('SELECT 1 FROM pg_settings WHERE pending_restart LIMIT 1');
    if (pending.length > 0) await this.restart();
  }

  async stop(): Promise<void> {
    await this.#instance.stop();
  }

  async restart(): Promise<void> {
    await this.#instance.restart();
  }

  /** Everything that the server has logged since its first start; '' for a server given by its URL. */
  async log(): Promise<string> {
    return await this.#instance.log();
  }

  async close(): Promise<void> {
    await this.#instance.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function alterSystem(name: string, value: string | null): string {
  const parameter = name.split('.').map(escapeIdentifier).join('.');
  return value === null ? `ALTER SYSTEM RESET ${parameter}` : `ALTER SYSTEM SET ${parameter} = ${escapeLiteral(value)}`;
}

export type { Credentials, ServerCertificate } from './instance.ts';
