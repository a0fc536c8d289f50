import { expect } from 'vitest';
import type { AppRole } from '../../scripts/lab/database/app-role.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import type { Arrangement } from './arrangement.ts';
import { canLogin } from './postgres.ts';
import { CURRENT, type Which } from './test-secret.ts';

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

/** The version's login works, and reads the application's table. */
export async function expectWorking({ server, role, secret }: Arrangement, which: Which = CURRENT): Promise<void> {
  const { username: user, password } = JSON.parse(await secret.text(which));
  const login = { user, password, database: role.database };
  expect(await server.query(`SELECT item FROM ${role.table}`, undefined, login)).toEqual([{ item: 'first' }]);
}
