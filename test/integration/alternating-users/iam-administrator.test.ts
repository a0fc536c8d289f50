import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FUNCTION_CREDENTIALS } from '../../../scripts/lab/account.ts';
import type { IamFront, IamFrontOptions } from '../../../scripts/lab/database/iam-front.ts';
import { canLogin, countLogins, roleScope } from '../../support/postgres.ts';
import { ENDPOINT, type RdsEndpoint, startRdsServer } from '../../support/rds-server.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TwinOptions } from '../../support/twin-options.ts';
import { outermostVersions, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(async () => {
  expect(account.output.lines.length).toBeGreaterThan(0);
  for (const part of ['X-Amz-', 'rds-db%2F']) expect(account.output.contains(part)).toBe(false);
  await account[Symbol.asyncDispose]();
});

const PREVIOUS = { label: 'AWSPREVIOUS' };

describe.each(outermostVersions())('PostgreSQL %i, an administrator that logs in by IAM', (version) => {
  let rds: RdsEndpoint;
  beforeAll(async () => {
    rds = await startRdsServer(version);
  });
  afterAll(async () => {
    await rds.server.close();
    await rds[Symbol.asyncDispose]();
  });

  /** @param options of the front. */
  async function arrange(scope: RoleScope, front: IamFront, options: TwinOptions = {}) {
    return await twins(account, scope, rds.byIam(front, options));
  }
  const frontWith = (options: Partial<IamFrontOptions> = {}) => rds.front(options);

  test.each(['creator', 'admin-option'] as const)('rotates both twins, turn by turn (%s)', async (admin) => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const app = await arrange(scope, front, { admin });
    expect(await app.superuserSecret.text()).not.toContain('password');

    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    expect(await canLogin(rds.server, await app.login(PREVIOUS))).toBe('accepted');
    await app.query(`INSERT INTO ${app.base.table} VALUES (2, 'second')`);

    const second = await app.countedRotation();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
    expect(await canLogin(rds.server, await app.login(PREVIOUS))).toBe('accepted');
    expect(second.failed).toEqual([0, 0, 0]);
    // One login, one token.
    expect(second.accepted[2]).toBe(1);
    expect(front.faults).toEqual([]);
  });

  test.skipIf(version < 16)(
    'needs no more of a role than ADMIN OPTION, and of a twin that is there the same',
    async () => {
      await using scope = roleScope(rds.server);
      await using front = await frontWith();
      const app = await arrange(scope, front, { admin: 'createrole' });
      const grant = (role: string) =>
        rds.server.query(`GRANT "${role}" TO "${app.admin.name}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
      const { remedy } = await app.refused('PERMISSION_DENIED');
      expect(remedy).toContain('WITH ADMIN OPTION');
      await grant(app.base.name);
      await app.rotate();
      await app.rotate();
      // Another administrator has made the twin.
      await rds.server.query(`REVOKE "${app.twin}" FROM "${app.admin.name}"`);
      await app.refused('PERMISSION_DENIED');
      await grant(app.twin);
      await app.rotate();
      expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    },
  );

  test('logs in to the primary of the replica that the application reads from', async () => {
    await using scope = roleScope(rds.server);
    const replica = ENDPOINT.replace('orders', 'orders-replica');
    await using front = await frontWith({ certificate: await rds.certificateFor(ENDPOINT, replica) });
    const { port } = front;
    account.lab.resources.databases.splice(0, Number.POSITIVE_INFINITY);
    account.lab.resources.databases.push(
      { id: 'orders', host: ENDPOINT, port },
      { id: 'orders-replica', host: replica, port, replicaOf: 'orders' },
    );
    const environment = { ...rds.environment(replica), AWS_ENDPOINT_URL_RDS: account.lab.endpoint };
    const app = await arrange(scope, front, { members: { host: replica }, environment });
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    expect(front.faults).toEqual([]);
  });

  test('sends its token over TLS though TLS_FALLBACK is allowed, and no plain text where the server has none', async () => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const app = await arrange(scope, front, { environment: { TLS_FALLBACK: 'allow' } });
    await app.rotate();
    // The server itself has no TLS: the application may fall back there, the administrator never.
    const { port } = rds.server;
    await app.secret.put({ ...JSON.parse(await app.secret.text()), port });
    await app.superuserSecret.put({ ...JSON.parse(await app.superuserSecret.text()), port });
    const logins = await countLogins(rds.server);
    const failure = await app.refused('TLS_NOT_SUPPORTED');
    expect(failure).toMatchObject({ step: 'setSecret', credential: 'superuser' });
    expect(failure.remedy).not.toContain('"ssl": false');
    expect(await logins(app.admin.name)).toEqual({ accepted: 0, failed: 0 });
  });

  test('passes a token of 1.5 KB', async () => {
    await using scope = roleScope(rds.server);
    // Letters that a query has to escape, as session tokens have them.
    const sessionToken = `${'IQoJb3JpZ2luX2VjEPf//////////wEaCXVz+'.repeat(24)}==`;
    const { accessKeyId, secretAccessKey } = FUNCTION_CREDENTIALS;
    await using front = await frontWith({ keyOf: () => ({ secretAccessKey, sessionToken }) });
    const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SESSION_TOKEN: sessionToken };
    const app = await arrange(scope, front, { environment });
    await app.rotate();
    expect(front.tokenBytes).toBeGreaterThan(1_400);
  });

  test.each<[string, Partial<IamFrontOptions>]>([
    ['other region or service', { region: 'eu-west-1' }],
    ['age', { now: () => Date.now() + 16 * 60_000 }],
    ['unknown key', { keyOf: () => undefined }],
    ['session token', { keyOf: () => ({ secretAccessKey: 'lab', sessionToken: 'another' }) }],
    ['signature', { keyOf: () => ({ ...FUNCTION_CREDENTIALS, secretAccessKey: 'another' }) }],
    ['no permission', { mayConnect: () => false }],
  ])('whose token RDS refuses (%s) is told in words, and nothing changes', async (fault, options) => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith(options);
    const app = await arrange(scope, front);
    const failure = await app.refused('IAM_LOGIN_REFUSED');
    expect(failure).toMatchObject({ step: 'setSecret', credential: 'superuser', username: app.admin.name });
    expect(failure).toMatchObject({ reason: '28000', host: ENDPOINT });
    for (const words of ['rds-db:connect', 'GRANT rds_iam', 'IAM authentication'])
      expect(failure.remedy).toContain(words);
    expect(front.faults).toEqual([fault]);
    expect(await canLogin(rds.server, await app.login())).toBe('accepted');
  });

  test('that is not in rds_iam is told so, and its token goes nowhere', async () => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const app = await arrange(scope, front);
    await rds.server.query(`REVOKE rds_iam FROM "${app.admin.name}"`);
    const logins = await countLogins(rds.server);
    const failure = await app.refused('IAM_LOGIN_REFUSED');
    expect(failure.error_message).toContain('asks for a password');
    expect(failure.remedy).toContain(`GRANT rds_iam TO "${app.admin.name}"`);
    expect((await logins(app.admin.name)).accepted).toBe(0);
    await rds.grantIam(app.admin);
    await app.rotate();
  });

  test.each<[string, string, Readonly<Record<string, unknown>>]>([
    ['a password beside', 'password', { password: 'hunter2hunter2' }],
    ['another type', 'iam', { iam: 'yes' }],
    ['"ssl": false', 'ssl', { ssl: false }],
    ['another name in the certificate', 'sslhostname', { sslhostname: 'db.example.com' }],
    ['a host that is no endpoint', 'host', { host: 'db.example.com' }],
  ])('whose secret has %s is refused in words', async (_, key, members) => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const app = await arrange(scope, front, { superuserMembers: members });
    const failure = await app.refused('SECRET_MALFORMED');
    expect(failure).toMatchObject({ step: 'setSecret', credential: 'superuser', key });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });

  test('for another server than the application is refused before a token is made', async () => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const host = ENDPOINT.replace('orders', 'others');
    const environment = { ...rds.environment(host), AWS_ENDPOINT_URL_RDS: account.lab.endpoint };
    const app = await arrange(scope, front, { superuserMembers: { host }, environment });
    await app.refused('SUPERUSER_ON_OTHER_SERVER');
    expect(front.tokenBytes).toBe(0);
  });

  test('leaves its twins alone when the application itself is in rds_iam, whose password does not count', async () => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const app = await arrange(scope, front);
    await rds.grantIam(app.base);
    const failure = await app.refused('LOGIN_FORBIDDEN');
    expect(failure).toMatchObject({ step: 'createSecret', credential: 'current', username: app.base.name });
    expect(failure.remedy).toContain(`REVOKE rds_iam FROM "${app.base.name}"`);
  });

  test('has a secret that no single user rotation takes for one of its own', async () => {
    await using scope = roleScope(rds.server);
    await using front = await frontWith();
    const app = await arrange(scope, front);
    const single = await account.store(
      { strategy: 'single-user', environment: rds.environment() },
      await app.superuserSecret.text(),
    );
    const { steps } = await single.rotate();
    expect(steps.at(-1)).toMatchObject({ step: 'createSecret', error_code: 'SECRET_MALFORMED', key: 'iam' });
  });
});
