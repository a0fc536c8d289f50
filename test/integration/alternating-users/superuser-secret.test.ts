import { randomBytes, randomUUID } from 'node:crypto';
import { DeleteSecretCommand, RestoreSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostsEnvironment } from '../../support/hosts.ts';
import { closedPort } from '../../support/network.ts';
import { canLogin, countLogins, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const rdsCalls = () =>
  ['DescribeDBInstances', 'DescribeDBClusters'].map((name) => account.lab.resources.calls(`rds:${name}`));
const rdsEnvironment = () => ({ AWS_ENDPOINT_URL_RDS: account.lab.endpoint });

describe('a superuser secret that is of no use is told apart, and nothing changes', () => {
  test('none named', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope, { members: { masterarn: undefined } });
    const failure = await app.refused('SUPERUSER_SECRET_MISSING');
    expect(failure).toMatchObject({ step: 'createSecret', key: 'masterarn' });
    // Without a value nothing stands in the way of the correction.
    expect(app.secret.calls.map(({ operation }) => operation)).not.toContain('PutSecretValue');
  });

  test.each([
    ['no ARN at all', 'SUPERUSER_SECRET_MISSING', ''],
    ['not a string', 'SECRET_MALFORMED', 7],
    [
      'a secret that does not exist',
      'SUPERUSER_SECRET_UNUSABLE',
      `arn:aws:secretsmanager:us-east-1:123456789012:secret:none-a1B2c3`,
    ],
  ])('%s', async (_, code, masterarn) => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope, { members: { masterarn } });
    expect((await app.refused(code)).error_message).not.toContain(app.base.password);
  });

  test.each([
    ['not JSON', 'hunter2hunter2'],
    ['no password', JSON.stringify({ engine: 'postgres', host: '127.0.0.1', username: 'postgres' })],
    [
      'another engine',
      JSON.stringify({ engine: 'mysql', host: '127.0.0.1', username: 'root', password: 'hunter2hunter2' }),
    ],
  ])('a value that is %s', async (_, text) => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope);
    await app.superuserSecret.putText(text);
    const failure = await app.refused('SECRET_MALFORMED');
    expect(failure).toMatchObject({
      step: 'setSecret',
      credential: 'superuser',
      remedy: expect.stringContaining(`--secret-id ${app.superuserSecret.arn}`),
    });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });

  test('one that is marked for deletion, which the remedy names', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope);
    await account.client.send(new DeleteSecretCommand({ SecretId: app.superuserSecret.arn }));
    expect(await app.refused('SECRET_IN_WRONG_STATE')).toMatchObject({
      step: 'setSecret',
      credential: 'superuser',
      remedy: expect.stringContaining(`--secret-id ${app.superuserSecret.arn}`),
    });
    await account.client.send(new RestoreSecretCommand({ SecretId: app.superuserSecret.arn }));
  });

  test("another server's", async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await twins(account, scope, { environment: rdsEnvironment() });
    const logins = await countLogins(server);

    for (const members of [{ host: 'localhost' }, { port: server.port === 1024 ? 1025 : 1024 }]) {
      await app.superuserSecret.put({ host: server.host, port: server.port, ...members });
      expect(await app.refused('SUPERUSER_ON_OTHER_SERVER')).toMatchObject({ step: 'setSecret', key: 'masterarn' });
    }

    expect(await logins(app.admin.name)).toEqual({ accepted: 0, failed: 0 });
  });

  test('a wrong password', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope, { superuserMembers: { password: randomBytes(12).toString('hex') } });
    expect(await app.refused('PASSWORD_NOT_ACCEPTED')).toMatchObject({
      step: 'setSecret',
      credential: 'superuser',
      username: app.admin.name,
    });
  });

  test('a host and a server without either of the tags that RDS puts on its own', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope, { environment: rdsEnvironment() });
    await app.superuserSecret.putText(JSON.stringify({ username: app.admin.name, password: app.admin.password }));
    expect(await app.refused('SUPERUSER_SECRET_UNUSABLE')).toMatchObject({ step: 'setSecret', key: 'masterarn' });
  });
});

describe('a superuser secret that RDS manages', () => {
  const INSTANCE = 'arn:aws:rds:us-east-1:123456789012';

  /** Twins on a server that RDS knows under names of its own. */
  async function managed(scope: ReturnType<typeof roleScope>, tag: string, value: string, host: string) {
    const { server } = scope;
    const environment = {
      ...rdsEnvironment(),
      ...hostsEnvironment({ [host]: server.host }),
      // A secret that RDS manages has no "ssl" key, and the tests' plain servers have no TLS.
      TLS_FALLBACK: 'allow',
    };
    const app = await twins(account, scope, { environment, members: { host } });
    await app.superuserSecret.putText(JSON.stringify({ username: app.admin.name, password: app.admin.password }));
    account.lab.actAsService(app.superuserSecret.arn, { owningService: 'rds', tags: { [tag]: value } });
    return app;
  }

  test.each([
    ['aws:rds:primaryDBInstanceArn', 'db', 'instance'],
    ['aws:rds:primarydbclusterarn', 'cluster', 'cluster'],
  ])('is completed by its tag %s', async (tag, type, kind) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const id = `orders-${randomUUID()}`;
    const host = `${id}.c1a2b3.us-east-1.rds.amazonaws.com`;
    const { port } = server;
    if (kind === 'cluster') account.lab.resources.databaseClusters.push({ id, host, port });
    else account.lab.resources.databases.push({ id, host, port });
    const app = await managed(scope, tag, `${INSTANCE}:${type}:${id}`, host);
    const before = rdsCalls();

    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await app.rotate();

    const asked = rdsCalls().map((count, index) => count - (before[index] ?? 0));
    expect(asked).toEqual(kind === 'cluster' ? [0, 2] : [2, 0]);
  });

  test('for a server that is gone, or of another endpoint, is refused', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const id = `orders-${randomUUID()}`;
    const host = `${id}.c1a2b3.us-east-1.rds.amazonaws.com`;
    const app = await managed(scope, 'aws:rds:primarydbinstancearn', `${INSTANCE}:db:${id}`, host);

    await app.refused('SUPERUSER_SECRET_UNUSABLE');
    account.lab.resources.databases.push({ id, host: `other.${host}`, port: server.port });
    await app.refused('SUPERUSER_ON_OTHER_SERVER');
  });

  test('is told to be unusable, with the permission that is missing, where the function may not ask RDS', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await managed(scope, 'aws:rds:primarydbinstancearn', `${INSTANCE}:db:x`, 'x.rds.amazonaws.com');
    const allow = account.lab.resources.refuse('rds:DescribeDBInstances');
    try {
      expect((await app.refused('SUPERUSER_SECRET_UNUSABLE')).remedy).toContain('rds:DescribeDBInstances');
    } finally {
      allow();
    }
  });
});

describe('a claim to be a replica', () => {
  const primary = 'orders.c1a2b3.us-east-1.rds.amazonaws.com';
  const replica = 'orders-replica.c1a2b3.us-east-1.rds.amazonaws.com';
  const cluster = 'shop.cluster-c1a2b3.us-east-1.rds.amazonaws.com';
  const reader = 'shop.cluster-ro-c1a2b3.us-east-1.rds.amazonaws.com';
  const member = 'shop-2.c1a2b3.us-east-1.rds.amazonaws.com';
  const impostor = 'orders-replica.attacker.example.com';
  const stranger = 'strange.c1a2b3.us-east-1.rds.amazonaws.com';

  beforeAll(async () => {
    const { port } = await sharedServer();
    account.lab.resources.databases.push(
      { id: 'orders', host: primary, port },
      { id: 'orders-replica', host: replica, port, replicaOf: 'orders' },
      { id: 'shop-2', host: member, port, clusterId: 'shop' },
      { id: 'strange', host: stranger, port, replicaOf: 'something-else' },
    );
    account.lab.resources.databaseClusters.push({ id: 'shop', host: cluster, readerHost: reader, port });
  });

  // One server stands for both: to the function they differ by name, and the passwords reach "the other" at once.
  const environment = () => {
    const names = [primary, replica, cluster, reader, member, impostor, stranger];
    return { ...rdsEnvironment(), ...hostsEnvironment(Object.fromEntries(names.map((name) => [name, '127.0.0.1']))) };
  };

  test.each([
    ['a read replica of the instance', replica, primary],
    ['the reader endpoint of the cluster', reader, cluster],
    ['an instance of the cluster', member, cluster],
    ['a read replica in capitals', replica.toUpperCase(), primary],
  ])('is believed for %s', async (_, host, of) => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope, {
      environment: { ...environment(), ...hostsEnvironment({ [of]: '127.0.0.1', [host]: '127.0.0.1' }) },
      members: { host },
      superuserMembers: { host: of },
    });
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
  });

  test.each([
    ['a name that only begins alike', impostor, primary],
    ["another instance's replica", stranger, primary],
    ['an instance of another cluster', member, primary],
    ['the primary itself, of its replica', primary, replica],
    ['an IP address', '127.0.0.1', primary],
    ['a host that RDS does not know', 'localhost', primary],
  ])('is not believed for %s', async (_, host, of) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await twins(account, scope, {
      environment: environment(),
      members: { host },
      superuserMembers: { host: of },
    });
    const logins = await countLogins(server);
    await app.refused('SUPERUSER_ON_OTHER_SERVER');
    expect(await logins(app.admin.name)).toEqual({ accepted: 0, failed: 0 });
  });
});

test.each([
  ['its superuser secret has no host', {}],
  ['its host may be a replica', { host: 'primary.example.com', engine: 'postgres' }],
])('an RDS API that can not be reached is told as such: %s', async (_, members) => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await twins(account, scope, {
    // RDS is asked as often as Secrets Manager.
    environment: { AWS_ENDPOINT_URL_RDS: `http://127.0.0.1:${await closedPort()}`, AWS_MAX_ATTEMPTS: '2' },
  });
  const { name: username, password } = app.admin;
  await app.superuserSecret.putText(JSON.stringify({ username, password, ...members }));
  const tags = { 'aws:rds:primarydbinstancearn': 'arn:aws:rds:us-east-1:123456789012:db:orders' };
  account.lab.actAsService(app.superuserSecret.arn, { owningService: 'rds', tags });

  expect(await app.refused('RDS_UNAVAILABLE')).toMatchObject({
    step: 'setSecret',
    credential: 'superuser',
    error_message: expect.stringContaining('was needed, but the service could not be reached'),
    remedy: expect.stringMatching(/^Nothing needs repair/),
  });
});

test('a rotation whose superuser secret names the same server asks RDS nothing', async () => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await twins(account, scope, { environment: rdsEnvironment() });
  const alone = await scope.createAppRole({ name: scope.name('alone') });
  const single = await account.secretFor(server, alone, { strategy: 'single-user', environment: rdsEnvironment() });
  const before = rdsCalls();

  await app.rotate();
  await app.rotate();
  expect(await single.rotate()).toMatchObject({ outcome: 'succeeded' });

  expect(rdsCalls()).toEqual(before);
  expect(await canLogin(server, await app.login())).toBe('accepted');
});
