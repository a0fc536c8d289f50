import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { followLog, postgresVersions, searchLog, sharedServer } from '../../support/postgres.ts';
import { holdRole } from '../../support/role-hold.ts';
import { linesOf, VERIFIER_IS_LOGGED } from '../../support/role-log.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** For this role alone the server logs as much as it can: a superuser may ask that of any role. */
const LOG_EVERYTHING = {
  log_statement: 'all',
  log_min_duration_statement: '0',
  log_duration: 'on',
  log_min_error_statement: 'debug5',
  log_min_messages: 'debug1',
  log_error_verbosity: 'verbose',
  debug_print_parse: 'on',
  debug_print_rewritten: 'on',
  debug_print_plan: 'on',
};

const logEverything = (role: string) =>
  Object.entries(LOG_EVERYTHING)
    .map(([name, value]) => `ALTER ROLE ${role} SET ${name} = '${value}'`)
    .join('; ');

const NO_TEMP = `DO $$ BEGIN EXECUTE format('REVOKE TEMP ON DATABASE %I FROM PUBLIC', current_database()); END $$`;

async function arrangeLogged(version: number, environment: Readonly<Record<string, string>> = {}) {
  const choice = { strategy: 'single-user', environment } as const;
  return await arrange(account, await sharedServer(version), choice, { prepare: logEverything });
}

async function arrangeLoggedWithoutTemp(version: number) {
  const prepare = (role: string) => `${logEverything(role)}; ${NO_TEMP}`;
  const options = { named: VERIFIER_IS_LOGGED, ownDatabase: true, prepare };
  return await arrange(account, await sharedServer(version), { strategy: 'single-user' }, options);
}

/** What the server stores of the role's password, and who has it can impersonate the server or guess on. */
async function verifierOf({ server, role }: Pick<Arrangement, 'server' | 'role'>): Promise<Record<string, string>> {
  const [row] = await server.query<{ rolpassword: string }>('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [
    role.name,
  ]);
  const [, storedKey, serverKey] = /^SCRAM-SHA-256\$\d+:[^$]+\$([^:]+):(.+)$/.exec(row?.rolpassword ?? '') ?? [];
  if (storedKey === undefined || serverKey === undefined) throw new Error('A SCRAM verifier should be stored.');
  return { storedKey, serverKey };
}

/** The names of what must stay secret and was logged nevertheless. The statement's text proves that the log is on. */
async function loggedOf(here: Arrangement): Promise<string[]> {
  const [old, current] = [here.role.password, await here.secret.password()];
  return await searchLog(here.server, {
    ...(await verifierOf(here)),
    old,
    current,
    statement: 'ALTER ROLE SESSION_USER PASSWORD',
  });
}

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test.each<[string, Record<string, string>]>([
    ['neither the password nor the verifier', {}],
    ['with PASSWORD_HASHING=server no password', { PASSWORD_HASHING: 'server' }],
  ])('a server that logs everything logs %s', async (_, environment) => {
    await using here = await arrangeLogged(version, environment);

    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await loggedOf(here)).toEqual(['statement']);
    await expectWorking(here);
  });

  test('where the role may not make temporary tables, the server logs a verifier and no password', async () => {
    await using here = await arrangeLoggedWithoutTemp(version);

    expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect((await loggedOf(here)).sort()).toEqual(['serverKey', 'statement', 'storedKey']);
    await expectWorking(here);
  });

  test('an ALTER ROLE that fails is logged without the verifier, and tried again', async () => {
    await using here = await arrangeLogged(version);
    const { server, role, secret } = here;
    const logged = await followLog(server);
    const token = await secret.begin();
    await secret.step('createSecret', token);

    await using hold = await holdRole(server, role);
    const step = secret.step('setSecret', token);
    const said = await waitFor('the server to log a failed ALTER ROLE', async () => {
      const log = linesOf(await logged(), role.name);
      return /canceling statement due to lock timeout/.test(log) ? log : undefined;
    });
    await hold.release();

    expect(await step).toMatchObject({ outcome: 'done' });
    expect(said).toContain('55P03');
    const pending = { pending: await secret.password({ label: 'AWSPENDING' }) };
    expect(await searchLog(server, { ...(await verifierOf(here)), ...pending })).toEqual([]);
  });

  test('pg_stat_activity shows neither the password nor the verifier while the role is being changed', async () => {
    await using here = await arrangeLogged(version);
    const { server, role, secret } = here;
    const token = await secret.begin();
    await secret.step('createSecret', token);

    await using hold = await holdRole(server, role);
    const step = secret.step('setSecret', token);
    const [seen = ''] = await hold.waiting();
    await hold.release();

    expect(await step).toMatchObject({ outcome: 'done' });
    expect(seen).toContain('ALTER ROLE SESSION_USER PASSWORD');
    const secrets = Object.values(await verifierOf(here)).concat(await secret.password({ label: 'AWSPENDING' }));
    expect(secrets.filter((text) => seen.includes(text))).toEqual([]);
    expect(seen).not.toContain('SCRAM-SHA-256');
  });

  test('a login that fails shows the server no password', async () => {
    await using here = await arrangeLogged(version);
    const { server, secret } = here;
    const wrong = 'never-set-in-the-database';
    for (let i = 1; i <= 3; i++) await secret.put({ password: `${wrong}-${i}` });

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    expect(await searchLog(server, { wrong })).toEqual([]);
  });
});
