import { once } from 'node:events';
import { createServer } from 'node:net';
import { createSecureContext } from 'node:tls';
import { expect, it } from 'vitest';
import { type Login, type SqlSession, withSession } from '../../../shared/database/session.ts';
import { POSTGRES_WIRE } from '../../../shared/database/wire.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { Password } from '../../../shared/secret/password.ts';
import { ScriptedServer, trusts } from '../../support/scripted-server.ts';

const login: Omit<Login, 'port' | 'tls'> = {
  host: '127.0.0.1',
  database: 'shop',
  username: 'app',
  password: new Password('p'),
  byToken: false,
  sslHostname: undefined,
};

/** What a server heard that lets everybody in and answers nothing. */
async function heard(work: (session: SqlSession) => Promise<unknown>): Promise<{ heard: string[]; error: unknown }> {
  const statements: string[] = [];
  await using server = await ScriptedServer.start(async (client) => {
    await trusts(client);
    for (let frame = await client.next(); frame !== undefined; frame = await client.next())
      statements.push(frame.bytes.toString('latin1'));
  });
  const settings = {
    deadline: new Deadline(500),
    trust: () => Promise.reject(new TypeError('no TLS here')),
    wire: POSTGRES_WIRE,
  };
  const error: unknown = await withSession({ ...login, port: server.port, tls: 'plain' }, settings, work).catch(
    (thrown: unknown) => thrown,
  );
  return { heard: statements, error };
}

it('has nothing more to say to a server that gave no answer in time', async () => {
  const { heard: query, error } = await heard((session) => session.query('SELECT 1'));
  expect(error).toMatchObject({ code: 'DATABASE_TIMEOUT' });
  expect(query).toEqual([expect.stringContaining('SELECT 1; COMMIT')]);

  const { heard: change } = await heard(async (session) => {
    try {
      await session.begin('SELECT 2');
    } finally {
      await session.rollback();
    }
  });
  expect(change).toEqual([expect.stringContaining('SELECT 2')]);
});

it.each<[Login['tls'], string]>([
  ['verified', 'DATABASE_FULL'],
  ['verified-or-plain', 'DATABASE_FULL'],
  ['plain', 'DATABASE_CONNECTION_LOST'],
])('a server that can not fork passes by itself, where TLS is %s: %s', async (tls, code) => {
  // The postmaster's own words, in the protocol's oldest form, whatever it was asked.
  const cry = 'Ecould not fork new process for connection: Resource temporarily unavailable\n\0';
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(cry));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const settings = {
    deadline: new Deadline(5_000),
    trust: () => Promise.resolve(createSecureContext()),
    wire: POSTGRES_WIRE,
  };
  const error: unknown = await withSession({ ...login, port, tls }, settings, async () => {}).catch(
    (thrown: unknown) => thrown,
  );
  server.close();
  expect(error).toMatchObject({ code });
  // Nobody has vouched for what was said before TLS.
  expect(String(error)).not.toContain('fork');
});
