import { DatabaseError } from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { rotatingPool, secretLogin } from '../../../client/index.ts';
import type { AppRole } from '../../../scripts/lab/database/app-role.ts';
import { RedshiftStandIn } from '../../../scripts/lab/redshift/stand-in.ts';
import { ExplicitClient } from '../../../shared/database/client-options.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { Recorder } from '../../support/crash/gate.ts';
import type { HeldRotation } from '../../support/held-rotation.ts';
import { HeldWays, holdAt } from '../../support/held-rotation.ts';
import { newestVersion, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { StepResult, TestSecret } from '../../support/test-secret.ts';

/*
 * Single user on the stand-in for Amazon Redshift, which refuses every statement that Redshift is not known to have, and
 * names another process at login than the one that serves the session.
 */
const PENDING = { label: 'AWSPENDING' };
const account = await TestAccount.open();
const scope = roleScope(await sharedServer(newestVersion()));
const database = await scope.createDatabase();
const standIn = await RedshiftStandIn.start(scope.server, [database]);
const ways = await HeldWays.open(account, scope.server);
ways.ways.database.target = standIn;
afterAll(async () => {
  await ways[Symbol.asyncDispose]();
  await standIn[Symbol.asyncDispose]();
  await scope[Symbol.asyncDispose]();
  await account[Symbol.asyncDispose]();
  expect(standIn.refused).toEqual([]);
});

let made = 0;

/** A user of the stand-in and its secret. */
async function userWith(how: 'md5' | 'sha256', members = {}): Promise<{ role: AppRole; secret: TestSecret }> {
  const role = await scope.createAppRole({ name: scope.name(`app${++made}`), database });
  await standIn.store(role.name, role.password, how);
  const secret = await account.secretFor(
    standIn,
    role,
    { strategy: 'single-user' },
    { engine: 'redshift', ...members },
  );
  return { role, secret };
}

/** How the stand-in asks a plain driver for the password, or 'refused'. */
async function logIn(user: string, password: string): Promise<'accepted' | 'refused'> {
  const { host, port } = standIn;
  const client = new ExplicitClient({ host, port, database, user, password, ssl: false });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return 'accepted';
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '28000' && error.routine === 'auth_failed') return 'refused';
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const stepOf = (steps: readonly { readonly step?: string | undefined }[], name: string) =>
  steps.find(({ step }) => step === name);

test('rotates, in four logins of which none fails', async () => {
  const { role, secret } = await userWith('md5');
  const before = standIn.connections;

  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

  expect(standIn.connections - before).toBe(4);
  const password = await secret.password();
  expect(password).toMatch(/^[A-Za-z0-9\-._~]{32}$/);
  expect(await logIn(role.name, password)).toBe('accepted');
  expect(await logIn(role.name, role.password)).toBe('refused');
  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
});

test('who has sha256 logs in by the digest, has md5 afterwards, and the log line says so', async () => {
  const { role, secret } = await userWith('sha256');
  const asked = { ...standIn.asked };

  const { outcome, steps } = await secret.rotate();

  expect(outcome).toBe('succeeded');
  expect(stepOf(steps, 'setSecret')).toMatchObject({ outcome: 'done', notice: expect.stringMatching(/sha256.*md5/) });
  expect(standIn.asked).toEqual({ d: asked.d + 2, p: asked.p + 2 });
  // node-postgres, which knows no digest.
  expect(await logIn(role.name, await secret.password())).toBe('accepted');
  const again = await secret.rotate();
  expect(stepOf(again.steps, 'setSecret')).not.toHaveProperty('notice');
});

test.each([
  'md5',
  'sha256',
] as const)('a wrong password leads to the next candidate, as with PostgreSQL (%s)', async (how) => {
  const { role, secret } = await userWith(how);
  const token = await secret.begin();
  await secret.stepsUntil('setSecret', token);
  await secret.unlabel('AWSPENDING', token);

  const { outcome, steps } = await secret.rotate();

  expect(outcome).toBe('succeeded');
  expect(stepOf(steps, 'setSecret')).toMatchObject({ credential: 'unlabelled' });
  expect(await logIn(role.name, await secret.password())).toBe('accepted');
});

test('where no password is accepted, the remedy names what Redshift has', async () => {
  const { role, secret } = await userWith('md5');
  await secret.put({ password: 'Another-password-1' });
  await standIn.store(role.name, 'By-somebody-else-1', 'md5');
  const { steps } = await secret.rotate();
  expect(steps).toMatchObject([
    { error_code: 'NO_WORKING_PASSWORD', remedy: expect.stringMatching(/ALTER USER.*PASSWORD/) },
  ]);
  expect(steps[0]).not.toHaveProperty('remedy', expect.stringContaining('\\password'));
});

test.each<[string, object, RegExp]>([
  ['upper case in the name', { username: 'Shop' }, /lower case/],
  ['a name of IAM', { username: 'IAM:shop' }, /IAM/],
  ['a name of IAM with a role', { username: 'IAMR:shop' }, /IAM/],
  ['a name that is too long', { username: 'a'.repeat(128) }, /127 bytes/],
])('%s is refused before anything is sent', async (_, members, words) => {
  const { secret } = await userWith('md5', members);
  const before = standIn.connections;
  expect((await secret.rotate()).steps).toMatchObject([
    { error_code: 'SECRET_MALFORMED', key: 'username', error_message: expect.stringMatching(words) },
  ]);
  expect(standIn.connections).toBe(before);
});

test("the administrator's secret that Redshift manages is refused", async () => {
  const { secret } = await userWith('md5');
  account.lab.actAsService(secret.arn, { tags: { 'aws:redshift:primaryClusterArn': 'arn:aws:redshift:…' } });
  const token = await secret.begin();
  expect(await secret.step('createSecret', token)).toMatchObject({ error_code: 'SECRET_MANAGED' });
});

test('masterarn means nothing to a single user; alternating users are refused', async () => {
  const masterarn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf';
  const { role, secret } = await userWith('md5', { masterarn });
  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  const other = await account.secretFor(
    standIn,
    { ...role, password: await secret.password() },
    { strategy: 'alternating-users' },
    { engine: 'redshift', masterarn },
  );
  expect((await other.rotate()).steps).toMatchObject([{ step: 'createSecret', error_code: 'ENGINE_UNSUPPORTED' }]);
});

describe('an engine that the server is not', () => {
  const DIFFERS = { error_code: 'SECRET_MALFORMED', key: 'engine' };
  const rolesStored = (name: string) =>
    scope.server.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [name]);

  /** A secret of a user of PostgreSQL that says Redshift. */
  async function misnamed() {
    const role = await scope.createAppRole({ name: scope.name(`app${++made}`), database });
    const choice = { strategy: 'single-user' } as const;
    return { role, secret: await account.secretFor(scope.server, role, choice, { engine: 'redshift' }) };
  }

  test("redshift for PostgreSQL: nothing is stored, not even where it is AWSPREVIOUS' password that logs in", async () => {
    const { role, secret } = await misnamed();
    const before = await rolesStored(role.name);
    for (const password of [role.password, 'Another-password-1']) {
      await secret.put({ password });
      const token = await secret.begin();
      expect(await secret.step('createSecret', token)).toMatchObject({
        ...DIFFERS,
        error_message: expect.stringContaining('"postgres" was needed for this server, found "redshift"'),
      });
      await expect(secret.text({ versionId: token })).rejects.toThrow();
      await secret.unlabel('AWSPENDING', token);
    }
    expect(await rolesStored(role.name)).toEqual(before);

    await secret.put({ password: role.password, engine: 'postgres' });
    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  });

  test.each(['setSecret', 'testSecret'] as const)('redshift for PostgreSQL is refused by %s too', async (step) => {
    const { role, secret } = await misnamed();
    const before = await rolesStored(role.name);
    const token = await secret.begin();
    await secret.put({}, ['AWSPENDING'], token);
    expect(await secret.step(step, token)).toMatchObject({
      ...DIFFERS,
      remedy: expect.stringMatching(/^aws secretsmanager update-secret-version-stage .* then: Correct "engine"/),
    });
    expect(await rolesStored(role.name)).toEqual(before);
  });

  test.each(['postgres', 'aurora-postgresql'])('%s for Redshift', async (engine) => {
    const { role, secret } = await userWith('md5', { engine });
    expect((await secret.rotate()).steps).toMatchObject([
      {
        step: 'createSecret',
        ...DIFFERS,
        error_message: expect.stringContaining(`"redshift" was needed for this server, found "${engine}"`),
      },
    ]);
    expect(await logIn(role.name, role.password)).toBe('accepted');
    const other = await account.secretFor(
      standIn,
      role,
      { strategy: 'alternating-users' },
      { engine, masterarn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf' },
    );
    expect((await other.rotate()).steps).toMatchObject([{ step: 'createSecret', error_code: 'ENGINE_UNSUPPORTED' }]);
  });
});

/** Two instances, of which A can be held at its messages. */
async function held(how: 'md5' | 'sha256' = 'md5'): Promise<{ held: HeldRotation; token: string; role: AppRole }> {
  const two = await ways.arrange({ members: { engine: 'redshift', dbname: 'postgres' } });
  const { role, secret } = two.here;
  await standIn.store(role.name, role.password, how);
  const token = await secret.begin();
  expect(await two.a('createSecret', token)).toMatchObject({ outcome: 'done' });
  return { held: two, token, role };
}

/** Runs A's setSecret up to a point, does something, and lets A go on. */
async function meanwhile(
  two: HeldRotation,
  token: string,
  point: string,
  work: () => Promise<unknown>,
  how: 'pass' | 'cut' = 'pass',
) {
  const hold = holdAt(`setSecret: ${point}`, two.step);
  two.gate = hold;
  const step = two.a('setSecret', token);
  await two.untilHeld(hold, step);
  await work();
  hold.release(how);
  return await step;
}

describe('between the change and its proof', () => {
  test.each([
    'md5',
    'sha256',
  ] as const)('a login that is refused has the old password put back, as md5 (%s)', async (how) => {
    const { held: two, token, role } = await held(how);
    await using _two = two;
    const pending = await two.here.secret.password(PENDING);

    const end = await meanwhile(two, token, 'session 2, connect', () =>
      // What a login meets whose change has gone wrong: another password than the one that was set.
      standIn.store(role.name, 'Something-else-1', 'md5'),
    );

    expect(end).toMatchObject({ outcome: 'failed', error_code: 'PASSWORD_PUT_BACK' });
    expect(await logIn(role.name, role.password)).toBe('accepted');
    expect(await logIn(role.name, pending)).toBe('refused');
    // The service calls the steps again.
    expect(await two.inTurn('b', token, STEPS)).toMatchObject({ outcome: 'done' });
    expect(await logIn(role.name, pending)).toBe('accepted');
  });

  test('another attempt that finishes the rotation is not undone', async () => {
    const { held: two, token, role } = await held();
    await using _two = two;
    const pending = await two.here.secret.password(PENDING);

    await meanwhile(two, token, 'session 2, connect', async () =>
      expect(await two.inTurn('b', token, STEPS)).toMatchObject({ outcome: 'done' }),
    );

    expect(await two.here.secret.password()).toBe(pending);
    expect(await logIn(role.name, pending)).toBe('accepted');
  });
});

/** The moments of setSecret: before its messages, and before the answers that change what it knows. */
const POINTS = await (async () => {
  const { held: two, token } = await held();
  await using _two = two;
  const recorder = new Recorder(two.step);
  two.gate = recorder;
  await two.a('setSecret', token);
  return recorder.points
    .map((point) => point.replace('setSecret: ', ''))
    .filter((point) => / > |Secret|connect$|CommandComplete (ALTER|COMMIT)/.test(point));
})();

test('the moments are those of a change that worked', () => {
  for (const moment of [/CommandComplete ALTER/, /CommandComplete COMMIT/, /DescribeSecret/, /session 2, connect/])
    expect(POINTS.some((point) => moment.test(point))).toBe(true);
});

test.each(POINTS)('cut at %s, the same rotation ends well', async (point) => {
  const { held: two, token, role } = await held();
  await using _two = two;
  const pending = await two.here.secret.password(PENDING);
  await meanwhile(two, token, point, () => Promise.resolve(), 'cut');
  const end = await two.inTurn('b', token, STEPS);
  expect(end).toMatchObject({ step: 'finishSecret', outcome: expect.stringMatching(/^(done|already-current)$/) });
  expect(await logIn(role.name, pending)).toBe('accepted');
});

test('a late step of a rotation that was given up changes nothing: the guard is asked while the row is held', async () => {
  const { held: two, token, role } = await held();
  await using _two = two;
  const { secret } = two.here;
  const asking = POINTS.find((point) => /DescribeSecret/.test(point)) ?? '';
  let next = '';

  const end = await meanwhile(two, token, asking, async () => {
    await secret.unlabel('AWSPENDING', token);
    next = await secret.begin();
    expect(await two.b('createSecret', next)).toMatchObject({ outcome: 'done' });
  });

  expect(end).toMatchObject({ outcome: 'failed', error_code: 'VERSION_UNKNOWN' });
  expect(await logIn(role.name, role.password)).toBe('accepted');
  expect(await two.inTurn('b', next, STEPS)).toMatchObject({ step: 'finishSecret', outcome: 'done' });
  expect(await logIn(role.name, await secret.password())).toBe('accepted');
});

test('a second attempt that changes the user too waits, or is tried again, and both end well', async () => {
  const { held: two, token, role } = await held();
  await using _two = two;
  const pending = await two.here.secret.password(PENDING);
  let b: Promise<StepResult> | undefined;
  const asking = POINTS.find((point) => /DescribeSecret/.test(point)) ?? '';

  const a = await meanwhile(two, token, asking, async () => {
    const second = two.b('setSecret', token);
    b = second;
    await two.untilItWaits(second);
  });

  expect([a.outcome, (await b)?.outcome]).toEqual(
    expect.arrayContaining([expect.stringMatching(/done/), expect.stringMatching(/done/)]),
  );
  expect(await two.inTurn('b', token, STEPS)).toMatchObject({ step: 'finishSecret', outcome: 'done' });
  expect(await logIn(role.name, pending)).toBe('accepted');
});

test('the client for applications logs in by the secret, and knows a refused password', async () => {
  const { role, secret } = await userWith('md5');
  const login = secretLogin({ secretId: secret.arn, client: account.client });
  const pool = rotatingPool(login, { max: 1 });
  const whoAmI = async () => (await pool.query('SELECT session_user AS "user"')).rows[0]?.user;
  try {
    expect(await whoAmI()).toBe(role.name);
    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    await pool.query('SELECT pg_backend_pid()');
  } finally {
    await pool.end();
  }
  // What it holds is the password of before: a new pool's login is refused with 28000, and another one found.
  const next = rotatingPool(login, { max: 1 });
  try {
    expect((await next.query('SELECT session_user AS "user"')).rows).toEqual([{ user: role.name }]);
  } finally {
    await next.end();
  }
});

test('an edit of AWSCURRENT in the middle is refused, and stays', async () => {
  const { role, secret } = await userWith('md5');
  const token = await secret.begin();
  await secret.stepsUntil('createSecret', token);
  await secret.put({ dbname: 'elsewhere' });
  expect(await secret.step('setSecret', token)).toMatchObject({ error_code: 'PENDING_MISMATCH' });
  expect(await logIn(role.name, role.password)).toBe('accepted');
});
