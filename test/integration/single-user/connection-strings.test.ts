import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { run, toolIsHere } from '../../support/tools.ts';
import { twins } from '../../support/twins.ts';

const LISTED = ['DATABASE_URL', 'jdbcUrl', 'dsn', 'PGPASSWORD', 'absent'];
/** AWS's rules with nothing left out: passwords of all 32 punctuation characters. */
const ODD = { CONNECTION_STRING_KEYS: LISTED.join(), EXCLUDE_CHARACTERS: '', PASSWORD_LENGTH: '200' };
const psqlIsHere = toolIsHere('psql', ['psql', '--version'], 'REQUIRE_PSQL');

/** Where Debian puts libpostgresql-jdbc-java. */
const PGJDBC = '/usr/share/java/postgresql.jar';
const pgjdbcIsHere = toolIsHere(
  'Java with pgjdbc',
  ['sh', '-c', `javac -version && javap -cp ${PGJDBC} org.postgresql.Driver`],
  'REQUIRE_JAVA',
);

/** The URL comes by standard input, as it does with psql. */
const JDBC_LOGIN = `
import java.sql.*;
import java.util.Scanner;
public final class JdbcLogin {
  public static void main(String[] args) throws SQLException {
    try (Connection session = DriverManager.getConnection(new Scanner(System.in, "UTF-8").nextLine());
        ResultSet rows = session.createStatement().executeQuery("SELECT session_user")) {
      rows.next();
      System.out.println(rows.getString(1));
    }
  }
}
`;

let account: TestAccount;
let folder: string;
beforeAll(async () => {
  account = await TestAccount.open();
  folder = await mkdtemp(join(tmpdir(), 'connection-strings-'));
  if (!pgjdbcIsHere) return;
  await writeFile(join(folder, 'JdbcLogin.java'), JDBC_LOGIN);
  run('javac', ['-d', folder, join(folder, 'JdbcLogin.java')]);
}, 120_000);
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Login {
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
}

async function storedLogin(secret: TestSecret): Promise<Login & Readonly<Record<string, string>>> {
  return JSON.parse(await secret.text());
}

/** As people write them into a secret. */
async function addCopies(secret: TestSecret): Promise<void> {
  const { username, password, host, port, dbname } = await storedLogin(secret);
  const [user, pass] = [encodeURIComponent(username), encodeURIComponent(password)];
  await secret.put({
    DATABASE_URL: `postgresql://${user}:${pass}@${host}:${port}/${dbname}?application_name=shop`,
    jdbcUrl: `jdbc:postgresql://${host}:${port}/${dbname}?user=${user}&password=${pass}`,
    dsn: `host=${host} port=${port} dbname='${dbname}' user='${username}' password='${password}'`,
    PGPASSWORD: password,
  });
}

/** Each copy is used as its reader would use it. */
async function expectCopiesToLogIn(secret: TestSecret): Promise<void> {
  const { username, password, DATABASE_URL = '', jdbcUrl = '', dsn = '', PGPASSWORD } = await storedLogin(secret);
  expect(PGPASSWORD === password).toBe(true);
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT session_user AS u, current_setting($1) AS a', ['application_name']);
    expect(rows).toEqual([{ u: username, a: 'shop' }]);
  } finally {
    await client.end();
  }
  const properties = new URL(jdbcUrl.slice('jdbc:'.length)).searchParams;
  expect(properties.get('user') === username && properties.get('password') === password).toBe(true);
  if (pgjdbcIsHere) expect(userOfPgjdbc(jdbcUrl)).toBe(username);
  if (!psqlIsHere) return;
  const login = await storedLogin(secret);
  for (const copy of [DATABASE_URL, dsn]) expect(userOfPsql(login, copy)).toBe(username);
}

function userOfPgjdbc(url: string): string {
  const args = ['-cp', `${folder}:${PGJDBC}`, 'JdbcLogin'];
  const { status, stdout } = spawnSync('java', args, { input: `${url}\n`, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : 'pgjdbc has failed';
}

/** The copy comes by standard input, since a command line is for all to see. */
function userOfPsql({ host, port, dbname, username, password }: Login, copy: string): string {
  // \connect reads its argument as a name.
  const argument = `"${copy.replaceAll('"', '""')}"`;
  const input = `\\connect -reuse-previous=off ${argument}\nSELECT session_user;\n`;
  // psql wants a session to begin with; \connect then takes all from the copy.
  const first = { PGHOST: host, PGPORT: String(port), PGUSER: username, PGPASSWORD: password, PGDATABASE: dbname };
  const env = { PATH: process.env.PATH, ...first };
  const { stdout, stderr } = spawnSync('psql', ['-XAtq', '-w', '-f', '-'], { input, encoding: 'utf8', env });
  return stderr === '' ? stdout.trim() : 'psql has failed';
}

const choice = (strategy: 'single-user' | 'alternating-users') => ({ strategy, environment: ODD });

test('a single user rotates with its copies, twice, and each of them logs in', async () => {
  await using here = await arrange(account, await sharedServer(), choice('single-user'));
  await addCopies(here.secret);
  for (let rotation = 0; rotation < 2; rotation++) {
    const before = await here.secret.password();
    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded', attempts: 1 });
    expect((await here.secret.text()).includes(before)).toBe(false);
    await expectCopiesToLogIn(here.secret);
  }
});

test('alternating users take turns in the copies too', async () => {
  await using scope = roleScope(await sharedServer());
  const app = await twins(account, scope, { environment: ODD });
  await addCopies(app.secret);
  for (const user of [app.twin, app.base.name]) {
    await app.rotate();
    expect((await storedLogin(app.secret)).username).toBe(user);
    await expectCopiesToLogIn(app.secret);
  }
});

test.each([
  ['another password', 'postgres://app:another@h/d'],
  ['the password among other text', 'the password is {password}.'],
  ['no text', 7],
])('a listed key with %s stops the rotation before the new version has a value', async (_, value) => {
  await using here = await arrange(account, await sharedServer(), choice('single-user'));
  const password = await here.secret.password();
  const text = typeof value === 'string' ? value.replace('{password}', password) : value;
  await here.secret.put({ DATABASE_URL: text });
  const token = await here.secret.begin();
  const result = await here.secret.step('createSecret', token);
  expect(result).toMatchObject({ error_code: 'SECRET_MALFORMED', key: 'DATABASE_URL' });
  expect(JSON.stringify(result).includes(password)).toBe(false);
  await expect(here.secret.text({ versionId: token })).rejects.toThrow();
});

test('keys that are not listed are kept, and createSecret names those that hold the password', async () => {
  await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
  await addCopies(here.secret);
  const before = await storedLogin(here.secret);
  const token = await here.secret.begin();
  const created = await here.secret.step('createSecret', token);
  expect(created.notice).toBe(
    'kept as it was, with the former password: "DATABASE_URL", "jdbcUrl", "dsn", "PGPASSWORD"; see CONNECTION_STRING_KEYS',
  );
  const after = JSON.parse(await here.secret.text({ versionId: token }));
  expect({ ...after, password: '' }).toEqual({ ...before, password: '' });
});

test('a list that changes in the middle of a rotation stops nothing', async () => {
  await using here = await arrange(account, await sharedServer(), choice('single-user'));
  await addCopies(here.secret);
  const token = await here.secret.begin();
  await here.secret.step('createSecret', token);
  const unlisted = { environment: {} };
  for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const)
    expect(await here.secret.step(step, token, unlisted)).toMatchObject({ outcome: 'done' });
  await expectCopiesToLogIn(here.secret);
});
