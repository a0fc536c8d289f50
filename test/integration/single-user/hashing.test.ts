import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { followLog, newestVersion, postgresVersions, sharedServer, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

const NEWEST = newestVersion();
const OLDEST = Math.min(...postgresVersions());

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const arrangeWith = async (server: PostgresServer, environment: Readonly<Record<string, string>> = {}) =>
  await arrange(account, server, { strategy: 'single-user', environment });

/** The beginning of what the server stores, which names the method, without what is secret. */
async function storedForm({ server, role }: Arrangement): Promise<string> {
  const [row] = await server.query<{ form: string }>(
    `SELECT substring(rolpassword FROM '^(md5|[^:]+:)') AS form FROM pg_authid WHERE rolname = $1`,
    [role.name],
  );
  return row?.form ?? 'nothing';
}

async function expectRotated(here: Arrangement): Promise<void> {
  expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  await expectWorking(here);
  expect(await accepted(here.server, here.role, [here.role.password])).toEqual([false]);
}

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test.each(['client', 'server'])('stores a SCRAM verifier with PASSWORD_HASHING=%s', async (hashing) => {
    await using here = await arrangeWith(await sharedServer(version), { PASSWORD_HASHING: hashing });
    await expectRotated(here);
    expect(await storedForm(here)).toBe('SCRAM-SHA-256$4096:');
  });

  test.each([
    'client',
    'server',
  ])('with PASSWORD_HASHING=%s never gives an md5 hash to who logs in by SCRAM', async (hashing) => {
    // pg_hba.conf takes nothing but SCRAM here: an md5 hash would lock the role out for good.
    const prepare = (role: string) => `ALTER ROLE ${role} SET password_encryption = 'md5'`;
    const choice = { strategy: 'single-user', environment: { PASSWORD_HASHING: hashing } } as const;
    await using here = await arrange(account, await sharedServer(version), choice, { prepare });
    await expectRotated(here);
    expect(await storedForm(here)).toBe('SCRAM-SHA-256$4096:');
  });

  if (version >= 16) {
    test('makes as many iterations as scram_iterations says', async () => {
      const server = await sharedServer(version);
      const prepare = (role: string) => `ALTER ROLE ${role} SET scram_iterations = 7001`;
      await using here = await arrange(account, server, { strategy: 'single-user' }, { prepare });
      await expectRotated(here);
      expect(await storedForm(here)).toBe('SCRAM-SHA-256$7001:');
    });
  }
});

describe.each([...new Set([OLDEST, NEWEST])])('PostgreSQL %i', (version) => {
  test.each([
    ['client', "'"],
    ['server', "'"],
    ['server', '\\'],
  ])("with PASSWORD_HASHING=%s takes any password that AWS's rules can make, such as one with %s", async (hashing, needed) => {
    const environment = { PASSWORD_HASHING: hashing, EXCLUDE_CHARACTERS: '', PASSWORD_LENGTH: '200' };
    const server = await sharedServer(version);
    const prepare = (role: string) => `ALTER ROLE ${role} SET standard_conforming_strings = off`;
    await using here = await arrange(account, server, { strategy: 'single-user', environment }, { prepare });
    do await expectRotated(here);
    while (!(await here.secret.password()).includes(needed));
  });
});

describe.each([...new Set([OLDEST, NEWEST])])('a server of version %i that knows only md5', (version) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startTestServer({
      version,
      hba: ['host all all all md5'],
      settings: { password_encryption: 'md5' },
    });
  });
  afterAll(() => server.close());

  test.each(['client', 'server'])('gets an md5 hash with PASSWORD_HASHING=%s', async (hashing) => {
    await using here = await arrangeWith(server, { PASSWORD_HASHING: hashing });
    await expectRotated(here);
    expect(await storedForm(here)).toBe('md5');
  });

  test('is given no reason to warn of md5, which is its own choice', async () => {
    await using here = await arrangeWith(server);
    const logged = await followLog(server);
    await expectRotated(here);
    expect(await logged()).not.toContain(' WARNING:  ');
  });

  test('is moved to SCRAM by the next rotation once it asks for it', async () => {
    await using here = await arrangeWith(server);
    const role = `"${here.role.name}"`;
    await server.query(`ALTER ROLE ${role} SET password_encryption = 'scram-sha-256'`);
    await expectRotated(here);
    expect(await storedForm(here)).toBe('SCRAM-SHA-256$4096:');
  });
});

describe('a server with a password check', () => {
  const prepare = (role: string) => `ALTER ROLE ${role} SET session_preload_libraries = 'passwordcheck'`;
  const onlyLetters = { EXCLUDE_NUMBERS: 'true', EXCLUDE_PUNCTUATION: 'true' };
  const arrangeChecked = async (environment: Readonly<Record<string, string>>) =>
    await arrange(account, await sharedServer(), { strategy: 'single-user', environment }, { prepare });

  test('gets a password that it takes, in clear where that is asked for', async () => {
    await using here = await arrangeChecked({ PASSWORD_HASHING: 'server' });
    await expectRotated(here);
  });

  test('and one that it refuses fails the rotation with the settings to change, and the old password stays', async () => {
    await using here = await arrangeChecked({ PASSWORD_HASHING: 'server', ...onlyLetters });
    const { server, role, secret } = here;

    const { outcome, steps } = await secret.rotate();

    expect(outcome).toBe('failed');
    expect(steps.at(-1)).toMatchObject({
      step: 'setSecret',
      error_code: 'PASSWORD_REFUSED_BY_POLICY',
      remedy: expect.stringMatching(/PASSWORD_LENGTH.*PASSWORD_HASHING=server/),
    });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
  });
});

test("the new password follows AWS's variables", async () => {
  const environment = {
    PASSWORD_LENGTH: '20',
    EXCLUDE_PUNCTUATION: 'true',
    EXCLUDE_UPPERCASE: 'yes',
    EXCLUDE_CHARACTERS: 'abcxyz019',
  };
  await using here = await arrangeWith(await sharedServer(), environment);
  await expectRotated(here);
  expect(await here.secret.password()).toMatch(/^(?=.*[d-w])(?=.*[2-8])[d-w2-8]{20}$/);
});
