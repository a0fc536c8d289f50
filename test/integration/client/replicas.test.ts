import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { type PostgresServer, startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { labLogin, logInByHand, poolOfOneQuery } from '../../support/login-clients.ts';
import { LoginLoad } from '../../support/login-load.ts';
import { MovingEndpoint } from '../../support/moving-endpoint.ts';
import { canLogin, roleScope } from '../../support/postgres.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { RotationBench } from '../../support/rotation-bench.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

let bench: RotationBench;
beforeAll(async () => {
  bench = await RotationBench.open();
});
afterAll(() => bench[Symbol.asyncDispose]());

let primary: PostgresServer;
let replica: PostgresServer;
let endpoint: MovingEndpoint;
beforeEach(async () => {
  primary = await startPostgres({ source: 'embedded' });
  replica = await startReplica(primary);
  endpoint = await MovingEndpoint.at(primary);
});
afterEach(async () => {
  await endpoint[Symbol.asyncDispose]();
  await replica.close();
  await primary.close();
});

const STRATEGIES = ['single-user', 'alternating-users'] as const;

/** A secret whose host is the endpoint, which replica and primary stand behind. */
async function secretAtEndpoint(scope: RoleScope, strategy: (typeof STRATEGIES)[number]): Promise<TestSecret> {
  const members = { host: endpoint.host, port: endpoint.port };
  if (strategy === 'alternating-users')
    return (await twins(bench, scope, { members, superuserMembers: members })).secret;
  return await bench.secretFor(endpoint, await scope.createAppRole(), { strategy });
}

async function accepts(server: PostgresServer, secret: TestSecret, label: string): Promise<true | undefined> {
  const { username: user, password, dbname: database } = JSON.parse(await secret.text({ label }));
  return (await canLogin(server, { user, password, database })) === 'accepted' || undefined;
}

/** Applications that start now, and so know nothing but AWSCURRENT. */
function startApplications(secret: TestSecret) {
  const pool = poolOfOneQuery(labLogin(bench.lab, secret.arn));
  const login = labLogin(bench.lab, secret.arn);
  const loads = [
    new LoginLoad(async () => void (await pool.query('SELECT 1')), 20),
    new LoginLoad(() => logInByHand(login), 20),
  ];
  return {
    login,
    more: (logins: number) => Promise.all(loads.map((load) => load.more(logins))),
    end: async () => {
      const results = await Promise.all(loads.map((load) => load.end()));
      await pool.end();
      for (const result of results) expect(result).toMatchObject({ refused: 0, problems: [] });
    },
  };
}

describe.each(STRATEGIES)('%s', (strategy) => {
  test('a replica that lags is read with AWSPREVIOUS until it has caught up, and no application sees a refusal', async () => {
    await using scope = roleScope(primary);
    const secret = await secretAtEndpoint(scope, strategy);
    await waitFor('the role on the replica', () => accepts(replica, secret, 'AWSCURRENT'));
    await replica.query('SELECT pg_wal_replay_pause()');
    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    endpoint.target = replica;

    const applications = startApplications(secret);
    await applications.more(10);
    expect((await applications.login.current()).stage).toBe('AWSPREVIOUS');

    await replica.query('SELECT pg_wal_replay_resume()');
    await waitFor('the replica to catch up', () => accepts(replica, secret, 'AWSCURRENT'));
    await applications.more(10);
    await applications.end();
    // Alternating users' previous login stays right, so nothing calls for another.
    const stage = strategy === 'single-user' ? 'AWSCURRENT' : 'AWSPREVIOUS';
    expect((await applications.login.current()).stage).toBe(stage);
  }, 120_000);

  test('a primary that moves to a replica without the last change is used with AWSPREVIOUS, and no application sees a refusal', async () => {
    await using scope = roleScope(primary);
    const secret = await secretAtEndpoint(scope, strategy);
    await waitFor('the role on the replica', () => accepts(replica, secret, 'AWSCURRENT'));
    const applications = startApplications(secret);
    await applications.more(5);
    // Cut off from its primary, and so without the change, as a replica that copies asynchronously.
    await replica.query(`ALTER SYSTEM SET primary_conninfo = ''`);
    await replica.query('SELECT pg_reload_conf()');
    await waitFor('the replica to be cut off', async () => {
      const receivers = await replica.query('SELECT 1 FROM pg_stat_wal_receiver');
      return receivers.length === 0 || undefined;
    });
    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    await applications.more(5);

    await replica.query('SELECT pg_promote()');
    endpoint.target = replica;
    await applications.more(10);
    // One that starts now knows AWSCURRENT only, which this server has never heard of.
    const late = labLogin(bench.lab, secret.arn);
    await logInByHand(late);
    expect(late.latest?.stage).toBe('AWSPREVIOUS');
    // A single user's function finds the way back by itself; alternating users' takes AWSCURRENT to log in always.
    if (strategy === 'single-user') {
      expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
      await applications.more(10);
      expect(await accepts(replica, secret, 'AWSCURRENT')).toBe(true);
    }
    await applications.end();
  }, 120_000);
});
