import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { Trap } from '../../support/crash/gate.ts';
import { GatedPostgres } from '../../support/crash/gated-postgres.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { closedPort, SilentServer, TcpProxy } from '../../support/network.ts';
import { sharedServer, startTestServer } from '../../support/postgres.ts';
import { holdRole } from '../../support/role-hold.ts';
import { membersFor, TestAccount } from '../../support/test-account.ts';
import type { SecretMembers, StepResult } from '../../support/test-secret.ts';

/** Of a function that waits in vain: its step must end a second before. */
const TIMEOUT_MS = 10_000;
/** What passes by itself, as a rule, is waited for: here it does not. */
const SINGLE_USER = { strategy: 'single-user', timeoutMs: 8_000 } as const;
const LOGIN = { name: 'app', password: 'never-set-anywhere', database: 'postgres' };

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** How a rotation of a secret with these members ends. */
async function endAt(
  members: SecretMembers,
  timeoutMs: number = SINGLE_USER.timeoutMs,
): Promise<StepResult | undefined> {
  const value = { ...membersFor({ host: '127.0.0.1', port: 1 }, LOGIN), ...members };
  const secret = await account.store({ ...SINGLE_USER, timeoutMs }, JSON.stringify(value));
  return (await secret.rotate()).steps.at(-1);
}

const arrangeWith = async (options: ArrangementOptions) =>
  await arrange(account, await sharedServer(), SINGLE_USER, options);

const failure = (code: string, remedy: RegExp, facts: object = {}) => ({
  step: 'createSecret',
  outcome: 'failed',
  error_code: code,
  credential: 'current',
  remedy: expect.stringMatching(remedy),
  ...facts,
});

describe('each trouble on the way to the database has its own code and remedy', () => {
  test('a host name that nobody knows', async () => {
    const host = 'no-such-host.invalid';
    expect(await endAt({ host })).toMatchObject(failure('DATABASE_HOST_NOT_FOUND', /"host"/, { host }));
  });

  test('a port that nobody listens on', async () => {
    const port = await closedPort();
    expect(await endAt({ port })).toMatchObject(
      failure('DATABASE_UNREACHABLE', /"port"/, { port, reason: 'ECONNREFUSED' }),
    );
  });

  test('a server that hangs up', async () => {
    await using proxy = await TcpProxy.start(await sharedServer(), 'cut');
    expect(await endAt({ port: proxy.port })).toMatchObject(failure('DATABASE_CONNECTION_LOST', /tries .* again/));
  });

  test('a database that does not exist', async () => {
    await using here = await arrangeWith({ members: { dbname: 'nowhere' } });
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject(
      failure('DATABASE_NOT_FOUND', /"dbname"/, { database: 'nowhere', reason: '3D000' }),
    );
  });

  test('a database that the user may not connect to', async () => {
    const prepare = () =>
      `DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$`;
    await using here = await arrangeWith({ ownDatabase: true, prepare });
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject(
      failure(
        'LOGIN_FORBIDDEN',
        new RegExp(`GRANT CONNECT ON DATABASE "${here.role.database}" TO "${here.role.name}"`),
      ),
    );
  });

  test('a role that may not log in', async () => {
    await using here = await arrangeWith({ prepare: (role) => `ALTER ROLE ${role} NOLOGIN` });
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject(
      failure('LOGIN_FORBIDDEN', new RegExp(`ALTER ROLE "${here.role.name}" LOGIN`)),
    );
  });

  test('a role whose connections are all in use', async () => {
    await using here = await arrangeWith({ attributes: 'CONNECTION LIMIT 1' });
    const { server, role, secret } = here;
    const { steps } = await server.withClient(() => secret.rotate(), { user: role.name, password: role.password });
    expect(steps.at(-1)).toMatchObject(failure('ROLE_CONNECTION_LIMIT', /CONNECTION LIMIT -1/));
  });

  test('a database whose connections are all in use', async () => {
    const prepare = () =>
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()); END $$`;
    await using here = await arrangeWith({ ownDatabase: true, prepare });
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject(
      failure('DATABASE_FULL', new RegExp(`ALTER DATABASE "${here.role.database}" CONNECTION LIMIT -1`)),
    );
  });

  test('a password that has expired', async () => {
    await using here = await arrangeWith({ attributes: `VALID UNTIL '2020-01-01'` });
    expect((await here.secret.rotate()).steps.at(-1)).toMatchObject({
      step: 'createSecret',
      error_code: 'NO_WORKING_PASSWORD',
      remedy: expect.stringContaining(`ALTER ROLE "${here.role.name}" VALID UNTIL 'infinity'`),
    });
  });

  test('a server that has no connection left', async () => {
    await using server = await startTestServer({
      settings: { max_connections: '4', superuser_reserved_connections: '1' },
    });
    await using here = await arrange(account, server, SINGLE_USER);
    const { role, secret } = here;
    const clients: Client[] = [];
    while (clients.length < 3) clients.push(await server.connect({ user: role.name, password: role.password }));

    const { steps } = await secret.rotate();

    await Promise.all(clients.map((client) => client.end()));
    expect(steps.at(-1)).toMatchObject(failure('DATABASE_FULL', /max_connections/, { reason: '53300' }));
  });

  test('a server that is a replica', async () => {
    await using primary = await startPostgres({ source: 'embedded' });
    await using replica = await startReplica(primary);
    await using here = await arrange(account, primary, SINGLE_USER, {
      members: { host: replica.host, port: replica.port },
    });
    const { role, secret } = here;
    await waitFor(
      'the role on the replica',
      async () => (await accepted(replica, role, [role.password]))[0] || undefined,
    );

    expect((await secret.rotate()).steps.at(-1)).toMatchObject(failure('DATABASE_READ_ONLY', /writer.*"host"/));
    expect(await accepted(primary, role, [role.password])).toEqual([true]);
  });
});

describe('a server that falls silent ends the step a second before its deadline', () => {
  const expectTimely = (result: StepResult | undefined, facts: object = {}) => {
    expect(result).toMatchObject(failure('DATABASE_TIMEOUT', /security group/, facts));
    expect(result?.duration_ms).toBeLessThan(TIMEOUT_MS - 1_000);
  };

  test.concurrent('before it says anything', async () => {
    await using silent = await SilentServer.start();
    expectTimely(await endAt({ port: silent.port }, TIMEOUT_MS));
    expect(silent.connections).toBe(1);
    expect(silent.received.includes(LOGIN.password)).toBe(false);
  });

  test.concurrent('before TLS is agreed on', async () => {
    await using silent = await SilentServer.start();
    expectTimely(await endAt({ port: silent.port, ssl: true }, TIMEOUT_MS));
  });

  test.concurrent('while it waits for the role, which a retry then changes', async () => {
    const server = await sharedServer();
    await using proxy = await TcpProxy.start(server);
    const choice = { ...SINGLE_USER, timeoutMs: TIMEOUT_MS };
    await using here = await arrange(account, server, choice, { members: { host: proxy.host, port: proxy.port } });
    const { role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);

    await using hold = await holdRole(server, role);
    const step = secret.step('setSecret', token);
    // A step that ends without waiting says why below.
    await Promise.race([hold.waiting(), step]);
    proxy.mode = 'stall';
    await hold.release();
    expectTimely(await step, { step: 'setSecret' });
    proxy.mode = 'pass';

    expect(await secret.step('setSecret', token)).toMatchObject({ outcome: 'done', credential: 'current' });
    await expectWorking(here, { label: 'AWSPENDING' });
  });

  test.concurrent('once it has changed the password, which a retry then finds changed', async () => {
    const server = await sharedServer();
    await using proxy = await GatedPostgres.start(server);
    const choice = { ...SINGLE_USER, timeoutMs: TIMEOUT_MS };
    await using here = await arrange(account, server, choice, { members: { host: proxy.host, port: proxy.port } });
    const { secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);

    const silence = Promise.withResolvers<'cut'>();
    proxy.restartNumbering();
    proxy.gate = new Trap(
      'change: session 1 < CommandComplete COMMIT (2)',
      () => 'change',
      () => silence.promise,
    );
    expectTimely(await secret.step('setSecret', token), { step: 'setSecret' });
    silence.resolve('cut');

    expect(await secret.step('setSecret', token)).toMatchObject({ outcome: 'already-done', credential: 'pending' });
    await expectWorking(here, { label: 'AWSPENDING' });
  });
});
