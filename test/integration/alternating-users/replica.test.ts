import { afterAll, beforeAll, expect, test } from 'vitest';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { type PostgresServer, startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { hostsEnvironment } from '../../support/hosts.ts';
import { canLogin, roleScope } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { type Twins, twins } from '../../support/twins.ts';

const PRIMARY = 'orders.c1a2b3.us-east-1.rds.amazonaws.com';
const REPLICA = 'orders-replica.c1a2b3.us-east-1.rds.amazonaws.com';

let account: TestAccount;
let primary: PostgresServer;
let replica: PostgresServer;
beforeAll(async () => {
  account = await TestAccount.open();
  primary = await startPostgres({ source: 'embedded', settings: { log_connections: 'on' } });
  replica = await startReplica(primary);
  account.lab.resources.databases.push(
    { id: 'orders', host: PRIMARY, port: primary.port },
    { id: 'orders-replica', host: REPLICA, port: replica.port, replicaOf: 'orders' },
  );
});
afterAll(async () => {
  await replica.close();
  await primary.close();
  await account[Symbol.asyncDispose]();
});

/** Twins whose applications read from the replica, while the superuser secret is for the primary. */
async function readingFromReplica(scope: ReturnType<typeof roleScope>, timeoutMs?: number): Promise<Twins> {
  const hosts = hostsEnvironment({ [PRIMARY]: primary.host, [REPLICA]: replica.host });
  const app = await twins(account, scope, {
    environment: { AWS_ENDPOINT_URL_RDS: account.lab.endpoint, ...hosts },
    timeoutMs,
    members: { host: REPLICA, port: replica.port },
    superuserMembers: { host: PRIMARY },
  });
  await waitFor('the base role on the replica', async () => {
    const { name: user, password } = app.base;
    return (await canLogin(replica, { user, password })) === 'accepted' || undefined;
  });
  return app;
}

test('testSecret waits until the replica has replayed the new password', async () => {
  await using scope = roleScope(primary);
  const app = await readingFromReplica(scope);
  const token = await app.secret.begin();
  expect(await app.secret.step('createSecret', token)).toMatchObject({ outcome: 'done' });
  await replica.query('SELECT pg_wal_replay_pause()');
  try {
    expect(await app.secret.step('setSecret', token)).toMatchObject({ outcome: 'done', credential: 'superuser' });
    const pending = await app.login({ versionId: token });
    expect([await canLogin(primary, pending), await canLogin(replica, pending)]).toEqual(['accepted', 'refused']);

    const tested = app.secret.step('testSecret', token);
    await waitFor('testSecret to be refused at the replica', async () => refusals(app.twin));
    await replica.query('SELECT pg_wal_replay_resume()');

    expect(await tested).toMatchObject({ outcome: 'done', credential: 'pending' });
    expect(await canLogin(replica, pending)).toBe('accepted');
  } finally {
    await replica.query('SELECT pg_wal_replay_resume()');
  }
});

test('a replica that stays behind ends testSecret in words before its time is over, and AWSCURRENT stands', async () => {
  await using scope = roleScope(primary);
  const app = await readingFromReplica(scope, 6_000);
  const before = await app.login();
  const token = await app.secret.begin();
  await app.secret.step('createSecret', token);
  await replica.query('SELECT pg_wal_replay_pause()');
  try {
    await app.secret.step('setSecret', token);
    expect(await app.secret.step('testSecret', token)).toMatchObject({
      error_code: 'PASSWORD_NOT_ACCEPTED',
      credential: 'pending',
      host: REPLICA,
    });
    expect(await app.login()).toEqual(before);
    expect(await canLogin(replica, before)).toBe('accepted');
  } finally {
    await replica.query('SELECT pg_wal_replay_resume()');
  }
});

test('the service rotates both twins through the primary', async () => {
  await using scope = roleScope(primary);
  const app = await readingFromReplica(scope);

  await app.rotate();
  await app.rotate();

  expect(await canLogin(replica, await app.login())).toBe('accepted');
  expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
});

/** True once the replica has refused a login of this user more than once: the first is our own. */
async function refusals(user: string): Promise<true | undefined> {
  const log = await replica.log();
  const refused = log.split(`password authentication failed for user "${user}"`).length - 1;
  return refused > 1 || undefined;
}
