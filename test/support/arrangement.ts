import type { AppRole, AppRoleOptions } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { roleScope } from './postgres.ts';
import type { RoleScope } from './role-scope.ts';
import type { TestAccount } from './test-account.ts';
import type { FunctionChoice, SecretMembers, TestSecret } from './test-secret.ts';

export interface ArrangementOptions extends Omit<Partial<AppRoleOptions>, 'name' | 'database'> {
  /** The role's name behind the scope's prefix. Default: 'app'. */
  readonly named?: string;
  /** Whether the role gets a database for itself, for what can't be done to one that others use. Default: no. */
  readonly ownDatabase?: boolean;
  /** SQL that a superuser runs in the role's database, given the role's name as a quoted identifier. */
  readonly prepare?: (role: string, scope: RoleScope) => string;
  /** Members of the secret, besides those that the login has. */
  readonly members?: SecretMembers;
}

/** A role on a server, with a table of its own, and the secret of its login. They go when the test ends. */
export interface Arrangement extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly scope: RoleScope;
  readonly role: AppRole;
  readonly secret: TestSecret;
}

/** `await using here = await arrange(account, server, { strategy: 'single-user' })`. */
export async function arrange(
  account: TestAccount,
  server: PostgresServer,
  choice: FunctionChoice,
  { named = 'app', ownDatabase = false, prepare, members, ...roleOptions }: ArrangementOptions = {},
): Promise<Arrangement> {
  const scope = roleScope(server);
  try {
    const database = ownDatabase ? { database: await scope.createDatabase() } : {};
    const role = await scope.createAppRole({ ...roleOptions, ...database, name: scope.name(named) });
    if (prepare !== undefined)
      await server.query(prepare(quoted(role.name), scope), undefined, { database: role.database });
    const secret = await account.secretFor(server, role, choice, members);
    return { server, scope, role, secret, [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose]() };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
