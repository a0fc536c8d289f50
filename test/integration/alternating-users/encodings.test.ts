import { randomBytes } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { failureOf, outermostVersions, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const inEncoding = (encoding: string) => `ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`;

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each([
    'LATIN1',
    'SQL_ASCII',
  ])("a name that is not ASCII is refused in the administrator's database in %s, and the role whose bytes it has there is left alone", async (encoding) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const database = await scope.createDatabase('odd', inEncoding(encoding));
    const app = await twins(account, scope, { name: scope.name('café'), superuserMembers: { dbname: database } });
    // In a database in LATIN1 this is another role than in one in UTF8.
    const there = { database };
    const namesake = escapeIdentifier(app.base.name);
    const isOther = encoding === 'LATIN1';
    if (isOther)
      await server.query(`CREATE ROLE ${namesake} LOGIN PASSWORD ${escapeLiteral(newPassword())}`, undefined, there);
    try {
      const before = await passwordsOf(server, scope.prefix);
      const failure = failureOf(await app.secret.rotate());
      expect(failure).toMatchObject({ step: 'setSecret', error_code: 'ROLE_NAME_ENCODING' });
      // AWSPENDING need not be taken off for that.
      expect(failure.remedy).toMatch(/^Put the name of a database in UTF8 into "dbname" of the superuser secret/);
      expect(await passwordsOf(server, scope.prefix)).toEqual(before);
    } finally {
      if (isOther) await server.query(`DROP ROLE ${namesake}`, undefined, there);
    }
    // The remedy, and the very same attempt once more.
    await app.superuserSecret.put({ dbname: 'postgres' });
    const { AWSPENDING = '' } = await app.secret.labels();
    expect((await app.secret.rotate({ token: AWSPENDING })).outcome).toBe('succeeded');
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test.each([
    'LATIN1',
    'SQL_ASCII',
  ])('a name that is not ASCII is refused in its own database in %s before a version is stored', async (encoding) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const database = await scope.createDatabase('odd', inEncoding(encoding));
    const app = await twins(account, scope, { name: scope.name('café'), members: { dbname: database } });

    const failure = await app.refused('ROLE_NAME_ENCODING');

    expect(failure).toMatchObject({ step: 'createSecret' });
    expect(app.secret.calls.map(({ operation }) => operation)).not.toContain('PutSecretValue');
    await app.secret.put({ dbname: 'postgres' });
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test.each(['LATIN1', 'SQL_ASCII'])('an ASCII name takes turns in a database in %s', async (encoding) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const database = await scope.createDatabase('odd', inEncoding(encoding));
    const members = { dbname: database };
    const app = await twins(account, scope, { database, superuserMembers: members });

    for (const session of [app.twin, app.base.name, app.twin]) {
      await app.rotate();
      expect(await app.identity()).toEqual({ session, current: app.base.name });
    }
  });
});

const newPassword = () => randomBytes(18).toString('base64url');

/** Of all roles whose names begin so, as digests. The roles by number: a name may be no text in this database. */
async function passwordsOf(server: PostgresServer, prefix: string): Promise<object[]> {
  return await server.query(
    `SELECT oid, md5(rolpassword) AS password FROM pg_authid
      WHERE rolname >= ${escapeLiteral(prefix)} AND rolname < ${escapeLiteral(`${prefix}~`)} ORDER BY oid`,
  );
}
