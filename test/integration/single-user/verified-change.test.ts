import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { scramVerifier } from '../../../shared/database/password-hash.ts';
import { quoted } from '../../support/arrangement.ts';
import type { Gate } from '../../support/crash/gate.ts';
import { type HeldOptions, type HeldRotation, HeldWays, holdAt, holdAtProof } from '../../support/held-rotation.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { newestVersion, startTestServer } from '../../support/postgres.ts';
import { expectRefusedAtOnce, rolesStay } from '../../support/rotation-proof.ts';
import { TestAccount } from '../../support/test-account.ts';

/*
 * Where the new password can't be used by the way that applications take, the old one goes on working. 0.1.0, which looks
 * in testSecret only, leaves AWSCURRENT refused after each of these; who puts back a verifier of his own making fails the
 * comparisons of what is stored.
 */
const PENDING = { label: 'AWSPENDING' };
/** What pg_hba.conf says of members: a membership is a change of pg_hba.conf that takes effect at once. */
const METHODS = ['reject', 'scram-sha-256', 'md5', 'password', 'trust'];
const BEFORE = 'set-before-0123456789';
/** As a server with other scram_iterations stores it. */
const MORE_ITERATIONS = await scramVerifier(BEFORE, randomBytes(16), 12_345);
const groupOf = (method: string) => `by_${method.replaceAll('-', '_')}`;

let account: TestAccount;
let server: PostgresServer;
let ways: HeldWays;
beforeAll(async () => {
  account = await TestAccount.open();
  const hba = METHODS.map((method) => `host all +${groupOf(method)} all ${method}`);
  server = await startTestServer({ version: newestVersion(), hba: [...hba, 'host all all all scram-sha-256'] });
  for (const method of METHODS) await server.query(`CREATE ROLE ${groupOf(method)}`);
  ways = await HeldWays.open(account, server);
});
afterAll(async () => {
  await ways[Symbol.asyncDispose]();
  await account[Symbol.asyncDispose]();
  await server.close();
});

/** What the server has stored for the role. */
async function stored({ here: { role } }: HeldRotation): Promise<string> {
  const [row] = await server.query<{ stored: string }>(
    'SELECT rolpassword AS stored FROM pg_authid WHERE rolname = $1',
    [role.name],
  );
  return row?.stored ?? '';
}

async function begun(options: HeldOptions = {}) {
  const held = await ways.arrange(options);
  const { role, secret } = held.here;
  const token = await secret.begin();
  expect(await held.a('createSecret', token)).toMatchObject({ outcome: 'done' });
  return { held, role, secret, token, name: quoted(role.name), pending: await secret.password(PENDING) };
}

/** Runs A's setSecret and, between its change and its proof, what somebody does. */
async function changedBeforeProof(held: HeldRotation, token: string, work: () => Promise<unknown>) {
  const hold = holdAtProof();
  held.gate = hold;
  const step = held.a('setSecret', token);
  await held.untilHeld(hold, step);
  await work();
  hold.release();
  return await step;
}

/** The service calls the steps again. */
async function expectConverges(held: HeldRotation, token: string): Promise<void> {
  const end = await held.inTurn('b', token, ['createSecret', 'setSecret', 'testSecret', 'finishSecret']);
  expect(end).toMatchObject({ step: 'finishSecret', outcome: 'done' });
  expect(await held.wrong()).toEqual([]);
  await expectWorking(held.here);
}

const md5Stored = (role: string) => `
  SET password_encryption = 'md5'; ALTER ROLE ${role} PASSWORD '${BEFORE}'; RESET password_encryption`;

describe('pg_hba.conf lets the role in no longer, once the password is changed: it is put back', () => {
  test.each<[string, string, HeldOptions, boolean]>([
    ['scram-sha-256', 'scram-sha-256', {}, true],
    [
      'scram-sha-256, stored with more iterations',
      'scram-sha-256',
      { prepare: (role) => `ALTER ROLE ${role} PASSWORD '${MORE_ITERATIONS}'`, password: BEFORE },
      true,
    ],
    [
      'scram-sha-256, of a password that SASLprep changes',
      'scram-sha-256',
      { password: 'o\ufb03ce-\u2168-\u00aa-0123456789' },
      true,
    ],
    [
      'scram-sha-256, of a password that SASLprep forbids',
      'scram-sha-256',
      { password: 'bell-\u0007-0123456789' },
      true,
    ],
    ['md5, of what is stored for SCRAM', 'md5', {}, true],
    ['md5, of what is stored for md5', 'md5', { prepare: md5Stored, password: BEFORE }, true],
    ['password, of what is stored for SCRAM', 'password', {}, false],
    ['password, of one that is not ASCII', 'password', { password: 'o\ufb03ce-\u2168-0123456789' }, false],
  ])('%s', async (_, method, options, sameBytes) => {
    const { held, role, token, name, pending } = await begun({
      ...options,
      prepare: (role, scope) => `${options.prepare?.(role, scope) ?? ''}; GRANT ${groupOf(method)} TO ${role}`,
    });
    await using _held = held;
    const before = await stored(held);

    const end = await changedBeforeProof(held, token, () => server.query(`GRANT by_reject TO ${name}`));

    expect(end).toMatchObject({
      outcome: 'failed',
      error_code: 'PASSWORD_PUT_BACK',
      username: role.name,
      error_message: expect.stringMatching(
        /TLS_REQUIRED: .*pg_hba\.conf rejects.*whether AWSCURRENT logs in could not be seen/,
      ),
      // An edit of AWSCURRENT would come too late for a version that has a value.
      remedy: expect.stringMatching(/^aws secretsmanager update-secret-version-stage .*AWSPENDING/),
    });
    await server.query(`REVOKE by_reject FROM ${name}`);
    if (sameBytes) expect((await stored(held)) === before).toBe(true);
    expect(await accepted(server, role, [role.password, pending])).toEqual([true, false]);
    await expectConverges(held, token);
  });

  test('and where the stored form can not be told, nothing is changed', async () => {
    await using held = await ways.arrange({
      prepare: (role) =>
        `${md5Stored(role)}; GRANT by_password TO ${role}; ALTER ROLE ${role} SET password_encryption = 'md5'`,
      password: BEFORE,
    });
    const stays = await rolesStay(server, held.here.role.name);
    const failure = await expectRefusedAtOnce(held.here.secret, 'PASSWORD_FORM_UNKNOWN');
    expect(failure.credential).toBe('current');
    await stays();
  });
});

describe('the new password gets no session, once it is set: the old one is put back', () => {
  test.each<[string, (name: string) => string, string]>([
    ['NOLOGIN', (name) => `ALTER ROLE ${name} NOLOGIN`, 'LOGIN_FORBIDDEN'],
    ['VALID UNTIL', (name) => `ALTER ROLE ${name} VALID UNTIL '2020-01-01'`, 'PASSWORD_NOT_ACCEPTED'],
    [
      'no CONNECT',
      () => `DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$`,
      'LOGIN_FORBIDDEN',
    ],
  ])('%s', async (_, change, reason) => {
    const { held, role, token, name, pending } = await begun({ ownDatabase: true });
    await using _held = held;
    const before = await stored(held);

    const end = await changedBeforeProof(held, token, () =>
      server.query(change(name), undefined, { database: role.database }),
    );

    expect(end).toMatchObject({
      outcome: 'failed',
      error_code: 'PASSWORD_PUT_BACK',
      error_message: expect.stringContaining(`${reason}: `),
    });
    expect((await stored(held)) === before).toBe(true);
    await server.query(
      `ALTER ROLE ${name} LOGIN VALID UNTIL 'infinity'; GRANT CONNECT ON DATABASE ${quoted(role.database)} TO PUBLIC`,
    );
    expect(await accepted(server, role, [role.password, pending])).toEqual([true, false]);
    await expectConverges(held, token);
  });
});

describe('the proof gets no answer', () => {
  /** Cuts every connection of A after its first, as long as `broken`. */
  function brokenWay(until: (label: string) => boolean): Gate {
    let broken = true;
    return {
      reach: async (label) => {
        if (until(label)) broken = false;
        return broken && /^session ([2-9]|\d\d), connect/.test(label) ? 'cut' : 'pass';
      },
    };
  }

  test('for three seconds: the old password is put back, and logs in again', async () => {
    const { held, role, token, pending } = await begun();
    await using _held = held;
    const before = await stored(held);
    let describes = 0;
    // Only the login after the way back finds its way again.
    let wayBackIsOver = false;
    held.gate = {
      reach: async (label) => {
        if (/DescribeSecret, request/.test(label)) describes++;
        if (describes >= 2 && label === 'session 1 < CommandComplete COMMIT') wayBackIsOver = true;
        return !wayBackIsOver && /^session ([2-9]|\d\d), connect/.test(label) ? 'cut' : 'pass';
      },
    };

    const end = await held.a('setSecret', token);

    expect(end).toMatchObject({
      outcome: 'failed',
      error_code: 'PASSWORD_PUT_BACK',
      error_message: expect.stringMatching(/DATABASE_CONNECTION_LOST: .*AWSCURRENT logs in again/),
    });
    expect(end.duration_ms).toBeGreaterThan(2_500);
    expect((await stored(held)) === before).toBe(true);
    expect(await accepted(server, role, [role.password, pending])).toEqual([true, false]);
    held.gate = { reach: async () => 'pass' };
    await expectConverges(held, token);
  });

  test('for a moment: it is made again', async () => {
    const { held, role, token, pending } = await begun();
    await using _held = held;
    held.gate = brokenWay((label) => label === 'session 4, connect');

    expect(await held.a('setSecret', token)).toMatchObject({ outcome: 'done', credential: 'current' });

    expect(await accepted(server, role, [role.password, pending])).toEqual([false, true]);
  });

  test('the changing session breaks as it lets go of the lock: that is no failure', async () => {
    const { held, token } = await begun();
    await using _held = held;
    const hold = holdAt('setSecret: session 1 < CommandComplete COMMIT (3)', held.step);
    held.gate = hold;
    const step = held.a('setSecret', token);
    await held.untilHeld(hold, step);
    hold.release('cut');

    expect(await step).toMatchObject({ outcome: 'done' });
    expect(await held.inTurn('a', token, ['testSecret', 'finishSecret'])).toMatchObject({ outcome: 'done' });
    expect(await held.wrong()).toEqual([]);
  });
});

describe('where the server lets everybody in without a password, a login proves nothing', () => {
  const trusted = { error_code: 'AUTHENTICATION_UNSUPPORTED', error_message: expect.stringContaining('no password') };

  test.each(['scram-sha-256', 'md5'])('no rotation begins (password_encryption = %s)', async (method) => {
    await using held = await ways.arrange({
      prepare: (role) => `GRANT by_trust TO ${role}; ALTER ROLE ${role} SET password_encryption = '${method}'`,
    });
    const stays = await rolesStay(server, held.here.role.name);
    const failure = await expectRefusedAtOnce(held.here.secret, 'AUTHENTICATION_UNSUPPORTED');
    expect(failure).toMatchObject({
      ...trusted,
      credential: 'current',
      remedy: expect.stringContaining('pg_hba.conf'),
    });
    await stays();
  });

  test('no password is changed, and none that was never set is tested or promoted', async () => {
    const { held, role, secret, token, name, pending } = await begun();
    await using _held = held;
    const stays = await rolesStay(server, role.name);
    await server.query(`GRANT by_trust TO ${name}`);
    for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const)
      expect(await held.b(step, token)).toMatchObject(trusted);
    await server.query(`REVOKE by_trust FROM ${name}`);
    await stays();
    expect(await secret.password()).toBe(role.password);
    expect(await accepted(server, role, [role.password, pending])).toEqual([true, false]);
    await expectConverges(held, token);
  });

  test('nor is a password that was changed taken for proven: it is put back', async () => {
    const { held, role, token, name, pending } = await begun();
    await using _held = held;
    const end = await changedBeforeProof(held, token, () => server.query(`GRANT by_trust TO ${name}`));
    expect(end).toMatchObject({ error_code: 'PASSWORD_PUT_BACK', reason: 'AUTHENTICATION_UNSUPPORTED' });
    await server.query(`REVOKE by_trust FROM ${name}`);
    expect(await accepted(server, role, [role.password, pending])).toEqual([true, false]);
    await expectConverges(held, token);
  });

  test('nor does an edit in mid-rotation have it said that AWSCURRENT logs in', async () => {
    const { held, secret, token, name } = await begun();
    await using _held = held;
    expect(await held.a('setSecret', token)).toMatchObject({ outcome: 'done' });
    await secret.putText((await secret.text()).replace('{', '{"note":"edited",'));
    await server.query(`GRANT by_trust TO ${name}`);
    const { error_code, error_message } = await held.b('setSecret', token);
    expect({ error_code, error_message }).toEqual({
      error_code: 'PENDING_MISMATCH',
      error_message: expect.stringContaining('AWSCURRENT does not log in'),
    });
    await server.query(`REVOKE by_trust FROM ${name}`);
    expect(await held.b('setSecret', token)).toMatchObject({
      error_code: 'PENDING_MISMATCH',
      error_message: expect.stringContaining('AWSCURRENT logs in'),
    });
    expect(await held.takes(await secret.password())).toBe(true);
  });
});
