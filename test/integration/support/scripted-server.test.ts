import { Client, DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { Middleman, type MiddlemanOptions } from '../../support/middleman.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import {
  asksForIterations,
  asksForMechanisms,
  refuses,
  type Script,
  ScriptedServer,
  trusts,
} from '../../support/scripted-server.ts';

/** What made-up servers do to a client that knows nothing of them. */

interface Address {
  readonly host: string;
  readonly port: number;
}

async function session<T>({ host, port }: Address, options: object, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ host, port, user: 'app', password: 'secret', database: 'postgres', ...options });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const refusalOf = (address: Address, options: object = {}) =>
  session(address, options, async () => 'accepted').catch((error: unknown) => {
    if (error instanceof DatabaseError) return `${error.severity} ${error.code} ${error.message}`;
    return error instanceof Error ? error.message : 'not even an error';
  });

describe('a scripted server', () => {
  test.each<[string, Script, RegExp, number]>([
    ['refuses', refuses({ state: '08P01', message: 'auth failed' }), /^FATAL 08P01 auth failed$/, 0],
    ['lets everybody in', trusts, /^accepted$/, 0],
    ['knows other mechanisms', asksForMechanisms('SCRAM-SHA-512', 'OAUTHBEARER'), /^SASL: Only mechanism/, 0],
    ['asks for few iterations', asksForIterations(1), /^FATAL 28P01 password authentication failed$/, 2],
    ['asks for many iterations', asksForIterations(2 ** 31 - 1), /iteration count 2147483647 exceeds/, 1],
  ])('%s', async (_, script, answer, passwordMessages) => {
    await using server = await ScriptedServer.start(script);
    expect(await refusalOf(server)).toMatch(answer);
    await waitFor('the client to be gone', () => server.gone === 1 || undefined);
    expect(server).toMatchObject({ connections: 1, passwordMessages });
  });
});

describe('a middleman', () => {
  test.each<[string, Omit<MiddlemanOptions, 'knows'>]>([
    ['in clear', { asks: 'in clear' }],
    ['for md5', { asks: 'md5' }],
    ['in clear, and tells no process id', { asks: 'in clear', processId: 'none' }],
  ])('that asks %s goes by what it knows at the moment', async (_, options) => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const { name: user, password } = await scope.createAppRole();
    const known = new Map([[user, password]]);
    await using middleman = await Middleman.start(server, { ...options, knows: (name) => known.get(name) });

    const seen = await session(middleman, { user, password }, async (client) => {
      const sql = 'SELECT session_user::text AS session, pg_backend_pid() AS pid';
      const [row] = (await client.query<{ session: string; pid: number }>(sql)).rows;
      const parameterized = await client.query('SELECT $1::text AS word', ['word']);
      return { ...row, word: parameterized.rows[0].word, key: Reflect.get(client, 'processID') };
    });
    expect(seen).toMatchObject({ session: user, word: 'word' });
    expect(seen.key === null).toBe(options.processId === 'none');
    expect(seen.key).not.toBe(seen.pid);

    expect(await refusalOf(middleman, { user, password: 'wrong' })).toBe(
      `FATAL 28P01 The password that was provided for the role ${user} is wrong.`,
    );
    expect(await refusalOf(middleman, { user: 'x_clone' })).toMatch(/^FATAL 28000 This RDS proxy has no credentials/);
    expect(await refusalOf(middleman, { user, password, options: '-c work_mem=64kB' })).toMatch(/command-line options/);

    known.set(user, 'not yet at the server');
    expect(await refusalOf(middleman, { user, password: 'not yet at the server' })).toBe(
      `FATAL 28P01 password authentication failed for user "${user}"`,
    );
  });

  test('may leave the judgement to the server, and log in another', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const { name: user, password } = await scope.createAppRole();
    const owner = await scope.createAppRole({ name: scope.name('owner') });
    await using faithful = await Middleman.start(server, { asks: 'in clear' });
    expect(await refusalOf(faithful, { user, password })).toBe('accepted');
    expect(await refusalOf(faithful, { user, password: 'wrong' })).toMatch(/^FATAL 28P01 password authentication/);

    const as = { username: owner.name, password: owner.password };
    await using other = await Middleman.start(server, { asks: 'in clear', knows: () => password, as });
    const sql = 'SELECT session_user::text AS session';
    const rows = await session(other, { user, password }, async (client) => (await client.query(sql)).rows);
    expect(rows).toEqual([{ session: owner.name }]);
  });
});
