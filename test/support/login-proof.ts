import { expect } from 'vitest';
import type { AppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { canLogin } from './postgres.ts';
import { CURRENT, type TestSecret, type Which } from './test-secret.ts';

/** Which of the passwords the server takes from this role, in the order given. */
export async function accepted(
  server: PostgresServer,
  role: AppRole,
  passwords: readonly string[],
): Promise<boolean[]> {
  const { name: user, database } = role;
  const logins = passwords.map((password) => canLogin(server, { user, password, database }));
  return (await Promise.all(logins)).map((outcome) => outcome === 'accepted');
}

/** The version's password opens the server, and the application's table can be read with it. */
export async function expectWorking(
  server: PostgresServer,
  role: AppRole,
  secret: TestSecret,
  which: Which = CURRENT,
): Promise<void> {
  const login = { user: role.name, password: await secret.password(which), database: role.database };
  expect(await server.query(`SELECT item FROM ${role.table}`, undefined, login)).toEqual([{ item: 'first' }]);
}
