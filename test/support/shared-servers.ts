import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Credentials, ServerInstance } from '../../scripts/lab/database/instance.ts';
import { PostgresServer, startPostgres } from '../../scripts/lab/database/server.ts';
import { shownInServerLog } from './leaks.ts';
import { aroundVerifiers } from './server-log.ts';
import type { ServerPlan } from './server-plan.ts';

/** What a test worker needs to use a server that Vitest's main process runs. */
interface SharedServer {
  readonly kind: 'embedded' | 'container';
  readonly host: string;
  readonly port: number;
  readonly superuser: Credentials;
}

/** Of all test servers: what they log is searched for secrets. */
export const LOG_ALL = { log_connections: 'on', log_statement: 'all', log_min_duration_statement: '0' };

/** Settings that all tests share; a test that needs others starts a server of its own. */
const SETTINGS = { ...LOG_ALL, max_connections: '200' };

/**
 * Runs one plain server per version for all test files, each started when the first test asks for it. Tests run in
 * other processes, so they ask over HTTP, on loopback, at an address that can't be guessed.
 */
export class SharedServers {
  readonly #plan: ServerPlan;
  readonly #started = new Map<number, Promise<PostgresServer>>();
  /** Passwords of all tests, for which the servers' logs are searched at the end. */
  readonly #passwords = new Set<string>();
  readonly #path = `/${randomUUID()}`;
  readonly #http: Server = createServer((request, response) => void this.#respond(request, response));

  static async open(plan: ServerPlan): Promise<SharedServers> {
    const servers = new SharedServers(plan);
    servers.#http.listen(0, '127.0.0.1');
    await once(servers.#http, 'listening');
    return servers;
  }

  private constructor(plan: ServerPlan) {
    this.#plan = plan;
  }

  get url(): string {
    const { port } = this.#http.address() as AddressInfo;
    return `http://127.0.0.1:${port}${this.#path}`;
  }

  /** @throws Error if a server's log shows a password of any test, or anybody's verifier. */
  async close(): Promise<void> {
    this.#http.closeAllConnections();
    this.#http.close();
    const started = await Promise.allSettled(this.#started.values());
    const servers = started.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const logs = await Promise.all(servers.map((server) => server.log()));
    await Promise.all(servers.map((server) => server.close()));
    const shown = logs.flatMap((log) => shownInServerLog(log, this.#passwords));
    if (shown.length > 0) process.stderr.write(`${logs.map(aroundVerifiers).join('')}\n`);
    if (shown.length > 0)
      throw new Error(`No server's log should show a secret, but they show ${shown.join(' and ')}.`);
    const sought = `${this.#passwords.size} passwords and for verifiers`;
    const searched = `${logs.length} server logs, log_statement=all, searched for ${sought}`;
    process.stdout.write(`${searched}: none found\n`);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'POST' && request.url === `${this.#path}/passwords`) {
      for (const password of (await json(request)) as string[]) this.#passwords.add(password);
      response.end();
      return;
    }
    const [, version, log] = new RegExp(`^${this.#path}/(\\d+)(/log)?$`).exec(request.url ?? '') ?? [];
    if (version === undefined || !this.#plan.versions.includes(Number(version))) {
      response.writeHead(404).end();
      return;
    }
    try {
      const server = await this.#server(Number(version));
      response.end(log === undefined ? JSON.stringify(describe(server)) : await server.log());
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  }

  #server(version: number): Promise<PostgresServer> {
    const started =
      this.#started.get(version) ?? startPostgres({ source: this.#plan.source, version, settings: SETTINGS });
    this.#started.set(version, started);
    return started;
  }
}

/** In a test worker: hands over passwords that no shared server's log may show. */
export async function searchSharedLogsFor(url: string, passwords: readonly string[]): Promise<void> {
  await fetch(`${url}/passwords`, { method: 'POST', body: JSON.stringify(passwords) });
}

/** In a test worker: the server of this version, started if need be. */
export async function reachSharedServer(url: string, version: number): Promise<PostgresServer> {
  const server: SharedServer = JSON.parse(await fetchText(`${url}/${version}`));
  const refuse = async () => {
    throw new Error('A server that all tests share must keep running: startTestServer() gives a test one of its own.');
  };
  const instance: ServerInstance = {
    ...server,
    log: () => fetchText(`${url}/${version}/log`),
    stop: refuse,
    restart: refuse,
    close: async () => undefined,
  };
  return await PostgresServer.of(instance, { ssl: false, database: 'postgres' });
}

function describe({ kind, host, port, superuser }: PostgresServer) {
  return { kind, host, port, superuser };
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`The shared PostgreSQL server should start, and did not: ${text}`);
  return text;
}
