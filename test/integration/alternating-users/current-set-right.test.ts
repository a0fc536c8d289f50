/** AWSCURRENT came to be on the login whose password the rotation under way has replaced: the administrator sets it right. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { canLogin, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { TroubledWay } from '../../support/troubled-way.ts';
import type { AdminKind } from '../../support/twin-options.ts';
import { outermostVersions, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterEach(() => account.lab.faults.clear());
afterAll(() => account[Symbol.asyncDispose]());

type Twins = Awaited<ReturnType<typeof twins>>;

const works = async (app: Twins) => await canLogin(app.server, await app.login());
const mismatch = (end: string) => ({
  error_code: 'PENDING_MISMATCH',
  error_message: expect.stringMatching(new RegExp(`${end}\\.$`)),
});
const RIGHT = mismatch('AWSCURRENT logs in');
const WRONG = mismatch('AWSCURRENT does not log in now');

/** As the remedy says. */
async function goesOn(app: Twins): Promise<void> {
  await app.giveUp();
  await app.rotate();
  expect(await works(app)).toBe('accepted');
  await app.rotate();
  expect(await works(app)).toBe('accepted');
}

/** The base role's turn has come as far as testSecret; then AWSCURRENT is moved to the version before. */
async function rolledBack(app: Twins): Promise<string> {
  await app.rotate();
  const { AWSCURRENT = '', AWSPREVIOUS = '' } = await app.secret.labels();
  const token = await app.secret.begin();
  await app.secret.stepsUntil('testSecret', token);
  await app.secret.moveLabel('AWSCURRENT', AWSCURRENT, AWSPREVIOUS);
  expect(await works(app)).toBe('refused');
  return token;
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  const admins: AdminKind[] = ['superuser', 'creator', 'admin-option'];

  test.each(admins)('by the next step, where it was moved there by hand (admin: %s)', async (admin) => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope, { admin });
    const token = await rolledBack(app);

    expect(await app.secret.step('finishSecret', token)).toMatchObject(RIGHT);

    expect(await works(app)).toBe('accepted');
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
    expect(await canLogin(app.server, await app.login({ label: 'AWSPENDING' }))).toBe('refused');
    await goesOn(app);
  });

  test("by the login itself, where the secret got this function half-way through a single user's rotation", async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const token = await app.secret.begin();
    for (const step of ['createSecret', 'setSecret'] as const)
      expect(await app.secret.step(step, token, { strategy: 'single-user' })).toMatchObject({ outcome: 'done' });
    expect(await works(app)).toBe('refused');

    expect(await app.secret.step('createSecret', token)).toMatchObject(RIGHT);

    expect(await works(app)).toBe('accepted');
    expect(await canLogin(app.server, await app.login({ label: 'AWSPENDING' }))).toBe('refused');
    await goesOn(app);
  });

  test.each([0, 1, 2])('and a connection that breaks off meanwhile is made anew, after %i others', async (others) => {
    await using scope = roleScope(await sharedServer(version));
    await using way = await TroubledWay.start(scope.server);
    const members = { host: way.host, port: way.port };
    const app = await twins(account, scope, { members, superuserMembers: members });
    const token = await rolledBack(app);
    way.meets('pass', others);
    way.meets('reset', 2);

    expect(await app.secret.step('finishSecret', token)).toMatchObject(
      mismatch('AWSCURRENT logs in, after .* of waiting \\(DATABASE_CONNECTION_LOST\\)'),
    );

    expect(await works(app)).toBe('accepted');
  });

  test('by the next attempt from the first step on, where a finishSecret moved it late', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const abandoned = await app.secret.begin();
    await app.secret.stepsUntil('testSecret', abandoned);
    const operation = 'UpdateSecretVersionStage';
    const when = ({ userAgent = '' }) => userAgent.includes('exec-env/AWS_Lambda');
    const hung = account.lab.faults.delay({ operation, secret: app.secret.arn, ms: 3_000, when });
    const late = app.secret.step('finishSecret', abandoned);
    await waitFor('finishSecret to hang between its calls', () => hung.hits > 0 || undefined);
    await app.giveUp();
    const token = await app.secret.begin();
    const by = { environment: { INSTANCE: 'another' } };
    for (const step of ['createSecret', 'setSecret', 'testSecret'] as const)
      expect(await app.secret.step(step, token, by)).toMatchObject({ outcome: 'done' });

    expect(await late).toMatchObject({ outcome: 'done' });
    expect((await app.secret.labels()).AWSCURRENT).toBe(abandoned);
    expect(await works(app)).toBe('refused');
    expect(await app.secret.step('createSecret', token)).toMatchObject(RIGHT);

    expect(await works(app)).toBe('accepted');
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await goesOn(app);
  });

  test('and not where that is not what happened', async () => {
    await using scope = roleScope(await sharedServer(version));
    const app = await twins(account, scope);
    const token = await rolledBack(app);
    const roles = await app.roles();

    // Nobody who knows no password of the login has the administrator set one.
    const pending = await app.secret.text({ label: 'AWSPENDING' });
    await app.administer(`ALTER ROLE ${app.sql.base} NOLOGIN`);
    expect(await app.secret.step('finishSecret', token)).toMatchObject(WRONG);
    await app.administer(`ALTER ROLE ${app.sql.base} LOGIN`);
    expect(await app.roles()).toEqual(roles);

    // The base role itself has made the other one a member: no twin of ours.
    await app.administer(`REVOKE ${app.sql.base} FROM ${app.sql.twin}`);
    const unlinked = await app.roles();
    expect(await app.secret.step('finishSecret', token)).toMatchObject(WRONG);
    expect(await app.roles()).toEqual(unlinked);
    await app.administer(`GRANT ${app.sql.base} TO ${app.sql.twin}`);

    // A password that would have to be sent in clear.
    await app.secret.put({ password: 'pässword' });
    expect(await app.secret.step('finishSecret', token)).toMatchObject(WRONG);
    expect(await app.secret.text({ label: 'AWSPENDING' })).toBe(pending);
  });
});
