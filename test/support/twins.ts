import { randomBytes } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { expect } from 'vitest';
import type { AppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { byIamWhereWanted } from './administrators.ts';
import { countLogins, type Login, postgresVersions } from './postgres.ts';
import type { RoleScope } from './role-scope.ts';
import type { TestAccount } from './test-account.ts';
import {
  CURRENT,
  type FunctionChoice,
  type RotationResult,
  type StepResult,
  type TestSecret,
  type Which,
} from './test-secret.ts';
import type { TwinOptions } from './twin-options.ts';

/** The oldest and the newest version there is, for what versions have in common but for their SQL. */
export function outermostVersions(): readonly number[] {
  const versions = postgresVersions();
  return [...new Set([Math.min(...versions), Math.max(...versions)])];
}

/** A base role with its secret, and an administrator with the superuser secret. Roles end with the scope. */
export async function twins(account: TestAccount, scope: RoleScope, wanted: TwinOptions = {}): Promise<Twins> {
  const options = await byIamWhereWanted(scope.server, wanted);
  const { admin: kind = 'superuser', adminName = 'admin', adminAttributes = '' } = options;
  const { environment = {}, timeoutMs, members, superuserMembers } = options;
  const { server } = scope;
  const admin = { name: scope.name(adminName), password: randomBytes(18).toString('base64url'), database: 'postgres' };
  const rights = kind === 'superuser' ? 'SUPERUSER' : 'CREATEROLE';
  await createLogin(scope, admin.name, admin.password, `${rights} ${adminAttributes}`);

  const { name = scope.name('app'), ...role } = options;
  const base = await scope.createAppRole({ ...role, name, ...(kind === 'creator' ? { createdBy: admin.name } : {}) });
  scope.adopt(`${name}_clone`);
  if (kind === 'admin-option') await server.query(`GRANT ${quoted(name)} TO ${quoted(admin.name)} WITH ADMIN OPTION`);

  if (superuserMembers?.iam === true) await server.query(`GRANT rds_iam TO ${quoted(admin.name)}`);

  const choice: FunctionChoice = {
    strategy: 'alternating-users',
    environment,
    timeoutMs,
  };
  const superuserSecret = await account.secretFor(server, admin, choice, superuserMembers);
  const secret = await account.secretFor(server, base, choice, { masterarn: superuserSecret.arn, ...members });
  return new Twins(account, server, { base, admin, secret, superuserSecret });
}

/** Creates a role that may log in, without its password in the server's log. */
export async function createLogin(scope: RoleScope, name: string, password: string, attributes = ''): Promise<void> {
  scope.adopt(name);
  await scope.server.query(`CREATE ROLE ${quoted(name)} LOGIN ${attributes} PASSWORD ${escapeLiteral(password)}`);
}

const quoted = escapeIdentifier;

interface TwinParts {
  readonly base: AppRole;
  readonly admin: { readonly name: string; readonly password: string };
  readonly secret: TestSecret;
  readonly superuserSecret: TestSecret;
}

/** Two twin logins, as far as rotations have come with them. */
export class Twins {
  readonly base: AppRole;
  /** The name of the second login. */
  readonly twin: string;
  readonly admin: { readonly name: string; readonly password: string };
  readonly secret: TestSecret;
  readonly superuserSecret: TestSecret;
  readonly server: PostgresServer;
  readonly #account: TestAccount;

  constructor(account: TestAccount, server: PostgresServer, { base, admin, secret, superuserSecret }: TwinParts) {
    this.#account = account;
    this.server = server;
    this.base = base;
    this.twin = `${base.name}_clone`;
    this.admin = admin;
    this.secret = secret;
    this.superuserSecret = superuserSecret;
  }

  /** Quoted, for SQL. */
  get sql() {
    return { base: quoted(this.base.name), twin: quoted(this.twin), admin: quoted(this.admin.name) };
  }

  /** Rotates and expects that to succeed. */
  async rotate(): Promise<void> {
    const result = await this.secret.rotate();
    expect(result.steps.filter(({ outcome }) => outcome === 'failed' || outcome === 'crashed')).toEqual([]);
    expect(result.outcome).toBe('succeeded');
  }

  /** Rotates, expects a refusal with this code and that neither roles nor AWSCURRENT changed, and gives the rotation up. */
  async refused(code: string, by: Partial<FunctionChoice> = {}): Promise<StepResult> {
    const before = await this.roles();
    const current = await this.secret.text();
    const failure = failureOf(await this.secret.rotate({ by }));
    expect(failure).toMatchObject({ error_code: code });
    expect(await this.roles()).toEqual(before);
    expect(await this.secret.text()).toBe(current);
    await this.giveUp();
    return failure;
  }

  /** Gives a failed rotation up, as an operator does, so that the next one starts anew. */
  async giveUp(): Promise<void> {
    const { AWSPENDING } = await this.secret.labels();
    if (AWSPENDING !== undefined) await this.secret.unlabel('AWSPENDING', AWSPENDING);
  }

  async login(which: Which = CURRENT): Promise<Login> {
    const { username, password, dbname } = JSON.parse(await this.secret.text(which));
    return { user: username, password, database: dbname };
  }

  /** What the login of a version sees of itself. */
  async identity(which: Which = CURRENT): Promise<{ session: string; current: string } | undefined> {
    const sql = 'SELECT session_user::text AS session, current_user::text AS current';
    return (await this.query<{ session: string; current: string }>(sql, which))[0];
  }

  /** Runs SQL as the application does, with the credential of a version. */
  async query<Row extends object>(sql: string, which: Which = CURRENT): Promise<Row[]> {
    return await this.server.query<Row>(sql, undefined, await this.login(which));
  }

  /** As the superuser of the server. */
  async administer(statements: string): Promise<void> {
    await this.server.query(statements);
  }

  /** All that the server knows about the twins; passwords as digests. */
  async roles(): Promise<object[]> {
    return await rolesNamed(this.server, [this.base.name, this.twin]);
  }

  /** Rotates and counts: API calls of the functions, for whatever secret, and logins at the server. */
  async countedRotation() {
    const logins = await countLogins(this.server);
    const before = this.#account.lab.requests.all().length;
    await this.rotate();
    const calls = this.#account.lab.requests
      .all()
      .slice(before)
      .filter(({ userAgent }) => userAgent?.includes('exec-env/AWS_Lambda'));
    const users = [this.base.name, this.twin, this.admin.name];
    const counts = await Promise.all(users.map((user) => logins(user)));
    return {
      calls: calls.map(({ operation, status }) => (status === 200 ? operation : `${operation} ${status}`)),
      accepted: counts.map((count) => count.accepted),
      failed: counts.map((count) => count.failed),
    };
  }
}

/** All that a server knows about roles of these names; passwords as digests. */
export async function rolesNamed(server: PostgresServer, names: readonly string[]): Promise<object[]> {
  return await server.query(
    `SELECT to_jsonb(a) - 'oid' - 'rolpassword' AS role, md5(a.rolpassword) AS password,
            ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = a.oid ORDER BY 1) AS "memberOf",
            ARRAY(SELECT s.setdatabase || ' ' || s.setconfig::text FROM pg_db_role_setting s
                   WHERE s.setrole = a.oid ORDER BY 1) AS settings
       FROM pg_authid a WHERE rolname = ANY ($1) ORDER BY rolname`,
    [names],
  );
}

/** The step that ended a rotation. */
export function failureOf(result: RotationResult): StepResult {
  expect(result.outcome).toBe('failed');
  const last = result.steps.at(-1);
  if (last === undefined) throw new Error('A failed rotation should have a last step, and has none.');
  return last;
}

/** The SQL statements that a remedy tells to run. */
export function sqlOf(remedy: string | undefined): string {
  const statements = remedy?.match(/\b(GRANT|REVOKE|CREATE ROLE|ALTER ROLE)\b[^;]*;/g) ?? [];
  if (statements.length === 0) throw new Error(`A remedy with SQL was needed, and it says: ${remedy}`);
  return statements.join('\n');
}
