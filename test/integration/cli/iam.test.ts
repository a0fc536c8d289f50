import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FUNCTION_CREDENTIALS } from '../../../scripts/lab/account.ts';
import { roleFor } from '../../../scripts/lab/functions/function-role.ts';
import type { PolicyDocument } from '../../../scripts/lab/resources.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';
import { ENDPOINT, type RdsEndpoint, startRdsServer } from '../../support/rds-server.ts';
import { freshName } from '../../support/secrets-lab-client.ts';
import { twins } from '../../support/twins.ts';

const { account, command } = await operator();

let rds: RdsEndpoint;
beforeAll(async () => {
  rds = await startRdsServer();
});
afterAll(async () => {
  expect(command.written).not.toContain('X-Amz-');
  await rds.server.close();
  await rds[Symbol.asyncDispose]();
});

/** The operator's key, and the functions'. */
const keyOf = (id: string) =>
  id === 'test'
    ? { secretAccessKey: 'test' }
    : id === FUNCTION_CREDENTIALS.accessKeyId
      ? FUNCTION_CREDENTIALS
      : undefined;

const RESOURCE = 'db-ABCDEFGHIJKL01234';
let functions = 0;

/** An application whose administrator logs in by IAM, as RDS, IAM and the server know it. */
async function arranged(scope: ReturnType<typeof roleScope>, { mayConnect = true } = {}) {
  const front = await rds.front({ keyOf, mayConnect: () => mayConnect });
  const app = await twins(account, scope, rds.byIam(front));
  const instance = { id: 'orders', host: ENDPOINT, port: front.port, resourceId: RESOURCE, iam: true };
  account.lab.resources.databases.splice(0, Number.POSITIVE_INFINITY, instance);
  const roleArn = `arn:aws:iam::123456789012:role/by-iam-${++functions}`;
  const environment = { ...rds.environment() };
  const functionArn = deploy(account, 'alternating-users', {
    named: `-iam-${functions}`,
    environment,
    settings: { role: roleArn },
  });
  await attachTo(account, app.secret.arn, functionArn);
  const allow = (...users: readonly string[]) => {
    const Resource = users.map((user) => `arn:aws:rds-db:us-east-1:123456789012:dbuser:${RESOURCE}/${user}`);
    const policy: PolicyDocument = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['rds-db:connect'], Resource }],
    };
    const { policies } = roleFor(functionArn, roleArn);
    account.lab.resources.roles.set(roleArn, { arn: roleArn, policies: [...policies, policy] });
  };
  allow(app.admin.name);
  return { front, app, allow, instance };
}

const trusting = () => ['--ca-file', rds.environment().DB_CA_FILE ?? ''];

async function examine(secretArn: string) {
  const args = ['doctor', secretArn, ...trusting()];
  const { exitCode, answer } = await command.json(args, { env: rds.environment() });
  const findings: readonly { check: string; state: string; message: string; remedy?: string }[] = answer.findings;
  // The check of DNS asks past the tests' hosts file, which knows the endpoint.
  const broken = findings.filter(({ state, check }) => state === 'broken' && check !== 'DNS');
  return { exitCode, broken, find: (check: string) => findings.find((finding) => finding.check === check) };
}

describe('rotation doctor of an administrator that logs in by IAM', () => {
  it("looks at the server's setting, the role's policy, the membership, and logs in", async () => {
    await using scope = roleScope(rds.server);
    const { app, front } = await arranged(scope);
    await using _ = front;
    const { broken, find } = await examine(app.secret.arn);
    expect(broken).toEqual([]);
    for (const check of ['superuser secret', 'IAM authentication', 'IAM policy', 'rds_iam', 'twin'])
      expect(find(check), check).toMatchObject({ state: 'ok' });
    expect((await command.run(['now', app.secret.arn, ...trusting()], { env: rds.environment() })).exitCode).toBe(0);
  });

  it('tells each that is missing, with its remedy', async () => {
    await using scope = roleScope(rds.server);
    const { app, front, allow, instance } = await arranged(scope);
    await using _ = front;
    account.lab.resources.databases.splice(0, 1, { ...instance, iam: false });
    allow('somebody-else');
    await rds.server.query(`REVOKE rds_iam FROM "${app.admin.name}"`);
    const { exitCode, find } = await examine(app.secret.arn);
    expect(find('IAM authentication')).toMatchObject({
      state: 'broken',
      remedy: expect.stringMatching(/^aws rds modify-db-instance .*--enable-iam-database-authentication/),
    });
    expect(find('IAM policy')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('rds-db:connect'),
      remedy: expect.stringContaining(`dbuser:${RESOURCE}/${app.admin.name}`),
    });
    expect(find('rds_iam')).toMatchObject({ state: 'broken', remedy: `GRANT rds_iam TO "${app.admin.name}";` });
    expect(exitCode).toBe(3);
  });

  it('knows a cluster, and an instance of it, by the cluster', async () => {
    await using scope = roleScope(rds.server);
    const { app, front, allow, instance } = await arranged(scope);
    await using _ = front;
    const { id, host, port } = instance;
    account.lab.resources.databases.splice(0, 1, { id, host, port, clusterId: 'shop' });
    const endpoint = host.replace('orders', 'shop');
    account.lab.resources.databaseClusters.push({ id: 'shop', host: endpoint, port, resourceId: RESOURCE, iam: false });
    allow(app.admin.name);
    const { find } = await examine(app.secret.arn);
    expect(find('IAM authentication')).toMatchObject({
      state: 'broken',
      remedy: expect.stringMatching(/^aws rds modify-db-cluster .*:cluster:shop --enable-iam-database-authentication$/),
    });
    expect(find('IAM policy')).toMatchObject({ state: 'ok' });
  });

  it('calls unknown what only the operator may not do', async () => {
    await using scope = roleScope(rds.server);
    const { app, front } = await arranged(scope, { mayConnect: false });
    await using _ = front;
    const allowed = account.lab.resources.refuse('rds:DescribeDBInstances');
    const { broken, find } = await examine(app.secret.arn);
    allowed();
    for (const check of ['IAM authentication', 'IAM policy', 'twin'])
      expect(find(check), check).toMatchObject({ state: 'unknown' });
    expect(find('rds_iam')).toMatchObject({ state: 'ok' });
    expect(broken).toEqual([]);
  });

  it('tells that an application in rds_iam is locked out', async () => {
    await using scope = roleScope(rds.server);
    const { app, front } = await arranged(scope);
    await using _ = front;
    await rds.grantIam(app.base);
    const { exitCode, find } = await examine(app.secret.arn);
    expect(find('login AWSCURRENT')).toMatchObject({
      state: 'broken',
      remedy: expect.stringContaining('REVOKE rds_iam'),
    });
    expect(exitCode).toBe(3);
  });
});

describe('rotation create --iam', () => {
  const args = (name: string, port: number, username: string) => [
    ...['create', name, '--iam', '--host', ENDPOINT, '--port', String(port), '--username', username],
    ...trusting(),
  ];
  const read = async (SecretId: string) =>
    (await account.client.send(new GetSecretValueCommand({ SecretId }))).SecretString ?? '';

  it('stores a login without a password, proven by one', async () => {
    await using scope = roleScope(rds.server);
    const { app, front } = await arranged(scope);
    await using _ = front;
    const name = freshName('create/by-iam');
    const { exitCode, stdout } = await command.run(args(name, front.port, app.admin.name), { env: rds.environment() });
    expect(stdout).toContain('its login works');
    expect(stdout).toContain('IamAdministratorArns');
    expect(exitCode).toBe(0);
    expect(JSON.parse(await read(name))).toEqual({
      engine: 'postgres',
      host: ENDPOINT,
      port: front.port,
      username: app.admin.name,
      dbname: 'postgres',
      iam: true,
    });
    // Nothing rotates it, and nothing has to.
    const { answer } = await command.json(['coverage'], {});
    expect(JSON.stringify(answer)).not.toContain(name);
  });

  it('stores nothing where RDS refuses the token', async () => {
    await using scope = roleScope(rds.server);
    const { app, front } = await arranged(scope, { mayConnect: false });
    await using _ = front;
    const name = freshName('create/by-iam');
    const { exitCode, stderr } = await command.run(args(name, front.port, app.admin.name), { env: rds.environment() });
    expect(stderr).toContain('the server refused the IAM token');
    expect(stderr).toContain('nothing was stored');
    expect(stderr).toContain('--no-login');
    expect(exitCode).toBe(4);
    await expect(read(name)).rejects.toThrow();
  });

  it.each<[string, readonly string[], RegExp]>([
    ['plain text', ['--ssl', 'false'], /ssl: true or nothing was needed/],
    ['a host that is no endpoint', ['--host', 'db.example.com'], /the endpoint that RDS gives/],
    ['a password', ['--password-stdin'], /--iam goes without --password-stdin/],
  ])('refuses %s', async (_, more, words) => {
    const { exitCode, stderr } = await command.run([...args(freshName('create/by-iam'), 5432, 'rotator'), ...more]);
    expect(stderr).toMatch(words);
    expect(exitCode).toBe(2);
  });
});
