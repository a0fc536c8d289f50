import { CancelRotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Arrangement, arrange, quoted } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { SilentServer } from '../../support/network.ts';
import { countLogins, newestVersion, postgresVersions, sharedServer } from '../../support/postgres.ts';
import { expectNoPendingValue } from '../../support/rotation-proof.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { FunctionChoice, RotationResult } from '../../support/test-secret.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const arrangeOn = async (version: number, { timeoutMs }: Pick<FunctionChoice, 'timeoutMs'> = {}) =>
  await arrange(account, await sharedServer(version), { strategy: 'single-user', timeoutMs });

/** A rotation whose setSecret logged in with this credential. */
const through = (credential: string) => ({
  outcome: 'succeeded',
  steps: expect.arrayContaining([expect.objectContaining({ step: 'setSecret', credential })]),
});

const createSecretOf = (result: RotationResult) => result.steps.find(({ step }) => step === 'createSecret');

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test.each([
    'setSecret',
    'testSecret',
  ] as const)('a rotation that was given up after %s is no obstacle to a new one', async (last) => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const abandoned = await secret.begin();
    await secret.stepsUntil(last, abandoned);
    const inDatabase = await secret.password({ label: 'AWSPENDING' });
    await secret.unlabel('AWSPENDING', abandoned);
    expect(await accepted(server, role, [role.password, inDatabase])).toEqual([false, true]);

    expect(await secret.rotate()).toMatchObject(through('unlabelled'));

    await expectWorking(here);
    expect(await accepted(server, role, [inDatabase])).toEqual([false]);
  });

  test("a label of somebody's own hides no password", async () => {
    await using here = await arrangeOn(version);
    const { secret } = here;
    const abandoned = await secret.begin();
    await secret.stepsUntil('setSecret', abandoned);
    await secret.moveLabel('KEPT', undefined, abandoned);
    await secret.unlabel('AWSPENDING', abandoned);

    expect(await secret.rotate()).toMatchObject(through('unlabelled'));
    await expectWorking(here);
  });

  test('a rotation that was given up after createSecret is no obstacle to a new one', async () => {
    await using here = await arrangeOn(version);
    const { secret } = here;
    const abandoned = await secret.begin();
    await secret.stepsUntil('createSecret', abandoned);
    await secret.unlabel('AWSPENDING', abandoned);

    expect(await secret.rotate()).toMatchObject(through('current'));
    await expectWorking(here);
  });

  test('a rotation that the service takes up again knows the pending password that the database has', async () => {
    await using here = await arrangeOn(version);
    const { secret } = here;
    const token = await secret.begin();
    await secret.stepsUntil('setSecret', token);

    expect(await secret.rotate({ token })).toMatchObject({ ...through('pending'), token });
    await expectWorking(here);
  });

  test('the previous password is enough where the current one is wrong', async () => {
    await using here = await arrangeOn(version);
    const { secret } = here;
    await secret.put({ password: 'never-set-in-the-database' });

    expect(await secret.rotate()).toMatchObject(through('previous'));
    await expectWorking(here);
  });

  test('the password of a version without a label is enough where the labelled ones are wrong', async () => {
    await using here = await arrangeOn(version);
    const { secret } = here;
    for (let i = 1; i <= 2; i++) await secret.put({ password: `never-set-in-the-database-${i}` });

    expect(await secret.rotate()).toMatchObject(through('unlabelled'));
    await expectWorking(here);
  });
});

describe('whatever the version', () => {
  const newest = newestVersion();

  test('what was refused is not tried again where the step begins anew, as Secrets Manager was away', async () => {
    const server = await sharedServer(newest);
    await using here = await arrange(account, server, {
      strategy: 'single-user',
      environment: { AWS_MAX_ATTEMPTS: '1' },
    });
    const { role, secret } = here;
    await secret.put({ password: 'never-set-in-the-database' });
    const token = await secret.begin();
    const logins = await countLogins(server);
    const away = account.lab.faults.fail({ operation: 'PutSecretValue', secret: secret.arn, times: 3 });

    expect(await secret.step('createSecret', token)).toMatchObject({
      outcome: 'done',
      waited_for: 'SECRETS_MANAGER_FAILED',
    });
    expect(away.hits).toBe(3);
    expect(await logins(role.name)).toMatchObject({ failed: 1 });
  });

  test.each([
    [
      'AWSPENDING is off and somebody rotates again',
      async ({ secret }: Arrangement, token: string) => {
        await secret.unlabel('AWSPENDING', token);
        expect(await secret.rotate()).toMatchObject(through('unlabelled'));
      },
    ],
    [
      'its password is set by hand',
      async ({ server, role }: Arrangement) => {
        await server.query(`ALTER ROLE ${quoted(role.name)} PASSWORD '${role.password}'`);
      },
    ],
  ])('a rotation that was cancelled after setSecret leaves AWSCURRENT refused until %s', async (_, act) => {
    await using here = await arrangeOn(newest);
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.stepsUntil('setSecret', token);
    await account.client.send(new CancelRotateSecretCommand({ SecretId: secret.arn }));

    expect(await secret.step('finishSecret', token)).toMatchObject({ error_code: 'ROTATION_NOT_ENABLED' });
    expect(await accepted(server, role, [await secret.password()])).toEqual([false]);
    await act(here, token);
    await expectWorking(here);
  });

  test.each([
    ['the fifth newest version without a label is tried', 6, 'succeeded'],
    ['the sixth is not', 7, 'failed'],
  ])('%s', async (_, later, outcome) => {
    await using here = await arrangeOn(newest);
    const { server, role, secret } = here;
    // The right password is in the oldest version; of the later ones the last is current, the one before it previous.
    for (let i = 1; i <= later; i++) await secret.put({ password: `never-set-in-the-database-${i}` });
    const before = await secret.labels();
    const logins = await countLogins(server);

    const result = await secret.rotate();

    expect(result.outcome).toBe(outcome);
    if (outcome === 'succeeded') {
      await expectWorking(here);
      return;
    }
    expect(createSecretOf(result)).toMatchObject({
      error_code: 'NO_WORKING_PASSWORD',
      username: role.name,
      host: server.host,
      remedy: expect.stringContaining('ALTER ROLE'),
    });
    // Current, previous and five without a label; nothing was stored, so that a correction of AWSCURRENT is what counts.
    expect(await logins(role.name)).toEqual({ accepted: 0, failed: 7 });
    await expectNoPendingValue(secret);
    expect(await secret.labels()).toEqual({ ...before, AWSPENDING: result.token });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
  });

  test('versions for another user, host or port, or without a login, are not tried', async () => {
    await using here = await arrangeOn(newest);
    const { server, role, secret, scope } = here;
    await using elsewhere = await SilentServer.start();
    const right = JSON.parse(await secret.text());
    const wrong = { ...right, password: 'never-set-in-the-database' };
    await secret.put({ ...wrong, username: scope.name('somebody-else') });
    await secret.put({ ...wrong, host: 'localhost', port: elsewhere.port });
    await secret.put({ ...wrong, port: elsewhere.port });
    await secret.putText('no JSON at all');
    for (let i = 1; i <= 2; i++) await secret.putText(JSON.stringify(wrong));
    const logins = await countLogins(server);

    // The right one, with the right user, host and port, is the fifth without a label.
    expect(await secret.rotate()).toMatchObject(through('unlabelled'));

    expect(elsewhere.connections).toBe(0);
    expect(await logins(scope.name('somebody-else'))).toEqual({ accepted: 0, failed: 0 });
    // Current (previous has the same password); the right one proves itself, sets the password, having shown under the
    // lock that it is right, and the new one is proven.
    expect(await logins(role.name)).toEqual({ accepted: 4, failed: 1 });
    await expectWorking(here);
  });

  test.each([
    ['NOLOGIN', 'LOGIN_FORBIDDEN'],
    ['CONNECTION LIMIT 0', 'ROLE_CONNECTION_LIMIT'],
  ])('only a wrong password leads on to the next candidate, %s does not', async (attribute, code) => {
    await using here = await arrangeOn(newest, { timeoutMs: 8_000 });
    const { server, role, secret } = here;
    await server.query(`ALTER ROLE ${quoted(role.name)} ${attribute}`);
    const logins = await countLogins(server);

    const result = await secret.rotate();

    expect(createSecretOf(result)).toMatchObject({ outcome: 'failed', error_code: code, credential: 'current' });
    // What passes by itself, as a rule, is waited for.
    if (code === 'LOGIN_FORBIDDEN') expect((await logins(role.name)).failed).toBe(1);
    else expect(createSecretOf(result)?.waited_for).toBe(code);
  });

  test.each([
    'username',
    'host',
    'port',
  ])('a pending version with another %s is refused, and nothing but AWSCURRENT logs in', async (key) => {
    await using here = await arrangeOn(newest);
    const { server, role, secret, scope } = here;
    await using elsewhere = await SilentServer.start();
    const token = await secret.begin();
    const other = { username: scope.name('somebody-else'), host: 'localhost', port: elsewhere.port }[key];
    await secret.put({ ...(key === 'host' ? { port: elsewhere.port } : {}), [key]: other }, ['AWSPENDING'], token);
    const logins = await countLogins(server);

    expect(await secret.step('setSecret', token)).toMatchObject({ outcome: 'failed', error_code: 'PENDING_MISMATCH' });

    expect(elsewhere.connections).toBe(0);
    // Somebody has edited one of the two versions: is the application still let in?
    expect(await logins(role.name)).toEqual({ accepted: 1, failed: 0 });
    expect(await logins(scope.name('somebody-else'))).toEqual({ accepted: 0, failed: 0 });
    expect(await accepted(server, role, [role.password])).toEqual([true]);
  });
});
