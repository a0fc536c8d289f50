import { randomBytes } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { type AppRole, type AppRoleOptions, createAppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { waitFor } from '../../scripts/lab/database/wait.ts';

const SESSIONS_END_WITHIN_MS = 5_000;

/**
 * The roles and databases of one test. Their names share a prefix of its own, so tests can share a server. At its end
 * it removes what was made or adopted through it, and fails the test that left anything else behind.
 */
export class RoleScope implements AsyncDisposable {
  readonly prefix = `t${randomBytes(5).toString('hex')}_`;
  readonly server: PostgresServer;
  readonly #roles = new Map<string, AppRole | undefined>();
  readonly #databases = new Set<string>();
  readonly #sessionsEndWithinMs: number;

  constructor(server: PostgresServer, sessionsEndWithinMs = SESSIONS_END_WITHIN_MS) {
    this.server = server;
    this.#sessionsEndWithinMs = sessionsEndWithinMs;
  }

  /** A name of this scope: the prefix (12 bytes) and `text`, which may be anything. */
  name(text: string): string {
    return `${this.prefix}${text}`;
  }

  /** Passwords of roles made here: what a failure's report must not show. */
  get secrets(): string[] {
    return [...this.#roles.values()].flatMap((role) => role?.password ?? []);
  }

  /** @param options.name is used as it is: take `scope.name(…)`. Default: `scope.name('app')`. */
  async createAppRole(options: Partial<AppRoleOptions> = {}): Promise<AppRole> {
    const name = options.name ?? this.name('app');
    this.adopt(name);
    const role = await createAppRole(this.server, { ...options, name });
    this.#roles.set(name, role);
    return role;
  }

  /** @param options of CREATE DATABASE. */
  async createDatabase(text = 'database', options = ''): Promise<string> {
    const name = this.name(text);
    this.#databases.add(name);
    await this.server.query(`CREATE DATABASE ${escapeIdentifier(name)} ${options}`);
    return name;
  }

  /** Expects roles that the test makes by other means, such as a twin, and removes them at the end. */
  adopt(...roles: string[]): void {
    for (const role of roles) if (!this.#roles.has(role)) this.#roles.set(role, undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.#endSessions();
    const databases = await this.#existing('datname', 'pg_database', [...this.#databases]);
    for (const database of databases)
      await this.server.query(`DROP DATABASE ${escapeIdentifier(database)} WITH (FORCE)`);
    const roles = await this.#existing('rolname', 'pg_roles', [...this.#roles.keys()]);
    await this.#dropRoles(roles);

    left.push(...databases.filter((name) => !this.#databases.has(name)).map((name) => `database "${name}"`));
    left.push(...roles.filter((name) => !this.#roles.has(name)).map((name) => `role "${name}"`));
    if (left.length > 0)
      throw new Error(`A test should leave nothing behind on its server, and left ${left.join(', ')}.`);
  }

  /** @returns a description of each session that had to be ended; one that is just closing gets its time. */
  async #endSessions(): Promise<string[]> {
    const find = async () =>
      await this.server.query<{ pid: number; usename: string; state: string | null }>(
        `SELECT pid, usename, state FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
           AND (usename = ANY ($1) OR datname = ANY ($2) OR strpos(usename, $3) > 0 OR strpos(datname, $3) > 0)`,
        [[...this.#roles.keys()], [...this.#databases], this.prefix],
      );
    const noneLeft = async () => ((await find()).length === 0 ? true : undefined);
    if (await waitFor('sessions to end', noneLeft, { timeoutMs: this.#sessionsEndWithinMs }).catch(() => false))
      return [];
    const sessions = await find();
    for (const { pid } of sessions) await this.server.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
    return sessions.map(({ usename, state }) => `a session of "${usename}" (${state})`);
  }

  async #existing(column: 'rolname' | 'datname', catalogue: string, expected: string[]): Promise<string[]> {
    const rows = await this.server.query<{ name: string }>(
      `SELECT ${column} AS name FROM ${catalogue} WHERE ${column} = ANY ($1) OR strpos(${column}, $2) > 0`,
      [expected, this.prefix],
    );
    return rows.map(({ name }) => name);
  }

  async #dropRoles(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const roles = names.map(escapeIdentifier).join(', ');
    const databases = new Set(['postgres', ...[...this.#roles.values()].flatMap((role) => role?.database ?? [])]);
    for (const database of databases) {
      if (!this.#databases.has(database)) {
        await this.server.query(`DROP OWNED BY ${roles} CASCADE`, undefined, { database });
      }
    }
    await this.server.query(`DROP ROLE ${roles}`);
  }
}
