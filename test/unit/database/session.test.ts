import { expect, it } from 'vitest';
import { type Login, type SqlSession, withSession } from '../../../shared/database/session.ts';
import { POSTGRES_WIRE } from '../../../shared/database/wire.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { Password } from '../../../shared/secret/password.ts';
import { ScriptedServer, trusts } from '../../support/scripted-server.ts';

/** What a server heard that lets everybody in and answers nothing. */
async function heard(work: (session: SqlSession) => Promise<unknown>): Promise<{ heard: string[]; error: unknown }> {
  const statements: string[] = [];
  await using server = await ScriptedServer.start(async (client) => {
    await trusts(client);
    for (let frame = await client.next(); frame !== undefined; frame = await client.next())
      statements.push(frame.bytes.toString('latin1'));
  });
  const login: Login = {
    host: server.host,
    port: server.port,
    database: 'shop',
    username: 'app',
    password: new Password('p'),
    byToken: false,
    tls: 'plain',
    sslHostname: undefined,
  };
  const settings = {
    deadline: new Deadline(500),
    trust: () => Promise.reject(new TypeError('no TLS here')),
    wire: POSTGRES_WIRE,
  };
  const error: unknown = await withSession(login, settings, work).catch((thrown: unknown) => thrown);
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
