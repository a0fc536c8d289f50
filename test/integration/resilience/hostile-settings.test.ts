import { escapeIdentifier, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RotationCommand } from '../../support/command.ts';
import { companyOn } from '../../support/hostile-actors.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { TestAccount } from '../../support/test-account.ts';
import { createLogin, failureOf, outermostVersions, twins } from '../../support/twins.ts';

/**
 * Encodings in which a backslash may be the second byte of a character, each with a letter whose last byte in UTF-8 is
 * the first of such a one: who reads UTF-8 as this takes the letter and a backslash behind it for one character.
 */
const ENCODINGS = [
  ['GBK', '€'],
  ['SJIS', 'А'],
  ['BIG5', '乡'],
] as const;

/** What any owner of a database, or any role for itself, may set, and what changes how SQL or its answers are read. */
const SETTINGS = {
  standard_conforming_strings: 'off',
  backslash_quote: 'on',
  quote_all_identifiers: 'on',
  transform_null_equals: 'on',
  array_nulls: 'off',
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  bytea_output: 'escape',
  password_encryption: 'md5',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  default_tablespace: 'none of this name',
  row_security: 'off',
  check_function_bodies: 'off',
  client_min_messages: 'debug5',
  exit_on_error: 'on',
};

let account: TestAccount;
let command: RotationCommand;
beforeAll(async () => {
  account = await TestAccount.open();
  command = new RotationCommand(account.lab);
});
afterAll(async () => {
  await command[Symbol.asyncDispose]();
  await account[Symbol.asyncDispose]();
});

async function owned(scope: RoleScope): Promise<{ database: string; mallory: string }> {
  const { server } = scope;
  const database = await scope.createDatabase();
  const mallory = scope.name('mallory');
  await createLogin(scope, mallory, 'no password that anybody uses');
  await server.query(`ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${escapeIdentifier(mallory)}`);
  return { database, mallory };
}

/** SQL behind a quote that is none to who reads another encoding. */
const payload = (letter: string, mallory: string) =>
  `${letter}\\'; ALTER ROLE ${escapeIdentifier(mallory)} SUPERUSER; --`;

async function isSuperuser({ server }: RoleScope, role: string): Promise<boolean> {
  const [row] = await server.query<{ rolsuper: boolean }>('SELECT rolsuper FROM pg_roles WHERE rolname = $1', [role]);
  return row?.rolsuper === true;
}

async function noteOf({ server }: RoleScope, role: string): Promise<string | undefined> {
  const [row] = await server.query<{ note: string }>(
    `SELECT substr(entry, 9) AS note FROM pg_roles r JOIN pg_db_role_setting s ON s.setrole = r.oid, unnest(setconfig) AS entry
      WHERE rolname = $1 AND entry LIKE 'my.note=%'`,
    [role],
  );
  return row?.note;
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each(ENCODINGS)('SQL in a setting runs where a session is read as %s', async (encoding, letter) => {
    await using scope = roleScope(await sharedServer(version));
    const { mallory } = await owned(scope);
    await scope.server.withClient(async (client) => {
      // By default \\' is refused in such encodings, which anybody may allow.
      await client.query(`SET client_encoding = '${encoding}'; SET backslash_quote = on`);
      const value = escapeLiteral(payload(letter, mallory));
      await client.query(`ALTER ROLE ${escapeIdentifier(mallory)} SET "my.note" TO ${value}`);
    });
    expect(await isSuperuser(scope, mallory)).toBe(true);
  });

  test.each([
    ['a database', 'GBK', '€'],
    ['roles', 'SJIS', 'А'],
    ['a database', 'BIG5', '乡'],
  ] as const)('settings of %s that change how bytes are read, %s among them, change nothing', async (whose, encoding, letter) => {
    await using scope = roleScope(await sharedServer(version));
    const { server } = scope;
    const { database, mallory } = await owned(scope);
    const company = await companyOn({ account, command, scope, database, named: 'read' });
    const app = scope.name('read_app');
    const note = payload(letter, mallory);
    const of =
      whose === 'roles'
        ? company.logins.map((login) => `ROLE ${escapeIdentifier(login)}`)
        : [`DATABASE ${escapeIdentifier(database)}`];
    const settings = Object.entries({ ...SETTINGS, client_encoding: encoding });
    const statements = of.flatMap((one) =>
      settings.map(
        ([name, value]) => `ALTER ${one} SET ${name} = ${name === 'DateStyle' ? value : escapeLiteral(value)}`,
      ),
    );
    await server.query(statements.join(';'));
    await server.query(`ALTER ROLE ${escapeIdentifier(app)} SET "my.note" TO ${escapeLiteral(note)}`);

    const unfinished = await company.play();

    expect({ unfinished, malloryIsSuperuser: await isSuperuser(scope, mallory) }).toEqual({
      unfinished: [],
      malloryIsSuperuser: false,
    });
    expect(await noteOf(scope, `${app}_clone`)).toBe(note);
  });

  test('transactions that are read-only by default keep nothing from being done', async () => {
    await using scope = roleScope(await sharedServer(version));
    const { database } = await owned(scope);
    const company = await companyOn({ account, command, scope, database, named: 'readonly' });
    await scope.server.query(`ALTER DATABASE ${escapeIdentifier(database)} SET default_transaction_read_only = on`);

    expect(await company.play()).toEqual([]);
  });

  test("no remedy gives rights to the role that a database's own setting makes an administrator act as", async () => {
    await using scope = roleScope(await sharedServer(version));
    const { database, mallory } = await owned(scope);
    const app = await twins(account, scope, { database, superuserMembers: { dbname: database } });
    await scope.server.query(`ALTER DATABASE ${escapeIdentifier(database)} SET role = ${escapeLiteral(mallory)}`);

    const result = await app.secret.rotate();

    const remedy = result.outcome === 'succeeded' ? '' : `${failureOf(result).remedy}`;
    expect(remedy).not.toMatch(new RegExp(`(ALTER ROLE|GRANT)[^;]*"${mallory}"`));
  });
});
