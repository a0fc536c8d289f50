import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { countLogins, followLog, sharedServer, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

/** Members of this role may not connect in plain text. */
const TLS_ONLY = 'tls_only';

let account: TestAccount;
let server: PostgresServer;
let plainServer: PostgresServer;
let folder: string;
/** For functions that trust the server's authority. */
let trusting: Readonly<Record<string, string>>;

beforeAll(async () => {
  const [authority, stranger] = await Promise.all([CertificateAuthority.create(), CertificateAuthority.create()]);
  folder = await mkdtemp(join(tmpdir(), 'authorities-'));
  await writeFile(join(folder, 'authority.pem'), authority.certificate);
  await writeFile(join(folder, 'stranger.pem'), stranger.certificate);
  trusting = { DB_CA_FILE: join(folder, 'authority.pem') };
  account = await TestAccount.open();
  plainServer = await sharedServer();
  server = await startTestServer({
    tls: (host) => authority.issue([host]),
    hba: [`hostnossl all +${TLS_ONLY} all reject`, 'host all all all scram-sha-256'],
  });
  await server.query(`CREATE ROLE ${TLS_ONLY}`);
});

afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await server.close();
  await rm(folder, { recursive: true });
});

const arrangeOn = async (
  where: PostgresServer,
  ssl: boolean | undefined,
  environment: Readonly<Record<string, string>>,
  options: ArrangementOptions = {},
) =>
  await arrange(
    account,
    where,
    { strategy: 'single-user', environment },
    { ...options, members: { ssl, ...options.members } },
  );

/** How the user's sessions that were accepted were protected. */
const protectionIn = (log: string, user: string) =>
  log
    .split('\n')
    .filter((line) => line.includes(`connection authorized: user=${user} `))
    .map((line) => (line.includes('SSL enabled') ? 'TLS' : 'plain'));

describe('a server with TLS', () => {
  test.each([true, undefined])('is used over TLS, verified, where the secret says "ssl": %s', async (ssl) => {
    await using here = await arrangeOn(server, ssl, trusting, { prepare: (role) => `GRANT ${TLS_ONLY} TO ${role}` });
    const logged = await followLog(server);

    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(protectionIn(await logged(), here.role.name)).toEqual(['TLS', 'TLS', 'TLS']);
    await expectWorking(here);
  });

  test('is used in plain text only where the secret says so', async () => {
    await using here = await arrangeOn(server, false, trusting);
    const logged = await followLog(server);

    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(protectionIn(await logged(), here.role.name)).toEqual(['plain', 'plain', 'plain']);
  });

  test.each<[string, boolean | undefined, () => Record<string, string>]>([
    ['whose authority nobody named', true, () => ({})],
    ['whose authority nobody named, also with TLS_FALLBACK=allow', undefined, () => ({ TLS_FALLBACK: 'allow' })],
    ['of an authority that is not trusted', true, () => ({ DB_CA_FILE: join(folder, 'stranger.pem') })],
  ])('%s gets no login', async (_, ssl, environment) => {
    await using here = await arrangeOn(server, ssl, environment());
    const logins = await countLogins(server);

    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'TLS_UNTRUSTED_CERTIFICATE',
      remedy: expect.stringContaining('DB_CA_FILE'),
    });

    expect(await logins(here.role.name)).toEqual({ accepted: 0, failed: 0 });
  });

  test.each([
    {},
    { TLS_FALLBACK: 'allow' },
  ])('whose certificate is for another host name gets no login, with %o', async (environment) => {
    const host = server.host === '127.0.0.1' ? 'localhost' : '127.0.0.1';
    await using here = await arrangeOn(server, undefined, { ...trusting, ...environment }, { members: { host } });
    const logins = await countLogins(server);

    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'TLS_WRONG_HOST',
      host,
      remedy: expect.stringContaining('"host"'),
    });

    expect(await logins(here.role.name)).toEqual({ accepted: 0, failed: 0 });
  });

  test('that wants TLS of this user says so where the secret says "ssl": false', async () => {
    await using here = await arrangeOn(server, false, trusting, {
      prepare: (role) => `GRANT ${TLS_ONLY} TO ${role}`,
    });
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      error_code: 'TLS_REQUIRED',
      remedy: expect.stringContaining('"ssl": false'),
    });
  });

  test('is not asked again in plain text after a wrong password', async () => {
    await using here = await arrangeOn(server, undefined, { ...trusting, TLS_FALLBACK: 'allow' });
    const { role, secret } = here;
    for (let i = 1; i <= 2; i++) await secret.put({ password: `never-set-in-the-database-${i}` });
    const logged = await followLog(server);
    const logins = await countLogins(server);

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    // Current and previous are wrong, once each; the version without a label is right, and setSecret begins with it.
    expect(await logins(role.name)).toEqual({ accepted: 4, failed: 2 });
    expect(protectionIn(await logged(), role.name)).toEqual(['TLS', 'TLS', 'TLS', 'TLS']);
  });
});

describe('a server without TLS', () => {
  test.each<[boolean | undefined, Record<string, string>]>([
    [true, {}],
    [undefined, {}],
    [true, { TLS_FALLBACK: 'allow' }],
  ])('gets no login where the secret says "ssl": %s and the environment %o', async (ssl, environment) => {
    await using here = await arrangeOn(plainServer, ssl, environment);
    const logins = await countLogins(plainServer);

    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'TLS_NOT_SUPPORTED',
      remedy: expect.stringContaining('"ssl": false'),
    });

    expect(await logins(here.role.name)).toEqual({ accepted: 0, failed: 0 });
  });

  test('is used with TLS_FALLBACK=allow where the secret says nothing of TLS', async () => {
    await using here = await arrangeOn(plainServer, undefined, { TLS_FALLBACK: 'allow' });
    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    await expectWorking(here);
  });

  test('is not said to want it where pg_hba.conf admits nobody', async () => {
    await using closed = await startTestServer({
      hba: [`host all +${TLS_ONLY} all reject`, 'host all all all scram-sha-256'],
    });
    await closed.query(`CREATE ROLE ${TLS_ONLY}`);
    const prepare = (role: string) => `GRANT ${TLS_ONLY} TO ${role}`;
    const endOf = async (ssl: boolean | undefined, environment: Readonly<Record<string, string>>) => {
      await using here = await arrangeOn(closed, ssl, environment, { prepare });
      return (await here.secret.rotate()).steps.at(-1);
    };

    // Where the secret says nothing of TLS there is nothing to remove.
    const remedy = expect.not.stringContaining('"ssl"');
    expect(await endOf(undefined, { TLS_FALLBACK: 'allow' })).toMatchObject({ error_code: 'LOGIN_FORBIDDEN', remedy });
    // Only who asks for TLS hears that there is none.
    const both = expect.stringMatching(/"ssl": false.*pg_hba\.conf/);
    expect(await endOf(false, {})).toMatchObject({ error_code: 'TLS_REQUIRED', remedy: both });
  });
});

test('a DB_CA_FILE that is not there is an error of the environment, once TLS is needed', async () => {
  await using here = await arrangeOn(server, true, { DB_CA_FILE: join(folder, 'nowhere.pem') });
  expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
    step: 'createSecret',
    error_code: 'INVALID_ENVIRONMENT',
    key: 'DB_CA_FILE',
  });
});
