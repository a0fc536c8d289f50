import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { STEPS, type Step } from '../../../shared/rotation/event.ts';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { Trap } from '../../support/crash/gate.ts';
import { GatedPostgres } from '../../support/crash/gated-postgres.ts';
import { DeafHost } from '../../support/deaf-host.ts';
import { hostsEnvironment } from '../../support/hosts.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { MovingEndpoint } from '../../support/moving-endpoint.ts';
import { countLogins, followLog, roleScope, sharedServer, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { StepResult } from '../../support/test-secret.ts';
import { type Trouble, TroubledWay } from '../../support/troubled-way.ts';
import { twins } from '../../support/twins.ts';

const SINGLE_USER = { strategy: 'single-user' } as const;
const STEPS_OF_DATABASE = ['createSecret', 'setSecret', 'testSecret'] as const;

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** An instance of the function that has seen no other step. */
const another = (name: string) => ({ environment: { INSTANCE: name } });

async function until(step: Step, { secret }: Pick<Arrangement, 'secret'>): Promise<string> {
  const token = await secret.begin();
  if (step !== 'createSecret') await secret.step('createSecret', token);
  if (step === 'testSecret') await secret.step('setSecret', token);
  return token;
}

/** The rotation goes on to its end, and what applications read logs in then. */
async function expectFinished(here: Arrangement, step: Step, token: string): Promise<void> {
  for (const next of (['setSecret', 'testSecret', 'finishSecret'] as const).slice(
    step === 'createSecret' ? 0 : step === 'setSecret' ? 1 : 2,
  ))
    expect(await here.secret.step(next, token)).toMatchObject({ outcome: 'done' });
  await expectWorking(here);
}

const waited = (code: string) => ({ waited_for: code, waited_ms: expect.any(Number) });

describe('what meets a connection and is over in a moment is waited for', () => {
  const troubles: readonly [string, Trouble, string][] = [
    ['a reset', 'reset', 'DATABASE_CONNECTION_LOST'],
    ['an end of the connection', 'end', 'DATABASE_CONNECTION_LOST'],
    [
      'a server that starts (57P03)',
      { state: '57P03', message: 'the database system is starting up' },
      'DATABASE_UNAVAILABLE',
    ],
    [
      'a server that stops (57P01)',
      { state: '57P01', message: 'terminating connection due to administrator command' },
      'DATABASE_UNAVAILABLE',
    ],
  ];

  describe.each(troubles)('%s', (_, trouble, code) => {
    test.concurrent.each(STEPS_OF_DATABASE)('in %s', async (step) => {
      const server = await sharedServer();
      await using way = await TroubledWay.start(server);
      await using here = await arrange(account, server, SINGLE_USER, { members: { host: way.host, port: way.port } });
      const token = await until(step, here);
      const current = await here.secret.password();
      const seen: Promise<boolean[]>[] = [];
      way.onTrouble = () => seen.push(accepted(server, here.role, [current]));
      way.meets(trouble, 3);

      expect(await here.secret.step(step, token, another(step))).toMatchObject({ outcome: 'done', ...waited(code) });
      expect(way.connections).toBeGreaterThan(3);
      // Nothing was changed before the server was there again. What testSecret waits for was changed before.
      expect(await Promise.all(seen)).toEqual(new Array(3).fill([step !== 'testSecret']));
      await expectFinished(here, step, token);
    });
  });

  test.concurrent('in all steps of a function with a short time-out too', async () => {
    const server = await sharedServer();
    await using way = await TroubledWay.start(server);
    const choice = { ...SINGLE_USER, timeoutMs: 10_000 };
    await using here = await arrange(account, server, choice, { members: { host: way.host, port: way.port } });
    const token = await here.secret.begin();
    for (const step of STEPS) {
      way.meets('reset', 2);
      const end = await here.secret.step(step, token, another(step));
      expect(end).toMatchObject({ outcome: 'done', ...waited('DATABASE_CONNECTION_LOST') });
    }
    await expectWorking(here);
  });

  test.concurrent('in the proof, where the change is not put back for it', async () => {
    const server = await sharedServer();
    await using way = await TroubledWay.start(server);
    await using here = await arrange(account, server, SINGLE_USER, { members: { host: way.host, port: way.port } });
    const token = await until('setSecret', here);
    way.meets('pass');
    way.meets('reset', 2);
    const end = await here.secret.step('setSecret', token);
    expect(end).toMatchObject({ outcome: 'done', credential: 'current' });
    expect(end).not.toHaveProperty('waited_for');
    await expectFinished(here, 'setSecret', token);
  });

  test.concurrent("in the login that proves whose twin it is, of alternating users without the twin's setting", async () => {
    await using scope = roleScope(await sharedServer());
    await using way = await TroubledWay.start(scope.server);
    const members = { host: way.host, port: way.port };
    const environment = { ALTERNATING_SET_ROLE: 'false' };
    const app = await twins(account, scope, { environment, members, superuserMembers: members });
    await app.rotate();
    const token = await app.secret.begin();
    way.meets('pass');
    way.meets('reset', 2);
    const anew = { environment: { ...environment, INSTANCE: 'proof' } };
    expect(await app.secret.step('createSecret', token, anew)).toMatchObject({
      outcome: 'done',
      ...waited('DATABASE_CONNECTION_LOST'),
    });
  });

  test.concurrent('a database that has to be woken up has all the time that there is, once it is connected', async () => {
    const server = await sharedServer();
    await using way = await TroubledWay.start(server);
    await using here = await arrange(account, server, SINGLE_USER, { members: { host: way.host, port: way.port } });
    const token = await until('setSecret', here);
    const before = way.connections;
    // Longer than a connection may take to be there.
    way.meets({ answersAfterMs: 5_000 });
    const end = await here.secret.step('setSecret', token);
    expect(end).toMatchObject({ outcome: 'done' });
    expect(end).not.toHaveProperty('waited_for');
    // A login that took so long is made anew under the lock; the third one is the proof.
    expect(way.connections - before).toBe(3);
  });
});

describe('a name', () => {
  const NAME = 'orders.internal.example';

  test.concurrent.each(STEPS_OF_DATABASE)('that the resolver gives no answer for (EAI_AGAIN), in %s', async (step) => {
    const server = await sharedServer();
    await using here = await arrange(account, server, SINGLE_USER, { members: { host: NAME } });
    const token = await here.secret.begin();
    const resolving = { environment: hostsEnvironment({ [NAME]: server.host }) };
    if (step !== 'createSecret') await here.secret.step('createSecret', token, resolving);
    if (step === 'testSecret') await here.secret.step('setSecret', token, resolving);
    const late = {
      environment: { ...hostsEnvironment({ [NAME]: ['EAI_AGAIN', 'EAI_AGAIN', server.host] }), INSTANCE: step },
    };
    expect(await here.secret.step(step, token, late)).toMatchObject({
      outcome: 'done',
      ...waited('DATABASE_HOST_NOT_FOUND'),
    });
  });

  test.concurrent('that leads to a host that is gone is looked up anew after four seconds', async () => {
    const server = await sharedServer();
    await using way = await TroubledWay.start(server);
    await using _gone = await DeafHost.at('127.0.0.2', way.port);
    await using here = await arrange(account, server, SINGLE_USER, { members: { host: NAME, port: way.port } });
    const token = await here.secret.begin();
    await here.secret.step('createSecret', token, { environment: hostsEnvironment({ [NAME]: way.host }) });
    const failover = { environment: hostsEnvironment({ [NAME]: ['127.0.0.2', way.host] }) };
    const end = await here.secret.step('setSecret', token, failover);
    expect(end).toMatchObject({ outcome: 'done', ...waited('DATABASE_TIMEOUT') });
    expect(end.waited_ms).toBeGreaterThan(3_900);
    expect(end.waited_ms).toBeLessThan(6_000);
  });

  test.concurrent('that nobody has heard of (ENOTFOUND) is not waited for', async () => {
    const server = await sharedServer();
    await using here = await arrange(account, server, SINGLE_USER, { members: { host: NAME } });
    const unknown = { environment: hostsEnvironment({ [NAME]: 'ENOTFOUND' }) };
    const end = await here.secret.step('createSecret', await here.secret.begin(), unknown);
    expect(end).toMatchObject({ error_code: 'DATABASE_HOST_NOT_FOUND', reason: 'ENOTFOUND' });
    expect(end).not.toHaveProperty('waited_for');
  });
});

/** How often the server's log has had a text since. */
const timesIn = async (log: () => Promise<string>, text: string) => (await log()).split(text).length - 1;

describe('a server', () => {
  test('that restarts: it is away, then starting, then there', async () => {
    await using server = await startPostgres({ source: 'embedded' });
    await using here = await arrange(account, server, SINGLE_USER);
    for (const step of STEPS_OF_DATABASE) {
      const token = await until(step, here);
      await server.stop();
      const calls = () => account.lab.requests.all().length;
      const before = calls();
      const running = here.secret.step(step, token, another(step));
      // A function that starts slowly would find the server up again. What it asks first is Secrets Manager.
      await waitFor('the function to ask', async () => calls() > before || undefined);
      await sleep(300);
      await server.restart();
      const end = await running;
      expect(end).toMatchObject({ outcome: 'done' });
      expect(end.waited_for).toMatch(/DATABASE_UN(REACHABLE|AVAILABLE)/);
      await expectFinished(here, step, token);
    }
  });

  test('that has no connection left, and a role that has none', async () => {
    await using server = await startTestServer({
      settings: { max_connections: '8', superuser_reserved_connections: '3' },
    });
    await using here = await arrange(account, server, SINGLE_USER, { attributes: 'CONNECTION LIMIT 3' });
    const { role, secret } = here;
    const crowds: readonly [string, string, () => Promise<Client[]>][] = [
      ['DATABASE_FULL', 'remaining connection slots are reserved', () => crowd(5)],
      ['ROLE_CONNECTION_LIMIT', 'too many connections for role', () => crowd(3)],
    ];
    const crowd = async (size: number) => {
      const clients: Client[] = [];
      const user = size === 3 ? { user: role.name, password: await secret.password() } : {};
      while (clients.length < size) clients.push(await server.connect({ database: role.database, ...user }));
      return clients;
    };
    for (const [code, message, gather] of crowds) {
      const token = await until('setSecret', here);
      const clients = await gather();
      const log = await followLog(server);
      const running = secret.step('setSecret', token);
      await waitFor('the function to be refused', async () => (await timesIn(log, message)) > 1 || undefined);
      await Promise.all(clients.map((client) => client.end()));
      const end = await running;
      expect(end).toMatchObject({ outcome: 'done', ...waited(code) });
      await expectFinished(here, 'setSecret', token);
    }
  });

  test.concurrent('whose database takes no connections for a while', async () => {
    const server = await sharedServer();
    await using here = await arrange(account, server, SINGLE_USER, { ownDatabase: true });
    const { role, secret } = here;
    const allow = (connections: boolean) =>
      server.query(`ALTER DATABASE "${role.database}" ALLOW_CONNECTIONS ${connections}`);
    for (const step of STEPS_OF_DATABASE) {
      const token = await until(step, here);
      await allow(false);
      const log = await followLog(server);
      const running = secret.step(step, token, another(step));
      const refused = `database "${role.database}" is not currently accepting connections`;
      await waitFor('the function to be refused', async () => (await timesIn(log, refused)) > 1 || undefined);
      await allow(true);
      expect(await running).toMatchObject({ outcome: 'done', ...waited('DATABASE_UNAVAILABLE') });
      await expectFinished(here, step, token);
    }
  });

  test('that is a standby until it is promoted, behind the same name', async () => {
    await using primary = await startPostgres({ source: 'embedded', settings: { log_connections: 'on' } });
    await using standby = await startReplica(primary);
    await using endpoint = await MovingEndpoint.at(primary);
    await using here = await arrange(account, primary, SINGLE_USER, {
      members: { host: endpoint.host, port: endpoint.port },
    });
    const { role, secret } = here;
    const token = await until('setSecret', here);
    await waitFor(
      'the role on the standby',
      async () => (await accepted(standby, role, [role.password]))[0] || undefined,
    );
    await primary.stop();
    endpoint.target = standby;
    const logins = await countLogins(standby);
    const end = await (async () => {
      const running = secret.step('setSecret', token);
      // More than one try takes: it begins anew once it has found a standby.
      await waitFor('the function to find a standby', async () => (await logins(role.name)).accepted > 2 || undefined);
      await standby.query('SELECT pg_promote()');
      return await running;
    })().finally(() => primary.restart());
    expect(end).toMatchObject({ outcome: 'done', ...waited('DATABASE_READ_ONLY') });
    expect(await accepted(standby, role, [role.password])).toEqual([false]);
  });

  test('whose answer to the commit is lost is looked at: the password is set once', async () => {
    const server = await sharedServer();
    await using way = await GatedPostgres.start(server);
    await using here = await arrange(account, server, SINGLE_USER, { members: { host: way.host, port: way.port } });
    const token = await until('setSecret', here);
    way.restartNumbering();
    way.gate = new Trap(
      'change: session 1 < CommandComplete COMMIT (2)',
      () => 'change',
      async () => 'cut',
    );
    expect(await here.secret.step('setSecret', token)).toMatchObject({
      outcome: 'already-done',
      credential: 'pending',
      ...waited('DATABASE_CONNECTION_LOST'),
    });
    await expectFinished(here, 'setSecret', token);
  });

  test('that is gone for longer ends the step in time, which says how long it has waited, and AWSCURRENT logs in', async () => {
    const server = await sharedServer();
    await using way = await TroubledWay.start(server);
    const choice = { ...SINGLE_USER, timeoutMs: 14_000 };
    await using here = await arrange(account, server, choice, { members: { host: way.host, port: way.port } });
    const token = await until('setSecret', here);
    way.meets('reset', 1_000);
    const end = await here.secret.step('setSecret', token);
    expect(end).toMatchObject({
      error_code: 'DATABASE_CONNECTION_LOST',
      error_message: expect.stringMatching(/, after \d\.\d s of waiting \(DATABASE_CONNECTION_LOST\)\.$/),
      ...waited('DATABASE_CONNECTION_LOST'),
    });
    // Of 12 s, 8 are kept for a change and its way back.
    expect(end.duration_ms).toBeGreaterThan(1_500);
    expect(end.duration_ms).toBeLessThan(5_500);
    await expectWorking(here);
  });

  test('that refuses the password is asked once for each', async () => {
    const server = await sharedServer();
    await using here = await arrange(account, server, SINGLE_USER, { members: { password: 'never-set-anywhere' } });
    const log = await followLog(server);
    const end: StepResult = await here.secret.step('createSecret', await here.secret.begin());
    expect(end).toMatchObject({ error_code: 'NO_WORKING_PASSWORD' });
    expect(end).not.toHaveProperty('waited_for');
    expect(await timesIn(log, `password authentication failed for user "${here.role.name}"`)).toBe(1);
  });
});

test('a role that another instance is at work on is waited for, whatever comes of it, and the step says how long', async () => {
  const server = await sharedServer();
  await using here = await arrange(account, server, { ...SINGLE_USER, timeoutMs: 12_000 });
  const { role, secret } = here;
  const another = await server.connect({ database: role.database });
  const lock = (act: string) =>
    another.query(`SELECT pg_advisory_${act}(hashtextextended('postgres-secret-rotation:${role.name}', 0))`);
  const token = await until('setSecret', here);
  await lock('lock');
  // 12 s less 2 to say what came of it, and 8 for a change.
  const busy = await secret.step('setSecret', token);
  expect(busy).toMatchObject({
    error_code: 'ROLE_BUSY',
    error_message: expect.stringMatching(/ holds it, after \d\.\d s of waiting \(ROLE_BUSY\)\.$/),
    ...waited('ROLE_BUSY'),
  });
  expect(busy.waited_ms).toBeGreaterThan(1_000);
  const running = secret.step('setSecret', token);
  await waitFor('the function to wait for a while', async () => {
    const waiting = `SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event = 'advisory'
                        AND clock_timestamp() - query_start > '300 ms'`;
    return (await server.query(waiting, [role.name])).length > 0 || undefined;
  });
  await lock('unlock');
  await another.end();
  const end = await running;
  expect(end).toMatchObject({ outcome: 'done', ...waited('ROLE_BUSY') });
  expect(end.waited_ms).toBeGreaterThan(300);
});

describe('a superuser secret between its own setSecret and finishSecret', () => {
  test('is read anew until its new version is current', async () => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope);
    const token = await app.secret.begin();
    await app.secret.step('createSecret', token);
    const own = await app.superuserSecret.begin();
    for (const step of ['createSecret', 'setSecret'] as const)
      expect(await app.superuserSecret.step(step, own, SINGLE_USER)).toMatchObject({ outcome: 'done' });

    const log = await followLog(scope.server);
    const refused = `password authentication failed for user "${app.admin.name}"`;
    const running = app.secret.step('setSecret', token);
    await waitFor('the superuser to be refused', async () => (await timesIn(log, refused)) > 0 || undefined);
    expect(await app.superuserSecret.step('finishSecret', own, SINGLE_USER)).toMatchObject({ outcome: 'done' });

    expect(await running).toMatchObject({ outcome: 'done', ...waited('PASSWORD_NOT_ACCEPTED') });
    expect(await timesIn(log, refused)).toBe(1);
  });
});
