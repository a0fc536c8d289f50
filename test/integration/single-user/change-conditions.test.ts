import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { type PostgresServer, startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { arrange, quoted } from '../../support/arrangement.ts';
import { OPEN } from '../../support/crash/gate.ts';
import { HeldWays, holdAtProof } from '../../support/held-rotation.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { SilencedWay } from '../../support/network.ts';
import { countLogins, newestVersion, postgresVersions, sharedServer, startTestServer } from '../../support/postgres.ts';
import { expectRefusedAtOnce, expectRotated, rolesStay } from '../../support/rotation-proof.ts';
import { TestAccount } from '../../support/test-account.ts';

/* Servers and roles that bear a change of a password and not the rest of a rotation, or the other way round. */
const SINGLE_USER = { strategy: 'single-user' } as const;
const NEWEST = newestVersion();

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

describe.each(postgresVersions())("PostgreSQL %i: the role's own time-outs end no rotation", (version) => {
  // Who sets nothing against them loses the session that holds the lock, and with it the way back.
  test.each([
    'statement_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
    'idle_session_timeout',
    ...(version >= 17 ? ['transaction_timeout'] : []),
  ])('%s, shorter than the guard and the proof take', async (timeout) => {
    const server = await sharedServer(version);
    await using ways = await HeldWays.open(account, server);
    await using held = await ways.arrange({ prepare: (role) => `ALTER ROLE ${role} SET ${timeout} = '100ms'` });
    const { role, secret } = held.here;
    const token = await secret.begin();
    await held.a('createSecret', token);
    const outlasted: (string | null)[] = [];
    const outlast = () =>
      waitFor('the session to be idle for longer', async () => {
        const [session] = await server.query<{ state: string }>(
          `SELECT state FROM pg_stat_activity
            WHERE usename = $1 AND state LIKE 'idle%' AND clock_timestamp() - state_change > interval '250 ms'`,
          [role.name],
        );
        return session?.state;
      });
    held.gate = {
      reach: async (label) => {
        if (label === 'DescribeSecret, request' || label === 'session 2, connect') outlasted.push(await outlast());
        return 'pass';
      },
    };

    expect(await held.a('setSecret', token)).toMatchObject({ outcome: 'done', credential: 'current' });

    expect(outlasted).toEqual(['idle in transaction', 'idle']);
    held.gate = OPEN;
    const logins = await countLogins(server);
    expect(await held.inTurn('a', token, ['testSecret', 'finishSecret'])).toMatchObject({ outcome: 'done' });
    // The proof was under the lock, which was still held at its end.
    expect(await logins(role.name)).toEqual({ accepted: 0, failed: 0 });
    expect(await held.wrong()).toEqual([]);
  });
});

test('a role whose sessions end with their first error: the old password is put back all the same', async () => {
  const server = await sharedServer();
  await using ways = await HeldWays.open(account, server);
  await using held = await ways.arrange({ prepare: (role) => `ALTER ROLE ${role} SET exit_on_error = on` });
  const { role, secret } = held.here;
  const name = quoted(role.name);
  const token = await secret.begin();
  await held.a('createSecret', token);
  const hold = holdAtProof();
  held.gate = hold;
  const step = held.a('setSecret', token);
  await held.untilHeld(hold, step);
  await server.query(`ALTER ROLE ${name} NOLOGIN`);
  // Another change of the role, which the way back waits for: the server answers that by an error.
  await server.withClient(async (client) => {
    await client.query(`BEGIN; ALTER ROLE ${name} CONNECTION LIMIT 77`);
    hold.release();
    await held.untilItWaits(step);
    await client.query('COMMIT');
  });

  expect(await step).toMatchObject({ outcome: 'failed', error_code: 'PASSWORD_PUT_BACK' });
  await server.query(`ALTER ROLE ${name} LOGIN`);
  expect(await accepted(server, role, [role.password])).toEqual([true]);
});

test('a network that falls silent behind the message with the password leaves nothing locked for longer than the step', async () => {
  const server = await sharedServer();
  await using way = await SilencedWay.start(server);
  await using here = await arrange(account, server, SINGLE_USER, { members: { host: way.host, port: way.port } });
  const { secret } = here;
  const token = await secret.begin();
  await secret.step('createSecret', token);
  way.silentAfter = 'COPY pg_temp.rotation';

  expect(await secret.step('setSecret', token, { timeoutMs: 8_000 })).toMatchObject({
    outcome: 'failed',
    error_code: 'DATABASE_TIMEOUT',
  });
  way.silentAfter = undefined;

  // Who waits for the server inside of COPY holds the role's row for as long as TCP takes to notice.
  const choice = { environment: { INSTANCE: 'B' }, timeoutMs: 20_000 };
  for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const)
    expect(await secret.step(step, token, choice)).toMatchObject({ outcome: expect.stringMatching(/done$/) });
  await expectWorking(here);
});

const SEVEN_SLOTS = {
  max_connections: '7',
  superuser_reserved_connections: '0',
  ...(NEWEST >= 16 ? { reserved_connections: '0' } : {}),
};

test('a server that gets full between the look and the proof has the password put back, and changed once there is room', async () => {
  await using server = await startTestServer({ settings: SEVEN_SLOTS });
  await using ways = await HeldWays.open(account, server);
  await using held = await ways.arrange();
  const { role, secret } = held.here;
  const token = await secret.begin();
  await held.a('createSecret', token);
  const admin = await server.connect();
  const stored = async () => {
    const { rows } = await admin.query('SELECT rolpassword AS stored FROM pg_authid WHERE rolname = $1', [role.name]);
    return String(rows[0].stored);
  };
  const before = await stored();
  await using crowd = new AsyncDisposableStack();
  let connects = 0;
  held.gate = {
    reach: async (label) => {
      if (label.endsWith(', connect') && ++connects === 2)
        await expect(fill(server, crowd)).rejects.toMatchObject({ code: '53300' });
      return 'pass';
    },
  };

  const running = held.a('setSecret', token);
  await waitFor('the change', async () => (await stored()) !== before || undefined);
  await waitFor('the way back', async () => (await stored()) === before || undefined);
  // Whoever looks in vain for room changes nothing.
  const until = connects + 3;
  await waitFor('three looks', async () => {
    expect(await stored()).toBe(before);
    return connects > until || undefined;
  });
  await crowd.disposeAsync();

  expect(await running).toMatchObject({ outcome: 'done', credential: 'current', waited_for: 'DATABASE_FULL' });
  await admin.end();
  for (const step of ['testSecret', 'finishSecret'] as const)
    expect(await held.a(step, token)).toMatchObject({ outcome: 'done' });
  await expectWorking(held.here);
});

test('a server that is silent to the proof has the password put back, and changed once a login is answered in time', async () => {
  const server = await sharedServer();
  await using ways = await HeldWays.open(account, server);
  await using held = await ways.arrange();
  const { role, secret } = held.here;
  const token = await secret.begin();
  await held.a('createSecret', token);
  const stored = async () => {
    const [row] = await server.query('SELECT rolpassword AS stored FROM pg_authid WHERE rolname = $1', [role.name]);
    return String(row?.stored);
  };
  const before = await stored();
  const sessions = async () =>
    (await server.query('SELECT FROM pg_stat_activity WHERE usename = $1', [role.name])).length;
  const silence = Promise.withResolvers<'pass'>();
  let unanswered = 0;
  held.gate = {
    // Who comes beside a session that stays gets no answer.
    reach: async (label) => {
      if (!label.endsWith(', connect')) return 'pass';
      for (let looks = 0; looks < 10; looks++, await sleep(30)) if ((await sessions()) === 0) return 'pass';
      unanswered++;
      return await silence.promise;
    },
  };

  const running = held.a('setSecret', token);
  await waitFor('the change', async () => (await stored()) !== before || undefined);
  await waitFor('the way back', async () => (await stored()) === before || undefined);
  expect(await accepted(server, role, [role.password])).toEqual([true]);
  // Whoever looks in vain for an answer changes nothing.
  const until = unanswered + 3;
  await waitFor('three looks', async () => {
    expect(await stored()).toBe(before);
    return unanswered > until || undefined;
  });
  silence.resolve('pass');

  expect(await running).toMatchObject({ outcome: 'done', credential: 'current', waited_for: 'DATABASE_TIMEOUT' });
  for (const step of ['testSecret', 'finishSecret'] as const)
    expect(await held.a(step, token)).toMatchObject({ outcome: 'done' });
  await expectWorking(held.here);
});

/** Takes all connections that are left. */
async function fill(server: PostgresServer, crowd: AsyncDisposableStack): Promise<never> {
  for (;;) {
    const client = await server.connect();
    crowd.defer(() => client.end());
  }
}

describe('a server that has but one slot left', () => {
  test('is told before anything is changed: there would be no proof', async () => {
    await using server = await startTestServer({ settings: SEVEN_SLOTS });
    await using here = await arrange(account, server, SINGLE_USER);
    const { role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);
    const stays = await rolesStay(server, role.name);
    const clients: Client[] = [];
    const [row] = await server.query<{ others: number }>(
      `SELECT count(*)::int - 1 AS others FROM pg_stat_activity WHERE backend_type = 'client backend'`,
    );
    while (clients.length < 6 - (row?.others ?? 0)) clients.push(await server.connect());

    expect(await secret.step('setSecret', token, { timeoutMs: 12_000 })).toMatchObject({
      outcome: 'failed',
      error_code: 'DATABASE_FULL',
      remedy: expect.stringContaining('max_connections'),
    });

    await Promise.all(clients.map((client) => client.end()));
    await stays();
    for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const)
      expect(await secret.step(step, token)).toMatchObject({ outcome: 'done' });
    await expectWorking(here);
  });
});

describe('a server whose certificate is for another name than its host', () => {
  const NAME = 'db.internal.example';

  // 0.1.0 passes over the key: TLS_WRONG_HOST for good.
  test('is verified by "sslhostname"', async () => {
    const authority = await CertificateAuthority.create();
    const folder = await mkdtemp(join(tmpdir(), 'authority-'));
    await writeFile(join(folder, 'authority.pem'), authority.certificate);
    await using server = await startTestServer({ tls: () => authority.issue([NAME]) });
    const choice = { ...SINGLE_USER, environment: { DB_CA_FILE: join(folder, 'authority.pem') } };
    const arrangeWith = async (members: object) =>
      await arrange(account, server, choice, { members: { ssl: true, ...members } });

    await using here = await arrangeWith({ sslhostname: NAME });
    await expectRotated(here.secret);
    await expectWorking(here);
    expect(JSON.parse(await here.secret.text())).toMatchObject({ sslhostname: NAME, host: server.host });

    for (const members of [{}, { sslhostname: 'db.internal.example.org' }, { sslhostname: server.host }]) {
      await using other = await arrangeWith(members);
      const logins = await countLogins(server);
      const failure = await expectRefusedAtOnce(other.secret, 'TLS_WRONG_HOST');
      expect(failure.remedy).toContain('"sslhostname"');
      expect(await logins(other.role.name)).toEqual({ accepted: 0, failed: 0 });
    }
    await rm(folder, { recursive: true });
  });
});

describe('a synchronous standby that is gone, for which COMMIT would wait: nothing is changed until it is back, or let go', () => {
  // The role itself may not see which of those that are there are synchronous.
  test.each([
    ['the only one', 'gone', false],
    ['beside a replica that is none', 'gone, "also gone"', true],
    ['one of two that are waited for', 'FIRST 2 ("walReceiver", gone)', true],
    ['one of a quorum', 'ANY 2 (walreceiver, gone, "also gone")', true],
  ])('%s', async (_, names, hasReplica) => {
    const settings = { synchronous_commit: 'on' };
    await using servers = new AsyncDisposableStack();
    const server = servers.use(
      await (hasReplica ? startPostgres({ source: 'embedded', settings }) : startTestServer({ settings })),
    );
    if (hasReplica) servers.use(await startReplica(server));
    const set = async (value: string) => {
      // Of the server's files, and so no COMMIT of ours waits.
      await server.query(`ALTER SYSTEM SET synchronous_standby_names = ${escapeLiteral(value)}`);
      await server.query('SELECT pg_reload_conf()');
      await waitFor('the setting to count', async () => {
        const [row] = await server.query<{ names: string }>(
          `SELECT current_setting('synchronous_standby_names') AS names`,
        );
        return row?.names === value || undefined;
      });
    };
    await using here = await arrange(account, server, { strategy: 'single-user', timeoutMs: 14_000 });
    const token = await here.secret.begin();
    expect(await here.secret.step('createSecret', token)).toMatchObject({ outcome: 'done' });
    await set(names);

    const waited = await here.secret.step('setSecret', token);
    const inForce = await accepted(server, here.role, [here.role.password]);
    await set(hasReplica ? 'FIRST 1 (gone, walreceiver)' : '');

    expect(waited).toMatchObject({
      error_code: 'DATABASE_UNAVAILABLE',
      error_message: expect.stringContaining('synchronous standby'),
      waited_for: 'DATABASE_UNAVAILABLE',
    });
    expect(inForce).toEqual([true]);
    for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const)
      expect(await here.secret.step(step, token)).toMatchObject({ outcome: 'done' });
  });
});
