import { randomBytes } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { RotationBench } from '../../support/rotation-bench.ts';
import { failureOf, outermostVersions, twins } from '../../support/twins.ts';

let bench: RotationBench;
beforeAll(async () => {
  bench = await RotationBench.open();
});
afterAll(() => bench[Symbol.asyncDispose]());

const inEncoding = (encoding: string) => `ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`;

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each([
    'LATIN1',
    'SQL_ASCII',
  ])("a name that is not ASCII is refused in the administrator's database in %s, and the role whose bytes it has there is left alone", async (encoding) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const database = await scope.createDatabase('odd', inEncoding(encoding));
    const app = await twins(bench, scope, { name: scope.name('café'), superuserMembers: { dbname: database } });
    // In a database in LATIN1 this is another role than in one in UTF8.
    const there = { database };
    const namesake = escapeIdentifier(app.base.name);
    const isOther = encoding === 'LATIN1';
    if (isOther)
      await server.query(`CREATE ROLE ${namesake} LOGIN PASSWORD ${escapeLiteral(newPassword())}`, undefined, there);
    try {
      const before = await passwordsOf(server, scope.prefix);
      for (let turn = 1; turn <= 2; turn++) {
        await app.superuserSecret.put({ dbname: database });
        const failure = failureOf(await app.secret.rotate());
        expect(failure).toMatchObject({ step: 'setSecret', error_code: 'ROLE_NAME_ENCODING' });
        expect(failure.remedy).toMatch(/UTF8/);
        expect(failure.remedy).toMatch(/dbname/);
        expect(await passwordsOf(server, scope.prefix)).toEqual(before);
      }
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
    const app = await twins(bench, scope, { name: scope.name('café'), members: { dbname: database } });

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
    const app = await twins(bench, scope, { database, superuserMembers: members });

    for (const session of [app.twin, app.base.name, app.twin]) {
      await app.rotate();
      expect(await app.identity()).toEqual({ session, current: app.base.name });
    }
  });
});

const newPassword = () => randomBytes(18).toString('base64url');

/** Of all roles whose names begin so, as digests: names as the bytes that they are. */
async function passwordsOf(server: Awaited<ReturnType<typeof sharedServer>>, prefix: string): Promise<object[]> {
  return await server.query(
    `SELECT encode(decode(replace(rolname::text, '\\', '\\\\'), 'escape'), 'hex') AS name, md5(rolpassword) AS password
       FROM pg_authid WHERE starts_with(rolname::text, ${escapeLiteral(prefix)}) ORDER BY 1`,
  );
}
