import { DatabaseError } from 'pg';
import { ExplicitClient } from '../../../shared/database/client-options.ts';
import type { Credentials } from './instance.ts';
import { waitFor } from './wait.ts';

const CANNOT_CONNECT_NOW = '57P03'; // starting up or shutting down

/** Waits until the server answers a client, if only to refuse it. */
export async function waitUntilServed(server: { host: string; port: number; superuser: Credentials }): Promise<void> {
  await waitFor(`PostgreSQL on ${server.host}:${server.port} to answer`, () => answers(server), { timeoutMs: 60_000 });
}

async function answers({ host, port, superuser }: { host: string; port: number; superuser: Credentials }) {
  const client = new ExplicitClient({
    host,
    port,
    user: superuser.username,
    password: superuser.password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch (error) {
    return (error instanceof DatabaseError && error.code !== CANNOT_CONNECT_NOW) || undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}
