import pg from 'pg';
import { Deadline } from './deadline.ts';
import { LoginError } from './errors.ts';
import { isRefusedPassword } from './refusal.ts';
import type { SecretLogin } from './secret-login.ts';

/** What the secret says, or the pool itself, and so no option does. */
const FROM_THE_SECRET = ['user', 'password', 'host', 'port', 'ssl', 'connectionString', 'Client'] as const;

/** Those of pg.Pool, but for what the secret says. `database` is the secret's `dbname` unless it is given. */
export type RotatingPoolOptions = Omit<pg.PoolConfig, (typeof FROM_THE_SECRET)[number]>;

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/** How long to look for another login where the pool has no connectionTimeoutMillis, in ms. */
const LONGEST_WAIT = 10_000;

/** What is found that fast need not have been waited for, in ms. */
const AT_ONCE = 20;

/**
 * A pg.Pool whose new sessions log in as the secret says at that moment, and try again where that was refused. Sessions
 * that are open stay as they are: PostgreSQL asks for the password at login only.
 *
 * @throws LoginError INVALID_OPTIONS where an option says what the secret does.
 */
export function rotatingPool(login: SecretLogin, options: RotatingPoolOptions = {}): RotatingPool {
  const wrong = FROM_THE_SECRET.filter((name) => Reflect.get(options, name) !== undefined);
  if (wrong.length > 0) {
    throw new LoginError(
      'INVALID_OPTIONS',
      `Options that the secret leaves open were needed, found ${wrong.join(', ')}.`,
    );
  }
  return new RotatingPool(login, options);
}

export class RotatingPool extends pg.Pool {
  readonly #login: SecretLogin;
  readonly #attempts: Attempts;
  /** Connects that the pool's own code does not know of yet. */
  readonly #waiting = new Set<Promise<unknown>>();
  #ended = false;

  /** @internal */
  constructor(login: SecretLogin, options: RotatingPoolOptions) {
    const attempts: Attempts = new WeakMap();
    super({ ...options, Client: clientOf(login, attempts) });
    this.#login = login;
    this.#attempts = attempts;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | undefined {
    const connecting = this.#connect();
    this.#waiting.add(connecting);
    const done = () => this.#waiting.delete(connecting);
    connecting.then(done, done);
    if (callback === undefined) return connecting;
    connecting.then(
      (client) => process.nextTick(callback, undefined, client, client.release),
      (error) => process.nextTick(callback, error, undefined, () => {}),
    );
    return undefined;
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: (error?: Error) => void): Promise<void> | undefined {
    const ending = this.#end();
    if (callback === undefined) return ending;
    ending.then(
      () => process.nextTick(callback),
      (error) => process.nextTick(callback, error),
    );
    return undefined;
  }

  async #connect(): Promise<pg.PoolClient> {
    if (this.#ended) throw new Error('Cannot use a pool after calling end on the pool');
    const limit = this.options.connectionTimeoutMillis || 0;
    const deadline = new Deadline(limit > 0 ? limit : LONGEST_WAIT);
    for (;;) {
      // A session that is free, or that the pool waits for, needs no login.
      if (this.idleCount === 0 && this.totalCount < this.options.max)
        await this.#login.current({ timeoutMillis: deadline.left });
      try {
        // The pool's own time-out begins only now.
        const isLate = limit > 0 && limit - deadline.left > AT_ONCE;
        return await (isLate ? this.#connectWithin(deadline) : super.connect());
      } catch (error) {
        const versionId = error instanceof Error ? this.#attempts.get(error) : undefined;
        if (versionId === undefined) throw error;
        if (!(await this.#login.refused(versionId, { timeoutMillis: deadline.left }))) throw error;
      }
    }
  }

  /** A session that comes too late goes back to the pool. */
  async #connectWithin(deadline: Deadline): Promise<pg.PoolClient> {
    const connecting = super.connect();
    try {
      return await deadline.with(connecting);
    } catch (error) {
      if (!(error instanceof LoginError)) throw error;
      connecting.then(
        (client) => client.release(),
        () => {},
      );
      throw new Error('timeout exceeded when trying to connect');
    }
  }

  async #end(): Promise<void> {
    if (this.#ended) throw new Error('Called end on pool more than once');
    this.#ended = true;
    // As with pg, whoever has asked for a session before gets it.
    await Promise.allSettled(this.#waiting);
    await super.end();
  }
}

/** The version with which each refused login was tried. */
type Attempts = WeakMap<Error, string>;

/** As the driver calls back. */
type ConnectedCallback = (error: Error | null, client?: pg.Client) => void;

/** The class of a pool's clients: each logs in with the login that is the latest when it is made. */
function clientOf(login: SecretLogin, attempts: Attempts) {
  return class RotatingClient extends pg.Client {
    readonly #versionId: string;

    constructor(options: pg.ClientConfig = {}) {
      const now = login.latest;
      if (now === undefined) throw new Error('A login was needed before a session, and the pool has not read it.');
      super({
        ...options,
        host: now.host,
        port: now.port,
        user: now.username,
        password: now.password,
        database: options.database ?? now.dbname,
        ssl: now.ssl,
      });
      this.#versionId = now.versionId;
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: ConnectedCallback): void;
    override connect(callback?: ConnectedCallback): Promise<pg.Client> | undefined {
      const connecting = new Promise<pg.Client>((resolve, reject) => {
        super.connect((error: Error | null) => {
          if (error === null) login.accepted(this.#versionId);
          else if (isRefusedPassword(error)) attempts.set(error, this.#versionId);
          // At once, as the driver does it: the pool listens for what comes next from there on.
          callback?.(error, this);
          if (error === null) resolve(this);
          else reject(error);
        });
      });
      if (callback === undefined) return connecting;
      connecting.catch(() => {});
      return undefined;
    }
  };
}
