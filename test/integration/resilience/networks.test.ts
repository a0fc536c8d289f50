import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type Client, escapeLiteral } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { type PostgresServer, startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { rotateThrough, told } from '../../support/crash/crash-run.ts';
import { type Gate, OPEN, Trap } from '../../support/crash/gate.ts';
import { violations, violationsAtEnd } from '../../support/crash/invariants.ts';
import { Lane, type LaneOptions, type Surroundings } from '../../support/crash/lane.ts';
import type { Subject } from '../../support/crash/subject.ts';
import { type LeakWatch, watchLeaks } from '../../support/leaks.ts';
import { startTestServer } from '../../support/postgres.ts';
import { clientOf } from '../../support/secrets-lab-client.ts';

const STRATEGIES = ['single-user', 'alternating-users'] as const;
/** Short, so that what waits for the end of an invocation does not wait for long. */
const TIMEOUT_MS = 6_000;
/** The same of a database's silence: what is kept for the way back has to be left on a busy machine, too. */
const DATABASE_TIMEOUT_MS = 10_000;
/** So short that what is waited for before a change does not wait for long: all but what the way back needs. */
const PATIENT_TIMEOUT_MS = 12_000;

let lab: SecretsLab;
let client: SecretsManagerClient;
let leaks: LeakWatch;
beforeAll(async () => {
  lab = await startSecretsManager({ retries: 0 });
  client = clientOf(lab);
  leaks = watchLeaks(lab);
});
afterEach(() => lab.faults.clear());
afterAll(async () => {
  leaks?.verify();
  client?.destroy();
  await lab?.close();
});

/** Runs a rotation into trouble, expects that it ends in time with this code, and that the retry converges after it. */
async function failsThenConverges(
  lane: Lane,
  { gate, heal, codes }: { gate: Gate; heal: () => unknown; codes: readonly string[] },
): Promise<void> {
  const subject = await lane.newSubject();
  const token = await lane.begin(subject);

  const failure = await rotateThrough(lane, gate, subject, token);
  expect(failure, told(failure)).toMatchObject({ type: 'RotationError' });
  expect(codes).toContain(lane.errorCode);
  await heal();
  await converges(lane, subject, token);
}

async function converges(lane: Lane, subject: Subject, token: string): Promise<void> {
  expect(await violations(subject, lane.strategy, lane.admin)).toEqual([]);
  expect(told(await lane.rotate(subject, token))).toBe('success');
  expect(await violationsAtEnd(subject, lane.strategy, lane.admin, token)).toEqual([]);
}

/** Takes every connection that the server has for such as `user`, until it has no more. */
async function fill(server: PostgresServer, user: string, password: string, sessions: Client[]): Promise<never> {
  for (;;) sessions.push(await server.connect({ user, password }));
}

async function emptied(sessions: Client[], { admin }: Lane): Promise<void> {
  const [first] = sessions;
  await Promise.all(sessions.splice(0).map((session) => session.end()));
  if (first === undefined) return;
  await waitFor('the sessions to end', async () => {
    const { rows } = await admin.query('SELECT FROM pg_stat_activity WHERE usename = $1', [first.user]);
    return rows.length === 0 || undefined;
  });
}

describe.each(STRATEGIES)('%s', (strategy) => {
  let server: PostgresServer;
  let around: Surroundings;
  beforeAll(async () => {
    server = await startTestServer({ settings: { max_connections: '40', superuser_reserved_connections: '3' } });
    around = { lab, client, server, leaks };
  });
  afterAll(async () => {
    leaks.verifyServerLog(await server.log());
    await server.close();
  });

  const open = (options: LaneOptions = { timeoutMs: TIMEOUT_MS }) => Lane.open(strategy, around, options);

  test('a slow network only takes longer', async () => {
    await using lane = await open({});
    const subject = await lane.newSubject();
    const token = await lane.begin(subject);
    const slow: Gate = { reach: async () => sleep(30, 'pass' as const) };
    expect(told(await rotateThrough(lane, slow, subject, token))).toBe('success');
    expect(await violationsAtEnd(subject, strategy, lane.admin, token)).toEqual([]);
  });

  test.concurrent.each([
    ['before a connection is taken up', 'setSecret: session 1, connect', 'DATABASE_TIMEOUT'],
    ['in the middle of a handshake', 'setSecret: session 1 < Authentication 11', 'DATABASE_TIMEOUT'],
    ['in the middle of a statement', 'setSecret: session 1 > CopyDone', 'DATABASE_TIMEOUT'],
    // Of the transaction after the one that the first message is.
    ['between the commit and its answer', 'setSecret: session 1 < CommandComplete COMMIT (2)', 'DATABASE_TIMEOUT'],
    ['before an API call arrives', 'setSecret: DescribeSecret, request', 'SECRETS_MANAGER_TIMEOUT'],
    ['between an API call and its answer', 'createSecret: PutSecretValue, answer', 'SECRETS_MANAGER_TIMEOUT'],
    [
      'between the promotion and its answer',
      'finishSecret: UpdateSecretVersionStage AWSCURRENT, answer',
      'SECRETS_MANAGER_TIMEOUT',
    ],
  ])('a network that falls silent %s ends the step in time', async (_, point, code) => {
    await using lane = await open({ timeoutMs: code === 'DATABASE_TIMEOUT' ? DATABASE_TIMEOUT_MS : TIMEOUT_MS });
    const healed = Promise.withResolvers<'cut'>();
    const gate = new Trap(point, lane.step, () => healed.promise);
    await failsThenConverges(lane, { gate, codes: [code], heal: () => healed.resolve('cut') });
    expect(gate.sprung).toBe(true);
  });

  test('a reset after the commit was sent leaves a password that is known', async () => {
    await using lane = await open();
    const gate = new Trap('setSecret: session 1 < CommandComplete COMMIT (2)', lane.step, async () => 'cut');
    await failsThenConverges(lane, { gate, codes: ['DATABASE_CONNECTION_LOST'], heal: () => undefined });
  });

  test('a server that restarts in the middle of a step', async () => {
    await using lane = await open({ timeoutMs: 30_000 });
    const restarted = Promise.withResolvers<void>();
    const gate = new Trap('setSecret: session 1 > CopyDone', lane.step, async () => {
      await server.restart().then(restarted.resolve, restarted.reject);
      return 'pass';
    });
    const subject = await lane.newSubject();
    const token = await lane.begin(subject);
    // The function hears of the stop at once, and waits until the server is up again.
    expect(told(await rotateThrough(lane, gate, subject, token))).toBe('success');
    expect(gate.sprung).toBe(true);
    await restarted.promise;
    await lane.reconnect();
    expect(await violationsAtEnd(subject, strategy, lane.admin, token)).toEqual([]);
  });

  test('a server that is down', async () => {
    await using lane = await open({ timeoutMs: PATIENT_TIMEOUT_MS });
    const gate = new Trap('setSecret: GetSecretValue AWSCURRENT, answer', lane.step, async () => {
      await server.stop();
      return 'pass';
    });
    await failsThenConverges(lane, {
      gate,
      codes: ['DATABASE_CONNECTION_LOST', 'DATABASE_UNREACHABLE'],
      heal: async () => {
        await server.restart();
        await lane.reconnect();
      },
    });
  });

  test('a server that has no connection left', async () => {
    await using lane = await open();
    const role = `full_${randomUUID().slice(0, 8)}`;
    const password = randomUUID();
    await lane.admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD ${escapeLiteral(password)}`);
    const filled: Client[] = [];
    try {
      await expect(fill(server, role, password, filled)).rejects.toMatchObject({ code: '53300' });
      await failsThenConverges(lane, {
        gate: OPEN,
        codes: ['DATABASE_FULL'],
        heal: () => emptied(filled, lane),
      });
    } finally {
      await emptied(filled, lane);
    }
    await lane.admin.query(`DROP ROLE "${role}"`);
  });

  test('a name that can not be resolved for a while', async () => {
    const outage = join(tmpdir(), `dns-outage-${randomUUID()}`);
    const hook = new URL('../../support/functions/dns.mjs', import.meta.url).href;
    await using lane = await open({
      host: 'localhost',
      timeoutMs: TIMEOUT_MS,
      environment: { NODE_OPTIONS: `--import=${hook}`, DNS_OUTAGE: outage },
    });
    await writeFile(outage, '');
    await failsThenConverges(lane, {
      gate: OPEN,
      codes: ['DATABASE_HOST_NOT_FOUND'],
      heal: () => rm(outage),
    });
  });

  test.each([
    // So many that the two are got over, and so few that the end comes before the deadline, however long the waits.
    ['throttled', 'throttle', 30_000, ['SECRETS_MANAGER_THROTTLED']],
    // Waited for until the deadline, which may come in the middle of a call.
    ['failing', 'fail', 12_000, ['SECRETS_MANAGER_FAILED', 'SECRETS_MANAGER_TIMEOUT']],
  ] as const)('API calls that are %s for a moment are tried again, and for long end with a code', async (_, fault, timeoutMs, codes) => {
    await using lane = await open({ timeoutMs, environment: { AWS_MAX_ATTEMPTS: '4' } });
    const subject = await lane.newSubject();
    const token = await lane.begin(subject);
    const moment = lab.faults[fault]({ secret: subject.arn, times: 2 });
    expect(told(await lane.rotate(subject, token))).toBe('success');
    expect(moment.hits).toBe(2);

    const long = lab.faults[fault]({ operation: 'PutSecretValue', times: Number.POSITIVE_INFINITY });
    await failsThenConverges(lane, { gate: OPEN, codes, heal: () => long.remove() });
  });

  test('answers that come after the deadline', async () => {
    await using lane = await open();
    const late = lab.faults.delay({ operation: 'DescribeSecret', times: Number.POSITIVE_INFINITY, ms: 2 * TIMEOUT_MS });
    await failsThenConverges(lane, { gate: OPEN, codes: ['SECRETS_MANAGER_TIMEOUT'], heal: () => late.remove() });
  });
});

describe.each(STRATEGIES)('%s', (strategy) => {
  test('a failover that leads to a standby ends as read-only, until the way leads to the writer again', async () => {
    await using primary = await startPostgres({ source: 'embedded' });
    await using replica = await startReplica(primary);
    const around = { lab, client, server: primary, leaks };
    await using lane = await Lane.open(strategy, around, { timeoutMs: PATIENT_TIMEOUT_MS });
    const gate = new Trap('setSecret: GetSecretValue AWSCURRENT, answer', lane.step, async () => {
      lane.database.target = replica;
      return 'pass';
    });
    await failsThenConverges(lane, {
      gate,
      codes: ['DATABASE_READ_ONLY', 'PASSWORD_NOT_ACCEPTED'],
      heal: () => {
        lane.database.target = primary;
      },
    });
  });
});
