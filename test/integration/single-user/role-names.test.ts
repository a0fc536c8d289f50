import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { HeldWays } from '../../support/held-rotation.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { newestVersion, postgresVersions, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** The test's prefix has 12 bytes of the 63 that a name may have. */
const SPACE_LEFT = 51;

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test.each([
    ['double quotes', 'a"b""c'],
    ['single quotes', "o'brien's"],
    ['spaces', ' two  words '],
    ['per cents', '50% 100%%x %s %L %I'],
    ['dollars and backslashes', '$1 $$ \\x \\\\'],
    ['capitals', 'MixedCase'],
    ['a keyword', 'select'],
    ['umlauts', 'grün-ß'],
    ['another script and an emoji', '用户 😀'],
    ['the look of SQL', '"; DROP ROLE x; --'],
    ['63 bytes', 'x'.repeat(SPACE_LEFT)],
    ['63 bytes of umlauts', `x${'ü'.repeat((SPACE_LEFT - 1) / 2)}`],
  ])('rotates a role with %s in its name', async (_, named) => {
    await using here = await arrange(account, await sharedServer(version), { strategy: 'single-user' }, { named });
    const { server, role, secret } = here;

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await accepted(server, role, [role.password])).toEqual([false]);
    await expectWorking(here);
  });
});

// How a password gets in is up to the driver; what the server makes of it has changed little.
describe.each([...new Set([Math.min(...postgresVersions()), newestVersion()])])('PostgreSQL %i', (version) => {
  test.each([
    ['quotes', `it's "quoted" '' ""`],
    ['backslashes', 'back\\slash \\\\ \\x41 \\'],
    ['what SQL and format() give a meaning', `%s %L $1 $$; DROP ROLE x; --`],
    ['1000 characters', 'long'.repeat(250)],
    ['umlauts', 'schlüßelwort'],
    ['an emoji', 'geheim-😀-geheim'],
  ])('rotates away a password with %s', async (_, password) => {
    await using here = await arrange(account, await sharedServer(version), { strategy: 'single-user' }, { password });
    const { server, role, secret } = here;

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await accepted(server, role, [password])).toEqual([false]);
    await expectWorking(here);
  });
});

test.each([
  'LATIN1',
  'SQL_ASCII',
  'UTF8',
])("AWSCURRENT's password is set again in a database in %s as the bytes that clients send", async (encoding) => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const database = await scope.createDatabase('odd', `ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
  await using ways = await HeldWays.open(account, server);
  await using held = await ways.arrange({ password: 'gr\u00fcn-\u00df-0123456789', members: { dbname: database } });
  const token = await held.here.secret.begin();
  await held.inTurn('a', token, ['createSecret', 'setSecret']);
  await held.here.secret.put({ note: 'by hand' });

  expect(await held.b('setSecret', token)).toMatchObject({
    error_code: 'PENDING_MISMATCH',
    error_message: expect.stringContaining('AWSCURRENT logs in'),
  });

  expect(await held.wrong()).toEqual([]);
});
