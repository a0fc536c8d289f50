import { CancelRotateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { attachTo, type DeployOptions, deploy } from '../../support/attached.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { roleScope, startTestServer } from '../../support/postgres.ts';
import { toolIsHere } from '../../support/tools.ts';
import { twins } from '../../support/twins.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const { account, command, server } = await operator();

let functions = 0;
const newFunction = (options: DeployOptions = {}) =>
  deploy(account, 'single-user', { named: `-${++functions}`, ...options });

async function attached(options: ArrangementOptions = {}, functionArn = newFunction()) {
  const here = await arrange(account, server, { strategy: 'single-user' }, options);
  await attachTo(account, here.secret.arn, functionArn);
  return { ...here, [Symbol.asyncDispose]: () => here[Symbol.asyncDispose]() };
}

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly message: string;
  readonly remedy?: string;
}

/** The findings of a doctor's visit, by check. */
async function examine(secretArn: string, ...options: string[]) {
  const { exitCode, answer } = await command.json(['doctor', secretArn, ...options]);
  const findings: Finding[] = answer.findings;
  const find = (check: string) => findings.find((finding) => finding.check === check);
  return { exitCode, answer, findings, find };
}

/** Leaves AWSPENDING behind, without a value and with nobody working on it. */
async function strand(here: Awaited<ReturnType<typeof attached>>): Promise<string> {
  const token = await here.secret.begin();
  await account.client.send(new CancelRotateSecretCommand({ SecretId: here.secret.arn }));
  return token;
}

describe('rotation doctor', () => {
  it('finds nothing broken where nothing is, in the order of a rotation', async () => {
    await using here = await attached();
    const { exitCode, findings, answer } = await examine(here.secret.arn);
    expect(findings.map(({ check, state }) => `${check}: ${state}`)).toEqual([
      'caller: ok',
      'secret: ok',
      'value: ok',
      'labels: ok',
      'rotation: ok',
      'function: ok',
      'invoke permission: ok',
      'role policy: ok',
      'KMS: ok',
      'VPC: ok',
      'DNS: ok',
      'TLS: warning',
      'login AWSCURRENT: ok',
      'schedule: ok',
    ]);
    expect({ exitCode, broken: answer.broken, fix: answer.fix }).toEqual({ exitCode: 0, broken: 0, fix: null });
  });

  it('prints one line a check, remedies below, and a verdict', async () => {
    await using here = await attached();
    const { exitCode, stdout } = await command.run(['doctor', here.secret.arn]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ok {7}caller {16} {2}arn:aws:iam::123456789012:user\/lab asks$/m);
    expect(stdout).toMatch(/^warning {2}TLS {19} {2}the secret says "ssl": false.*\n +what to do: Turn TLS on/m);
    expect(stdout).toMatch(/\nNothing is broken\.\n$/);
    expect(command.written).not.toContain(here.role.password);
  });

  it('finds all that is wrong with a function', async () => {
    await using here = await attached();
    await redeploy(here.secret.arn, {
      timeoutMs: 10_000,
      environment: { PASSWORD_LENGTH: 'long' },
      settings: { permission: 'none', runtime: 'nodejs20.x', reservedConcurrency: 2 },
    });
    const { find, exitCode } = await examine(here.secret.arn, '--no-login');
    const found = ['function', 'time-out', 'concurrency', 'environment', 'invoke permission'].map(find);
    expect(found).toMatchObject([
      { state: 'broken', message: expect.stringContaining('no longer supports') },
      { state: 'warning', message: expect.stringMatching(/^10 s/) },
      { state: 'broken', message: expect.stringContaining('make rotations loop') },
      { state: 'broken', message: expect.stringContaining('PASSWORD_LENGTH') },
      { state: 'broken', remedy: expect.stringMatching(/add-permission .* --source-account 123456789012/) },
    ]);
    expect(exitCode).toBe(3);
  });

  it('warns of what works and should not be so', async () => {
    await using here = await attached();
    await redeploy(here.secret.arn, { settings: { permission: 'any', runtime: 'python3.10' } });
    const { find, exitCode } = await examine(here.secret.arn, '--no-login');
    expect(find('invoke permission')).toMatchObject({
      state: 'warning',
      message: expect.stringContaining('any account'),
    });
    expect(find('function')).toMatchObject({
      state: 'warning',
      message: expect.stringContaining("none of this project's"),
    });
    expect(exitCode).toBe(0);
  });

  it('tells of a container image what Lambda tells of it, and goes on', async () => {
    await using here = await attached();
    await redeploy(here.secret.arn, { settings: { packageType: 'Image' } });
    const { find, answer, exitCode } = await examine(here.secret.arn);
    expect(find('function')).toMatchObject({ state: 'unknown', message: expect.stringContaining('container image') });
    expect(find('invoke permission')).toMatchObject({ state: 'ok' });
    expect({ exitCode, broken: answer.broken }).toEqual({ exitCode: 0, broken: 0 });
  });

  it('warns of copies of the password, with a function or without', async () => {
    const DATABASE_URL = 'postgres://{user}:{password}@db.example.com/shop';
    await using here = await arrange(account, server, { strategy: 'single-user' });
    const url = DATABASE_URL.replace('{user}', here.role.name).replace('{password}', here.role.password);
    await here.secret.put({ DATABASE_URL: url });
    const without = await examine(here.secret.arn);
    expect(without.find('copies')).toMatchObject({ state: 'warning', remedy: expect.stringContaining('Attach') });
    await attachTo(account, here.secret.arn, newFunction());
    const found = await examine(here.secret.arn);
    expect(found.find('copies')).toMatchObject({ state: 'warning', remedy: expect.stringContaining('DATABASE_URL') });
  });

  it('finds what the role may not do, and an answer that it did not get is no ok', async () => {
    const role = { arn: 'arn:aws:iam::123456789012:role/poor', policies: [] };
    account.lab.resources.roles.set(role.arn, role);
    await using here = await attached({}, newFunction({ settings: { role: role.arn } }));
    expect((await examine(here.secret.arn, '--no-login')).find('role policy')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('secretsmanager:PutSecretValue'),
    });
    const allow = account.lab.resources.refuse('iam:SimulatePrincipalPolicy');
    const { find, exitCode } = await examine(here.secret.arn, '--no-login');
    allow();
    expect(find('role policy')).toMatchObject({
      state: 'unknown',
      message: expect.stringMatching(/^could not be checked: iam:/),
    });
    expect(exitCode).toBe(0);
  });

  it('finds a function that is gone', async () => {
    await using here = await attached();
    account.lab.functions.forget(await functionOf(here.secret.arn));
    const { find, exitCode } = await examine(here.secret.arn, '--no-login');
    expect(find('function')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('there is no function'),
    });
    expect(exitCode).toBe(3);
  });

  it('finds a secret without a function, and one that is no login', async () => {
    await using bare = await arrange(account, server, { strategy: 'single-user' });
    expect((await examine(bare.secret.arn)).find('rotation')).toMatchObject({
      state: 'broken',
      remedy: expect.stringContaining('rotation attach'),
    });
    await bare.secret.putText('{"engine":"postgres","host":"h","username":"u"}');
    const { exitCode, find } = await examine(bare.secret.arn);
    expect(find('value')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('password: a string was needed'),
    });
    expect(exitCode).toBe(3);
  });

  it('finds a password that the server refuses, and shows none', async () => {
    await using here = await attached();
    await server.query(`ALTER ROLE "${here.role.name}" PASSWORD 'something-else-entirely'`);
    const { find, exitCode } = await examine(here.secret.arn);
    expect(find('login AWSCURRENT')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('applications read'),
    });
    expect(exitCode).toBe(3);
    expect(command.written).not.toContain(here.role.password);
  });

  it('finds that the previous password is refused after a rotation, as it should be', async () => {
    await using here = await attached();
    await command.run(['now', here.secret.arn, '--no-login']);
    const { find, exitCode } = await examine(here.secret.arn);
    expect(find('login AWSPREVIOUS')).toMatchObject({ state: 'ok', message: expect.stringContaining('as it should') });
    expect(exitCode).toBe(0);
  });

  it('tells a certificate that nobody trusts from one that this machine alone does not', async () => {
    const authority = await CertificateAuthority.create();
    await using own = await startTestServer({ tls: (host) => authority.issue([host]) });
    await using scope = roleScope(own);
    const role = await scope.createAppRole();
    const secret = await account.secretFor(own, role, { strategy: 'single-user' }, { ssl: true });
    expect((await examine(secret.arn)).find('TLS')).toMatchObject({ state: 'broken' });
  });

  it('judges the way through a VPC by endpoints, routes and security groups', async () => {
    const { resources } = account.lab;
    const vpcId = 'vpc-1';
    resources.subnets.push({ id: 'subnet-1', vpcId });
    resources.securityGroups.push({ id: 'sg-function', vpcId }, { id: 'sg-database', vpcId, ingress: [] });
    resources.databases.push({ id: 'shop', host: server.host, port: server.port, vpcId, groups: ['sg-database'] });
    const vpc = { vpcId, subnetIds: ['subnet-1'], securityGroupIds: ['sg-function'] };
    await using here = await attached({}, newFunction({ settings: { vpc } }));

    const shut = await examine(here.secret.arn, '--no-login');
    expect(shut.find('way to Secrets Manager')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('no route out'),
    });
    expect(shut.find('security groups')).toMatchObject({
      state: 'broken',
      remedy: expect.stringContaining(`--port ${server.port} --source-group sg-function`),
    });

    resources.securityGroups.splice(1, 1, {
      id: 'sg-database',
      vpcId,
      ingress: [{ ports: [server.port, server.port], groups: ['sg-function'] }],
    });
    resources.vpcEndpoints.push({ id: 'vpce-1', vpcId, service: 'com.amazonaws.us-east-1.secretsmanager' });
    resources.securityGroups.push({
      id: 'sg-endpoint',
      vpcId,
      ingress: [{ ports: [443, 443], groups: ['sg-function'] }],
    });
    resources.vpcEndpoints.splice(0, 1, {
      id: 'vpce-1',
      vpcId,
      service: 'com.amazonaws.us-east-1.secretsmanager',
      groups: ['sg-endpoint'],
    });
    const open = await examine(here.secret.arn, '--no-login');
    expect(open.find('way to Secrets Manager')).toMatchObject({
      state: 'ok',
      message: expect.stringContaining('vpce-1'),
    });
    expect(open.find('security groups')).toMatchObject({ state: 'ok' });

    const allow = resources.refuse('ec2:DescribeSecurityGroups');
    expect((await examine(here.secret.arn, '--no-login')).find('VPC')).toMatchObject({ state: 'unknown' });
    allow();
    resources.databases.length = 0;
    expect((await examine(here.secret.arn, '--no-login')).find('security groups')).toMatchObject({ state: 'unknown' });
  });
});

describe("rotation doctor of a function's network", () => {
  const { resources } = account.lab;
  const inVpc = async (vpcId: string) =>
    await attached(
      {},
      newFunction({ settings: { vpc: { vpcId, subnetIds: [`subnet-of-${vpcId}`], securityGroupIds: [] } } }),
    );

  it("goes by the VPC's main route table where the subnet is associated with none", async () => {
    resources.subnets.push({ id: 'subnet-of-vpc-main', vpcId: 'vpc-main', defaultRoute: 'nat-1', onMainTable: true });
    await using here = await inVpc('vpc-main');
    const { find } = await examine(here.secret.arn, '--no-login');
    expect(find('way to Secrets Manager')).toMatchObject({ state: 'ok', message: expect.stringContaining('nat-1') });
  });

  it('does not know of an endpoint behind a transit gateway', async () => {
    resources.subnets.push({ id: 'subnet-of-vpc-hub', vpcId: 'vpc-hub', otherRoutes: ['tgw-1'] });
    await using here = await inVpc('vpc-hub');
    const { find } = await examine(here.secret.arn, '--no-login');
    expect(find('way to Secrets Manager')).toMatchObject({ state: 'unknown' });
  });

  it('finds the database on whichever page RDS tells it', async () => {
    resources.subnets.push({ id: 'subnet-of-vpc-many', vpcId: 'vpc-many', defaultRoute: 'nat-1' });
    for (let each = 0; each < 12; each++) resources.databases.push({ id: `d-${each}`, host: `d-${each}.x`, port: 1 });
    resources.securityGroups.push({ id: 'sg-many', vpcId: 'vpc-many' });
    resources.databases.push({ id: 'last', host: server.host, port: server.port, groups: ['sg-many'] });
    await using here = await inVpc('vpc-many');
    const { find } = await examine(here.secret.arn, '--no-login');
    resources.databases.length = 0;
    expect(find('security groups')?.message).not.toContain('RDS has no instance');
  });
});

describe('rotation doctor of alternating users', () => {
  it('plans the next turn with the superuser, and finds a right that it lacks', async () => {
    await using scope = roleScope(server);
    const pair = await twins(account, scope);
    await attachTo(account, pair.secret.arn, deploy(account, 'alternating-users'));
    const well = await examine(pair.secret.arn);
    expect(well.find('superuser secret')).toMatchObject({ state: 'ok' });
    expect(well.find('superuser policy')).toMatchObject({ state: 'ok' });
    expect(well.find('twin')).toMatchObject({ state: 'ok', message: expect.stringContaining('it will be created') });
    expect(well.exitCode).toBe(0);

    const denied = { operation: 'GetSecretValue', secret: pair.superuserSecret.arn, times: Number.POSITIVE_INFINITY };
    const fault = account.lab.faults.fail({ ...denied, type: 'AccessDeniedException', message: 'Not for you' });
    const unseen = await examine(pair.secret.arn);
    fault.remove();
    expect(unseen.find('superuser secret')).toMatchObject({ state: 'unknown' });
    expect(unseen.exitCode).toBe(0);

    await server.query(`ALTER ROLE "${pair.admin.name}" NOSUPERUSER NOCREATEROLE`);
    const poor = await examine(pair.secret.arn);
    expect(poor.find('twin')).toMatchObject({ state: 'broken', remedy: expect.stringMatching(/CREATEROLE/) });
    expect(poor.exitCode).toBe(3);
  });
});

describe('rotation doctor of a superuser secret that RDS manages', () => {
  it('finds its server by asking RDS, at the endpoint that the command was told', async () => {
    await using scope = roleScope(server);
    const pair = await twins(account, scope);
    const { username, password } = JSON.parse(await pair.superuserSecret.text());
    await pair.superuserSecret.putText(JSON.stringify({ username, password }));
    const arn = 'arn:aws:rds:us-east-1:123456789012:db:managed';
    account.lab.actAsService(pair.superuserSecret.arn, { tags: { 'aws:rds:primaryDBInstanceArn': arn } });
    const unheardOf = await examine(pair.secret.arn);
    expect(unheardOf.find('superuser secret')).toMatchObject({
      state: 'broken',
      message: expect.stringContaining(arn),
    });

    const allow = account.lab.resources.refuse('rds:DescribeDBInstances');
    expect((await examine(pair.secret.arn)).find('superuser secret')).toMatchObject({ state: 'unknown' });
    allow();

    account.lab.resources.databases.push({
      id: 'managed',
      host: server.host,
      port: server.port,
      vpcId: 'v',
      groups: [],
    });
    const known = await examine(pair.secret.arn);
    expect(known.find('superuser secret')).toMatchObject({
      state: 'ok',
      message: expect.stringContaining(`${username}@${server.host}:${server.port}`),
    });
    expect(command.written).not.toContain(password);
  });
});

describe('rotation doctor --fix', () => {
  it('takes a value-less AWSPENDING off that was left behind, so that rotation works again', async () => {
    await using here = await attached();
    const functionArn = await functionOf(here.secret.arn);
    await strand(here);
    const look = await examine(here.secret.arn);
    expect(look.find('labels')).toMatchObject({
      state: 'broken',
      remedy: expect.stringMatching(/rotation doctor .* --fix/),
    });
    expect(look.answer.fix).toEqual({ name: 'take-off-pending', done: false });
    expect((await here.secret.labels()).AWSPENDING).toBeDefined();

    const { stdout } = await command.run(['doctor', here.secret.arn, '--fix', '--yes']);
    expect(stdout).toContain('Fixed: AWSPENDING is off');
    expect((await here.secret.labels()).AWSPENDING).toBeUndefined();
    await attachTo(account, here.secret.arn, functionArn);
    expect((await command.run(['now', here.secret.arn])).exitCode).toBe(0);
    await expectWorking(here);
  });

  it('refuses --yes without it', async () => {
    expect(await command.run(['doctor', 'a', '--yes'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--yes goes with --fix.'),
    });
  });

  it('changes nothing without a terminal to ask on or --yes', async () => {
    await using here = await attached();
    const token = await strand(here);
    const { exitCode, stderr } = await command.run(['doctor', here.secret.arn, '--fix']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Give --yes.');
    expect((await here.secret.labels()).AWSPENDING).toBe(token);
  });

  it('moves AWSCURRENT to AWSPENDING where the server accepts that password alone', async () => {
    await using here = await attached();
    const token = await strand(here);
    const pending = 'pending-password-of-the-test';
    const value = JSON.stringify({ ...JSON.parse(await here.secret.text()), password: pending });
    await account.client.send(
      new PutSecretValueCommand({
        SecretId: here.secret.arn,
        ClientRequestToken: token,
        SecretString: value,
        VersionStages: ['AWSPENDING'],
      }),
    );
    await server.query(`ALTER ROLE "${here.role.name}" PASSWORD '${pending}'`);
    const { answer } = await examine(here.secret.arn, '--fix', '--yes');
    expect(answer.fix).toEqual({ name: 'promote-pending', done: true });
    expect((await here.secret.labels()).AWSCURRENT).toBe(token);
    await expectWorking(here);
    expect(command.written).not.toContain(pending);
  });

  it.skipIf(!hasTerminal)('asks on a terminal, and a no changes nothing', async () => {
    await using here = await attached();
    const token = await strand(here);
    const declined = command.onTerminal(['doctor', here.secret.arn, '--fix']);
    await declined.says('so that rotation can start anew?');
    declined.type('n\r');
    expect((await declined.ended()).exitCode).toBe(3);
    expect((await here.secret.labels()).AWSPENDING).toBe(token);

    const agreed = command.onTerminal(['doctor', here.secret.arn, '--fix']);
    await agreed.says('so that rotation can start anew?');
    agreed.type('y\r');
    await agreed.ended();
    expect(agreed.text).toContain('Fixed: AWSPENDING is off');
    expect((await here.secret.labels()).AWSPENDING).toBeUndefined();
  });
});

async function functionOf(secretArn: string): Promise<string> {
  const { answer } = await command.json(['status', secretArn]);
  return answer.secrets[0].function;
}

/** Deploys another function under the name of the one that the secret has. */
async function redeploy(secretArn: string, options: DeployOptions): Promise<void> {
  const found = account.lab.functions.describe(await functionOf(secretArn));
  account.lab.functions.register({ name: found?.name ?? '', bundle: '/dev/null', ...options });
}
