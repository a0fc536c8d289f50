import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { postgresVersions, roleScope, sharedServer } from '../../support/postgres.ts';
import { expectNoPendingValue, rolesStay } from '../../support/rotation-proof.ts';
import {
  asksFor,
  asksForIterations,
  asksForMechanisms,
  beginsScram,
  type Script,
  ScriptedServer,
  says,
  trusts,
} from '../../support/scripted-server.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { SecretMembers } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

/** Of a function that may wait in vain: its step must end a second before. */
const TIMEOUT_MS = 10_000;
const SINGLE_USER = { strategy: 'single-user', timeoutMs: TIMEOUT_MS } as const;
const ALTERNATING = { strategy: 'alternating-users', timeoutMs: TIMEOUT_MS } as const;
const LOGIN = { name: 'app', password: 'never-set-anywhere', database: 'postgres' };

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** How a rotation begins that meets such a server: it goes no further than createSecret, and in time. */
async function meet(script: Script, choice: typeof SINGLE_USER | typeof ALTERNATING = SINGLE_USER) {
  await using server = await ScriptedServer.start(script);
  const superuser: SecretMembers =
    choice === ALTERNATING
      ? { masterarn: (await account.secretFor(server, { ...LOGIN, name: 'postgres' }, choice)).arn }
      : {};
  const secret = await account.secretFor(server, LOGIN, choice, superuser);
  const { steps } = await secret.rotate();
  const failure = steps.at(-1);
  expect(failure).toMatchObject({ step: 'createSecret', outcome: 'failed' });
  expect(failure?.duration_ms).toBeLessThan(TIMEOUT_MS - 1_000);
  await expectNoPendingValue(secret);
  return { failure, passwordMessages: server.passwordMessages };
}

describe('an authentication that is not by password is named, and ends no process', () => {
  const METHODS: [string, Script, RegExp][] = [
    ['Kerberos V5', asksFor(2), /Kerberos/],
    ['SCM credentials', asksFor(6), /SCM/],
    ['GSSAPI', asksFor(7), /GSSAPI/],
    ['SSPI', asksFor(9), /SSPI/],
    ["Redshift's digest", asksFor(13, Buffer.alloc(16)), /\b13\b/],
    ["Redshift's identity provider", asksFor(14), /\b14\b/],
    ['one that nobody knows yet', asksFor(99), /\b99\b/],
    ['SASL by other mechanisms', asksForMechanisms('SCRAM-SHA-512', 'OAUTHBEARER'), /SCRAM-SHA-512.*OAUTHBEARER/],
  ];

  test.each(METHODS)('%s', async (_, script, method) => {
    const { failure, passwordMessages } = await meet(script);
    expect(failure).toMatchObject({
      error_code: 'AUTHENTICATION_UNSUPPORTED',
      error_message: expect.stringMatching(method),
      remedy: expect.stringContaining('pg_hba.conf'),
      credential: 'current',
      username: LOGIN.name,
    });
    expect(passwordMessages).toBe(0);
  });

  test('with alternating users too', async () => {
    const { failure } = await meet(asksFor(7), ALTERNATING);
    expect(failure).toMatchObject({
      error_code: 'AUTHENTICATION_UNSUPPORTED',
      error_message: expect.stringContaining('GSSAPI'),
    });
  });
});

test("who is refused by a function of pg_tle's, as after too many wrong passwords, is told so, and tries no second time", async () => {
  const message = 'app is locked until noon';
  const lockedOut = beginsScram(({ nonce, salt }) => `r=${nonce},s=${salt},i=4096`, {
    state: '08000',
    message,
    routine: 'clientauth_hook',
  });
  const { failure, passwordMessages } = await meet(lockedOut);
  expect(failure).toMatchObject({
    error_code: 'LOGIN_FORBIDDEN',
    error_message: expect.stringContaining(message),
    remedy: expect.stringContaining('pgtle.clientauth_users_to_skip'),
  });
  // SCRAM's two.
  expect(passwordMessages).toBe(2);
});

describe('a server that does not keep to the protocol ends no process, and no step late', () => {
  const bytes = (type: string, ...rest: readonly number[]) => Buffer.from([type.charCodeAt(0), ...rest]);

  test.concurrent.each<[string, Script]>([
    ['an authentication request without its kind', says(bytes('R', 0, 0, 0, 4))],
    ['a message of no length', says(bytes('R', 0, 0, 0, 0, 0, 0, 0, 0))],
    ['a message of a negative length', says(bytes('R', 255, 255, 255, 255, 0, 0, 0, 3))],
    ['a message of two gigabytes', says(bytes('R', 127, 255, 255, 255, 0, 0, 0, 3))],
    ['a message that nobody knows', says(bytes('?', 0, 0, 0, 4))],
    ['md5 without a salt', asksFor(5)],
    ['SASL without a mechanism', asksForMechanisms()],
    ['SASL that goes on before it has begun', asksFor(11, 'r=a,s=YQ==,i=4096')],
    ['SASL that ends before it has begun', asksFor(12, 'v=YQ==')],
    ['SCRAM with a count that is no number', beginsScram(({ nonce, salt }) => `r=${nonce},s=${salt},i=many`)],
    ['SCRAM with a nonce that is not ours', beginsScram(({ salt }) => `r=theirs,s=${salt},i=4096`)],
    ['SCRAM of nothing', beginsScram(() => '')],
    ['an error without its fields', says(bytes('E', 0, 0, 0, 4))],
    ['a web server', says(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))],
  ])('%s', async (_, script) => {
    const { failure } = await meet(script);
    expect(failure?.error_code).toMatch(/^(AUTHENTICATION_UNSUPPORTED|DATABASE_\w+)$/);
  });

  test('a server that lets everybody in, and answers nothing', async () => {
    const { failure, passwordMessages } = await meet(trusts);
    expect(failure).toMatchObject({ error_code: 'AUTHENTICATION_UNSUPPORTED' });
    expect(passwordMessages).toBe(0);
  });
});

describe('no number of SCRAM iterations keeps a function busy', () => {
  const COUNTS: [string, Script][] = [
    ['one more than a million', asksForIterations(1_000_001)],
    ['all that fit into 32 bits', asksForIterations(2 ** 31 - 1)],
    ['four billion', asksForIterations(4_000_000_000)],
    ['more than a number holds', beginsScram(({ nonce, salt }) => `r=${nonce},s=${salt},i=${'9'.repeat(40)}`)],
    ['two billion before the salt', beginsScram(({ nonce, salt }) => `r=${nonce},i=2000000000,s=${salt}`)],
    ['four billion before the salt', beginsScram(({ nonce, salt }) => `r=${nonce},i=4000000000,s=${salt}`)],
    ['four billion after another', beginsScram(({ nonce, salt }) => `r=${nonce},s=${salt},i=4096,i=4000000000`)],
    ['four billion, with an extension', beginsScram(({ nonce, salt }) => `r=${nonce},s=${salt},x=1,i=4000000000`)],
  ];

  test.each(COUNTS)('%s', async (_, script) => {
    const { failure, passwordMessages } = await meet(script);
    // RFC 5802 allows one order, so that a server with another may be called out for that.
    expect(failure?.error_code).toMatch(/^(SCRAM_ITERATIONS_TOO_HIGH|DATABASE_ERROR)$/);
    // No proof follows the client's first message.
    expect(passwordMessages).toBe(1);
  });

  test('a count that the protocol allows is named with what to do', async () => {
    const { failure } = await meet(asksForIterations(1_000_001));
    expect(failure).toMatchObject({
      error_code: 'SCRAM_ITERATIONS_TOO_HIGH',
      error_message: expect.stringMatching(/1,?000,?001/),
      remedy: expect.stringContaining('scram_iterations'),
    });
  });
});

/** What the server stores of a password, made by a client that iterates so often. */
function verifier(password: string, iterations: number): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const key = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${key('Server Key').toString('base64')}`;
}

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  const arrangeWith = async (options: ArrangementOptions, environment: Readonly<Record<string, string>> = {}) =>
    await arrange(account, await sharedServer(version), { strategy: 'single-user', environment }, options);

  /** A role whose password somebody has set with so many iterations. */
  const PASSWORD = randomBytes(18).toString('base64url');
  const storedWith = (iterations: number): ArrangementOptions => ({
    password: PASSWORD,
    prepare: (role) => `ALTER ROLE ${role} PASSWORD '${verifier(PASSWORD, iterations)}'`,
  });

  async function iterationsOf({ server, role }: Awaited<ReturnType<typeof arrangeWith>>): Promise<number> {
    const [row] = await server.query<{ count: number }>(
      `SELECT substring(rolpassword FROM '^SCRAM-SHA-256\\$(\\d+):')::int AS count FROM pg_authid WHERE rolname = $1`,
      [role.name],
    );
    return row?.count ?? 0;
  }

  test('a password stored with a million iterations is replaced', async () => {
    await using here = await arrangeWith(storedWith(1_000_000));
    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    await expectWorking(here);
    expect(await accepted(here.server, here.role, [PASSWORD])).toEqual([false]);
    expect(await iterationsOf(here)).toBe(4096);
  });

  test('a password stored with more is refused before anything changes', async () => {
    await using here = await arrangeWith(storedWith(1_000_001));
    const stays = await rolesStay(here.server, here.role.name);
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'SCRAM_ITERATIONS_TOO_HIGH',
      credential: 'current',
    });
    await stays();
    await expectNoPendingValue(here.secret);
  });

  if (version < 16) return;

  test.each(['client', 'server'])('scram_iterations = 600000 works, with PASSWORD_HASHING=%s', async (hashing) => {
    const prepare = (role: string) => `ALTER ROLE ${role} SET scram_iterations = 600000`;
    await using here = await arrangeWith({ prepare }, { PASSWORD_HASHING: hashing });
    // The first login is to a password with fewer, the second to what the first rotation has stored.
    for (const rotation of ['first', 'second'])
      expect({ rotation, ...(await here.secret.rotate()) }).toMatchObject({ rotation, outcome: 'succeeded' });
    expect(await iterationsOf(here)).toBe(600_000);
    await expectWorking(here);
  });

  test('scram_iterations beyond a million is refused before anything changes', async () => {
    const prepare = (role: string) => `ALTER ROLE ${role} SET scram_iterations = 1000001`;
    await using here = await arrangeWith({ prepare });
    const stays = await rolesStay(here.server, here.role.name);
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'SCRAM_ITERATIONS_TOO_HIGH',
      remedy: expect.stringContaining('scram_iterations'),
    });
    await stays();
    await expectNoPendingValue(here.secret);
    await expectWorking(here);
  });

  test("so it is where an administrator's session would store the twin's password", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    await app.administer(`ALTER ROLE ${app.sql.admin} SET scram_iterations = 1000001`);
    const failure = await app.refused('SCRAM_ITERATIONS_TOO_HIGH');
    expect(failure).toMatchObject({ step: 'setSecret', credential: 'superuser' });
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
  });
});
