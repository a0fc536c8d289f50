import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Context } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { postgresTwins } from '../../../shared/database/twins.ts';
import { rotationHandler } from '../../../shared/lambda/handler.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { GreedyServer } from '../../support/greedy-server.ts';
import { LeakWatch, secretsIn, watchLeaks } from '../../support/leaks.ts';
import { followLog, roleScope, startTestServer } from '../../support/postgres.ts';
import { superusers } from '../../support/superusers.ts';
import { membersFor, TestAccount } from '../../support/test-account.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

/** A server that says everything it can. */
const TALKATIVE = {
  log_statement: 'all',
  log_min_duration_statement: '0',
  log_min_error_statement: 'debug1',
  log_parameter_max_length_on_error: '-1',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track_utility': 'on',
};

let server: PostgresServer;
let account: TestAccount;
let leaks: LeakWatch;
let reports: string;
let logged: () => Promise<string>;
beforeAll(async () => {
  server = await startTestServer({ settings: TALKATIVE });
  await server.query('CREATE EXTENSION pg_stat_statements');
  account = await TestAccount.open();
  leaks = watchLeaks(account.lab);
  logged = await followLog(server);
  reports = await mkdtemp(join(tmpdir(), 'reports-'));
});
afterAll(async () => {
  await account?.[Symbol.asyncDispose]();
  await server?.close();
  if (reports !== undefined) await rm(reports, { recursive: true });
});

const newPassword = () => randomBytes(18).toString('base64url');
const HOOK = new URL('../../support/functions/unhandled.mjs', import.meta.url).href;

/** Everything that somebody could read afterwards. */
async function everythingWritten(): Promise<Record<string, string>> {
  // Our own statements are the superuser's: those that make roles have passwords in them.
  const statements = await server.query<{ query: string }>(
    `SELECT query FROM pg_stat_statements WHERE userid <> current_user::regrole`,
  );
  const dumps = await Promise.all((await readdir(reports)).map((file) => readFile(join(reports, file), 'utf8')));
  return {
    "the server's log": await logged(),
    pg_stat_statements: statements.map(({ query }) => query).join('\n'),
    'crash reports': dumps.join('\n'),
  };
}

const noLeak = async () => leaks.verify(await everythingWritten());

describe.each(['single-user', 'alternating-users'] as const)('%s', (strategy) => {
  const arranged = async (environment: Readonly<Record<string, string>> = {}, timeoutMs?: number) => {
    const scope = roleScope(server);
    const choice = { environment, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    const app = await twins(account, scope, choice);
    const secret =
      strategy === 'single-user' ? await account.secretFor(server, app.base, { strategy, ...choice }) : app.secret;
    return { scope, app, secret, [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose]() };
  };

  test('rotations that succeed leave no password and no verifier anywhere', async () => {
    await using here = await arranged({ POWERTOOLS_LOG_LEVEL: 'TRACE' });
    for (let round = 1; round <= 3; round++) expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
    // A search that finds nothing must have had something to search.
    const written = await everythingWritten();
    expect(written["the server's log"]).toContain('ALTER ROLE');
    expect(written.pg_stat_statements).toContain('COPY pg_temp.rotation');
    await noLeak();
  });

  test('nor do those that the server refuses', async () => {
    await using here = await arranged({}, 12_000);
    const { app, secret } = here;
    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' }); // so that both roles exist
    // The change waits for somebody else's, and fails after the verifier has been sent.
    await using blocker = await blockedRole(app.base.name);
    const token = await secret.begin();
    expect((await secret.stepsUntil('setSecret', token)).at(-1)).toMatchObject({ error_code: 'ROLE_BUSY' });
    await blocker[Symbol.asyncDispose]();
    await app.administer(`ALTER ROLE ${app.sql.base} NOLOGIN`);
    expect((await secret.stepsUntil('finishSecret', token)).at(-1)).toMatchObject({ outcome: 'failed' });
    await noLeak();
  });

  test('nor does one whose process dies of an error that nobody handles', async () => {
    await using here = await arranged({
      NODE_OPTIONS: `--import=${HOOK} --report-uncaught-exception --report-directory=${reports}`,
      UNHANDLED_AT: 'COPY pg_temp.rotation',
    });
    const token = await here.secret.begin();
    expect((await here.secret.stepsUntil('setSecret', token)).at(-1)).toMatchObject({ outcome: 'crashed' });
    expect((await everythingWritten())['crash reports']).toContain('nobody handles this');
    await noLeak();
  });

  test('nor does one whose server quotes the password that it was sent', async () => {
    await using greedy = await GreedyServer.start((password) => ({
      state: '28000',
      message: `no entry with ${password}`,
    }));
    const login = { name: 'somebody', password: newPassword(), database: 'postgres' };
    // Alternating users ask for an administrator before any login.
    const superuser = await account.secretFor(greedy, { ...login, name: 'administrator' }, { strategy });
    const members = strategy === 'single-user' ? {} : { masterarn: superuser.arn };
    const secret = await account.secretFor(greedy, login, { strategy }, members);
    const token = await secret.begin();
    const failure = (await secret.stepsUntil('setSecret', token)).at(-1);
    expect(greedy.passwords).toContain(login.password);
    expect(failure).toMatchObject({ error_code: 'LOGIN_FORBIDDEN' });
    await noLeak();
  });

  const password = () => `pa55-${newPassword()}`;
  test.each<[string, (login: string) => string]>([
    ['no JSON', (login) => login.replace('{', '')],
    ['cut off', (login) => login.slice(0, -1)],
    ['a list', (login) => `[${login}]`],
    ['text', (login) => JSON.stringify(login)],
    ['a password in a user name', (login) => login.replace('"username":"', `"username":"${password().repeat(4)}`)],
    ['a password in the host', (login) => login.replace(/"host":"[^"]*"/, `"host":"user:${password()}@db"`)],
    ['a password in the port', (login) => login.replace(/"port":\d+/, `"port":"${password()}"`)],
    ['a password as the engine', (login) => login.replace('"engine":"postgres"', `"engine":"${password()}"`)],
    ['a password as ssl', (login) => login.replace('"ssl":false', `"ssl":"${password()}"`)],
    ['a password with NUL', (login) => login.replace('"password":"', '"password":"\\u0000')],
    ['a password that is a number', (login) => login.replace(/"password":"[^"]*"/, '"password":9007199254740993')],
    ['a password in an object', (login) => login.replace(/"password":("[^"]*")/, '"password":{"password":$1}')],
    ['half a surrogate pair', (login) => login.replace('"password":"', '"password":"\\ud800')],
  ])('nor does a malformed secret: %s', async (_, spoil) => {
    const login = { name: 'somebody', password: password(), database: 'postgres' };
    const text = JSON.stringify(membersFor(server, login));
    leaks.keepSecret(...Array.from(spoil(text).matchAll(/pa55-[\w-]+/g), ([found]) => found));
    const secret = await account.store({ strategy }, spoil(text));
    const steps = await runAll(secret);
    expect(steps.map(({ error_code }) => error_code)).toContain('SECRET_MALFORMED');
    await noLeak();
  });
});

/** Every step, whatever became of the one before. */
async function runAll(secret: TestSecret) {
  const token = await secret.begin();
  await secret.putText(await secret.text(), ['AWSPENDING'], token);
  const steps = [];
  for (const step of STEPS) steps.push(await secret.step(step, token));
  return steps;
}

/** Somebody else's transaction that has altered the role and not ended. */
async function blockedRole(name: string): Promise<AsyncDisposable> {
  const client = await server.connect();
  await client.query('BEGIN');
  await client.query(`SELECT FROM pg_authid WHERE rolname = '${name}' FOR UPDATE`);
  await client.query(`ALTER ROLE "${name}" CONNECTION LIMIT 50`);
  let ended = false;
  return {
    [Symbol.asyncDispose]: async () => {
      if (ended) return;
      ended = true;
      await client.query('ROLLBACK');
      await client.end();
    },
  };
}

test('where pg_stat_statements tracks nested statements too, it has the verifier, and never the password', async () => {
  await using talkative = await startTestServer({
    settings: { ...TALKATIVE, 'pg_stat_statements.track': 'all' },
  });
  await talkative.query('CREATE EXTENSION pg_stat_statements');
  await using scope = roleScope(talkative);
  const role = await scope.createAppRole();
  const secret = await account.secretFor(talkative, role, { strategy: 'single-user' });
  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  const statements = await talkative.query<{ query: string }>(
    'SELECT query FROM pg_stat_statements WHERE userid <> current_user::regrole',
  );
  const text = statements.map(({ query }) => query).join('\n');
  expect(leaks.search({ pg_stat_statements: text })).toEqual(['a SCRAM verifier in pg_stat_statements']);
});

describe('error objects', () => {
  beforeAll(() => {
    vi.stubEnv('SECRETS_MANAGER_ENDPOINT', account.lab.endpoint);
    vi.stubEnv('AWS_REGION', 'us-east-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    vi.stubEnv('POWERTOOLS_LOG_LEVEL', 'SILENT');
    vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  test.each([
    ['single user', singleUser],
    ['alternating users', alternatingUsers],
  ])('%s: neither util.inspect nor JSON.stringify shows a secret', async (_, strategy) => {
    await using greedy = await GreedyServer.start((password) => ({
      state: '28000',
      message: `no entry with ${password}`,
    }));
    const handler = rotationHandler(strategy, { superusers, twins: postgresTwins });
    const context = { getRemainingTimeInMillis: () => 20_000 } as Context;
    const choice = { strategy: 'single-user' } as const;
    const login = { name: `nobody-${randomUUID()}`, password: newPassword(), database: 'postgres' };
    const secrets = [
      await account.secretFor(server, login, choice),
      await account.secretFor(greedy, login, choice),
      await account.secretFor(server, login, choice, { ssl: true }),
      await account.secretFor(server, login, choice, { dbname: 'nowhere' }),
      await account.secretFor(server, login, choice, { host: 'nowhere.invalid' }),
      await account.store(choice, `{"password":"${newPassword()}"`),
    ];
    const errors: string[] = [];
    for (const secret of secrets) {
      const token = await secret.begin();
      await secret.putText(await secret.text(), ['AWSPENDING'], token);
      for (const Step of STEPS) {
        const event = {
          Step,
          SecretId: secret.arn,
          ClientRequestToken: token,
          RotationToken: `rotation-token-${randomUUID()}`,
        };
        const error: unknown = await Promise.resolve(handler(event, context, () => undefined)).catch(
          (thrown) => thrown,
        );
        if (error === undefined) continue;
        errors.push(
          inspect(error, { depth: null, showHidden: true, getters: true }),
          JSON.stringify(error),
          String(error),
        );
      }
    }
    expect(errors.join('\n')).toContain('SECRET_MALFORMED');
    expect(errors.join('\n')).toContain('LOGIN_FORBIDDEN');
    leaks.verify({ 'error objects': errors.join('\n') });
  });
});

describe('the search itself', () => {
  const secret = `it's "quoted" \\ and ${newPassword()}`;

  test.each([
    ['as it is', secret],
    ['as JSON', JSON.stringify({ secret })],
    ['as SQL', `'${secret.replaceAll("'", "''")}'`],
    ['in a URL', encodeURIComponent(secret)],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in hex', Buffer.from(secret).toString('hex')],
  ])('finds a secret written %s', (_, output) => {
    const watch = new LeakWatch(account.lab);
    watch.keepSecret(secret);
    expect(watch.search({ log: `before ${output} after` })).toEqual(['1 passwords in log']);
    expect(watch.search({ log: 'before and after' })).toEqual([]);
  });

  test.each([
    ['a SCRAM verifier', 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy'],
    ['an md5 verifier', `md5${'0'.repeat(32)}`],
    ['a RotationToken', `rotation-token-${randomUUID()}`],
  ])('finds %s that it was not told of', (kind, output) => {
    expect(new LeakWatch(account.lab).search({ log: output })).toEqual([`${kind} in log`]);
  });

  test('finds what a secret in the lab holds, malformed or not', async () => {
    const [first, second] = [newPassword(), newPassword()];
    await account.store({ strategy: 'single-user' }, JSON.stringify({ password: first }));
    await account.store({ strategy: 'single-user' }, `{"password": "${second}`);
    for (const password of [first, second])
      expect(leaks.search({ log: `{"password": "${password}` })).toEqual(['1 passwords in log']);
    expect(secretsIn('{"password":"a\\"bcdefgh"}')).toEqual(['a"bcdefgh']);
  });
});
