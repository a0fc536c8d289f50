import { UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STEPS } from '../../../shared/rotation/event.ts';
import { arrange, quoted } from '../../support/arrangement.ts';
import { GreedyServer } from '../../support/greedy-server.ts';
import { type HeldRotation, HeldWays, holdAt } from '../../support/held-rotation.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { countLogins, newestVersion, sharedServer } from '../../support/postgres.ts';
import { expectRotated, rolesStay } from '../../support/rotation-proof.ts';
import { TestAccount } from '../../support/test-account.ts';

/* Small inputs that lock an application out on 0.1.0, or end a rotation for good; each says how. */
const PENDING = { label: 'AWSPENDING' };
const SINGLE_USER = { strategy: 'single-user' } as const;
const version = newestVersion();

let account: TestAccount;
let ways: HeldWays;
beforeAll(async () => {
  account = await TestAccount.open();
  ways = await HeldWays.open(account, await sharedServer(version));
});
afterAll(async () => {
  await ways[Symbol.asyncDispose]();
  await account[Symbol.asyncDispose]();
});

/** An instance has set the new password, and is never heard of again. */
async function deadAfterSetSecret(held: HeldRotation): Promise<string> {
  const token = await held.here.secret.begin();
  expect(await held.inTurn('a', token, ['createSecret', 'setSecret'])).toMatchObject({ outcome: 'done' });
  return token;
}

describe('killed after the change, then an edit of AWSCURRENT, then the retry', () => {
  // 0.1.0 refuses at once, or rotates on, and AWSCURRENT stays refused until a person sets its password.
  test.each([
    ['another dbname', { dbname: 'template1' }],
    ['another password', { password: 'stored-by-hand-0123456789' }],
    ['another key', { note: 'by hand' }],
  ])('%s: AWSCURRENT logs in again', async (_, members) => {
    await using held = await ways.arrange();
    const { secret } = held.here;
    const token = await deadAfterSetSecret(held);
    const edited = await secret.put(members);

    const end = await held.inTurn('b', token, STEPS);

    // An edit of the password alone is no mismatch: the login decides, and AWSPENDING's is the one that works.
    if ('password' in members) expect(end).toMatchObject({ step: 'finishSecret', outcome: 'done' });
    else {
      expect(end).toMatchObject({
        step: 'createSecret',
        error_code: 'PENDING_MISMATCH',
        error_message: expect.stringContaining('AWSCURRENT logs in'),
        remedy: expect.stringMatching(/^aws secretsmanager update-secret-version-stage .*AWSPENDING/),
      });
      expect((await secret.labels()).AWSCURRENT).toBe(edited);
    }
    expect(await held.wrong()).toEqual([]);
  });

  test('another number, beyond what a double can hold: it is kept', async () => {
    await using held = await ways.arrange({ members: { account: 'ACCOUNT' } });
    const { secret } = held.here;
    const text = (await secret.text()).replace('"ACCOUNT"', '12345678901234567890');
    await secret.putText(text);
    const token = await deadAfterSetSecret(held);
    const edited = text.replace('12345678901234567890', '12345678901234567891');
    await secret.putText(edited);

    expect(await held.inTurn('b', token, STEPS)).toMatchObject({ error_code: 'PENDING_MISMATCH' });

    expect(await secret.text()).toBe(edited);
    expect(await held.wrong()).toEqual([]);
  });

  test('another host: nothing is written there', async () => {
    await using held = await ways.arrange();
    await using elsewhere = await GreedyServer.start();
    const { server, role, secret } = held.here;
    const token = await deadAfterSetSecret(held);
    const pending = await secret.password(PENDING);
    await secret.put({ host: elsewhere.host, port: elsewhere.port });

    for (const step of ['createSecret', 'setSecret', 'finishSecret'] as const)
      expect(await held.b(step, token)).toMatchObject({ outcome: 'failed' });

    // That server takes whatever comes for wrong.
    expect(elsewhere.passwords.includes(pending)).toBe(false);
    expect(await accepted(server, role, [pending])).toEqual([true]);
    expect((await secret.labels()).AWSCURRENT).not.toBe(token);
  });
});

describe('an instance that falls silent frees the role when its invocation would have ended', () => {
  test.each([
    ['with the row in its hands', 'setSecret: session 1 > Query CREATE', /^session 1\b/],
    ['between its change and its proof', 'setSecret: session 2 > Startup', /^session [12]\b/],
  ])('%s', async (_, point, ofA) => {
    await using held = await ways.arrange({ timeoutMs: 8_000 });
    const { secret } = held.here;
    const token = await secret.begin();
    await held.a('createSecret', token);
    const hold = holdAt(point, held.step);
    const end = Promise.withResolvers<'cut'>();
    let silent = false;
    void hold.reached.then(() => {
      silent = true;
    });
    // From that point on nothing of A passes, not even that its end of the connection is gone.
    held.gate = { reach: async (label) => (silent && ofA.test(label) ? await end.promise : await hold.reach(label)) };
    const a = held.a('setSecret', token);
    await held.untilHeld(hold, a);

    expect(await held.inTurn('b', token, STEPS)).toMatchObject({ step: 'finishSecret', outcome: 'done' });

    expect(await a).toMatchObject({ outcome: 'failed' });
    hold.release('cut');
    end.resolve('cut');
    expect(await held.wrong()).toEqual([]);
    expect((await secret.labels()).AWSCURRENT).toBe(token);
  });
});

describe('versions of a secret', () => {
  test('two secrets of one role that rotate at once: the last one to change it works, and no password is lost', async () => {
    await using held = await ways.arrange();
    const { server, role, secret } = held.here;
    const other = await account.secretFor(server, role, { ...SINGLE_USER, environment: { INSTANCE: 'B' } });
    const [token, otherToken] = [await secret.begin(), await other.begin()];
    await held.a('createSecret', token);
    await other.step('createSecret', otherToken);

    const hold = holdAt('setSecret: session 1 > CopyDone', held.step);
    held.gate = hold;
    const a = held.inTurn('a', token, STEPS.slice(1));
    await held.untilHeld(hold, a);
    const b = other.step('setSecret', otherToken);
    await held.untilItWaits(b);
    hold.release();

    // The second one, once it has the lock, finds what it had logged in with replaced, and changes nothing.
    expect(await b).toMatchObject({ outcome: 'failed', error_code: 'NO_WORKING_PASSWORD' });
    expect(await a).toMatchObject({ outcome: 'done' });
    expect(await held.wrong()).toEqual([]);
    await expectWorking(held.here);
  });

  test('a retired password does not return: AWSPENDING on the version that is AWSPREVIOUS is refused', async () => {
    await using here = await arrange(account, await sharedServer(version), SINGLE_USER);
    const { server, role, secret } = here;
    await expectRotated(secret);
    await expectRotated(secret);
    const labels = await secret.labels();
    const { AWSPREVIOUS = '' } = labels;
    await account.client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: secret.arn,
        VersionStage: 'AWSPENDING',
        MoveToVersionId: AWSPREVIOUS,
      }),
    );
    const stays = await rolesStay(server, role.name);

    for (const step of STEPS)
      expect(await secret.step(step, AWSPREVIOUS)).toMatchObject({
        outcome: 'failed',
        error_code: 'PENDING_RETIRED',
        remedy: expect.stringContaining('--version-stage AWSPENDING --remove-from-version-id'),
      });

    await stays();
    expect(await secret.labels()).toEqual({ ...labels, AWSPENDING: AWSPREVIOUS });
    await secret.unlabel('AWSPENDING', AWSPREVIOUS);
    await expectRotated(secret);
    await expectWorking(here);
  });

  test('a pending version with the current password is done without a change', async () => {
    await using here = await arrange(account, await sharedServer(version), SINGLE_USER);
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.put({}, ['AWSPENDING'], token);
    const stays = await rolesStay(server, role.name);

    const results = await secret.stepsUntil('finishSecret', token);

    expect(results.map(({ outcome }) => outcome)).toEqual(['already-done', 'already-done', 'done', 'done']);
    await stays();
    expect(await secret.labels()).toMatchObject({ AWSCURRENT: token });
    await expectWorking(here);
  });

  test('seven versions of one wrong password use up one try of the recovery', async () => {
    // 0.1.0 tries the same password five times, and never the one that the database has: NO_WORKING_PASSWORD for good.
    await using held = await ways.arrange();
    const { server, role, secret } = held.here;
    const abandoned = await deadAfterSetSecret(held);
    const wrong = { password: 'never-set-in-the-database' };
    for (let i = 1; i <= 7; i++) await secret.put(wrong);
    await secret.unlabel('AWSPENDING', abandoned);
    const logins = await countLogins(server);

    const token = await secret.begin();
    expect(await held.b('createSecret', token)).toMatchObject({ outcome: 'done' });

    expect(await logins(role.name)).toEqual({ accepted: 1, failed: 1 });
    expect(await held.inTurn('b', token, STEPS.slice(1))).toMatchObject({ outcome: 'done' });
    expect(await held.wrong()).toEqual([]);
  });

  test('where they may not be listed, what has a label is tried, and the remedy names the permission', async () => {
    await using held = await ways.arrange();
    const { secret } = held.here;
    const abandoned = await deadAfterSetSecret(held);
    await secret.unlabel('AWSPENDING', abandoned);
    const denied = account.lab.faults.fail({
      operation: 'ListSecretVersionIds',
      secret: secret.arn,
      times: Number.POSITIVE_INFINITY,
      ...{
        type: 'AccessDeniedException',
        message: 'User: … is not authorized to perform: secretsmanager:ListSecretVersionIds',
      },
    });
    const token = await secret.begin();

    expect(await held.b('createSecret', token)).toMatchObject({
      outcome: 'failed',
      error_code: 'NO_WORKING_PASSWORD',
      remedy: expect.stringContaining('secretsmanager:ListSecretVersionIds'),
    });

    denied.remove();
    expect(await held.inTurn('b', token, STEPS)).toMatchObject({ outcome: 'done' });
    expect(await held.wrong()).toEqual([]);
  });
});

describe('the role has no session to spare', () => {
  test.each([1, 2])('CONNECTION LIMIT %i is enough for a rotation', async (limit) => {
    await using here = await arrange(account, await sharedServer(version), SINGLE_USER, {
      attributes: `CONNECTION LIMIT ${limit}`,
    });
    const logins = await countLogins(here.server);
    await expectRotated(here.secret);
    // At a limit of 1 the server takes the proof's password, and then has no room for its session.
    expect(await logins(here.role.name)).toEqual({ accepted: 3, failed: limit === 1 ? 1 : 0 });
    await expectWorking(here);
    expect(await accepted(here.server, here.role, [here.role.password])).toEqual([false]);
  });

  test('sessions that others hold end setSecret before anything is changed', async () => {
    await using held = await ways.arrange({ attributes: 'CONNECTION LIMIT 1', timeoutMs: 12_000 });
    const { server, role, secret } = held.here;
    const token = await secret.begin();
    await held.a('createSecret', token);
    const stays = await rolesStay(server, role.name);
    const other = await server.connect({ user: role.name, password: role.password });
    expect(await held.a('setSecret', token)).toMatchObject({
      outcome: 'failed',
      error_code: 'ROLE_CONNECTION_LIMIT',
      credential: 'current',
      remedy: expect.stringContaining(`ALTER ROLE ${quoted(role.name)} CONNECTION LIMIT`),
    });
    await other.end();
    await stays();
  });
});
