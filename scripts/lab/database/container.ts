import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers';
import { freePort } from './free-port.ts';
import {
  accessFile,
  type Credentials,
  certificateFor,
  configurationFile,
  type InstanceOptions,
  randomSuperuser,
  type ServerInstance,
} from './instance.ts';
import { waitUntilServed } from './served.ts';

const PORT = 5432;
const PORTS_TO_TRY = 10;
const FILES = '/etc/throwaway-postgres';

/** Runs as the server's user, so that the key is the server's own whatever user id the image has given it. */
const CONFIGURE = `#!/bin/sh
set -e
cat ${FILES}/postgresql.conf >>"$PGDATA/postgresql.conf"
cp ${FILES}/pg_hba.conf "$PGDATA/pg_hba.conf"
if [ -f ${FILES}/server.key ]; then
  cp ${FILES}/server.crt ${FILES}/server.key "$PGDATA/"
  chmod 600 "$PGDATA/server.key"
fi
`;

/** @returns whether a container engine (Docker, Podman …) can be reached; takes `timeoutMs` at most and prints nothing. */
export async function containerEngineAnswers(timeoutMs = 5_000): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), timeoutMs);
  try {
    return await Promise.race([engine().then(() => true), late.promise]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

export interface ContainerOptions extends InstanceOptions {
  /** PostgreSQL's major version. */
  readonly version: number;
}

/** Starts the official image's PostgreSQL in a container, which goes when this process does (testcontainers' Ryuk). */
export async function startContainer(options: ContainerOptions): Promise<ServerInstance> {
  const client = await engine();
  const { host } = client.info.containerRuntime;
  const reachable = host === 'localhost' ? '127.0.0.1' : host;
  const superuser = randomSuperuser();
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      const container = await runImage(options, reachable, port, superuser);
      const instance = new ContainerInstance({ client, container, host: reachable, port, superuser });
      await waitUntilServed(instance);
      return instance;
    } catch (error) {
      if (!isPortTaken(error) || attempt === PORTS_TO_TRY) throw error;
    }
  }
}

/** testcontainers is big: who never asks for a container never loads it. */
async function engine(): Promise<ContainerRuntimeClient> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return await getContainerRuntimeClient();
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && /port is already allocated|address already in use/.test(error.message);
}

async function runImage(
  options: ContainerOptions,
  host: string,
  port: number,
  superuser: Credentials,
): Promise<StartedTestContainer> {
  const { GenericContainer, Wait } = await import('testcontainers');
  class PostgresContainer extends GenericContainer {
    protected override async beforeContainerCreated(): Promise<void> {
      // A port of our choice survives a restart, which one of the engine's choice does not.
      const binding = { HostPort: String(port), ...(host === '127.0.0.1' ? { HostIp: host } : {}) };
      this.hostConfig.PortBindings = { [`${PORT}/tcp`]: [binding] };
    }
  }
  const certificate = await certificateFor(host, options.tls);
  const settings = certificate === undefined ? {} : { ssl: 'on' };
  const files = [
    { target: '/docker-entrypoint-initdb.d/configure.sh', content: CONFIGURE, mode: 0o755 },
    { target: `${FILES}/postgresql.conf`, content: configurationFile(settings, options.settings ?? {}) },
    { target: `${FILES}/pg_hba.conf`, content: accessFile(options.hba) },
  ];
  if (certificate !== undefined) {
    files.push({ target: `${FILES}/server.crt`, content: certificate.certificate });
    files.push({ target: `${FILES}/server.key`, content: certificate.privateKey });
  }
  return await new PostgresContainer(`postgres:${options.version}-alpine`)
    .withExposedPorts(PORT)
    .withEnvironment({
      POSTGRES_USER: superuser.username,
      POSTGRES_PASSWORD: superuser.password,
      POSTGRES_INITDB_ARGS: ['--no-sync', '--encoding=UTF8', ...(options.initdbArguments ?? [])].join(' '),
    })
    .withCopyContentToContainer(files.map((file) => ({ mode: 0o644, ...file })))
    // The image starts a first server for its scripts, which does not listen on TCP
    .withWaitStrategy(Wait.forLogMessage(/listening on IPv4 address/))
    .withStartupTimeout(120_000)
    .start();
}

interface ContainerParts {
  readonly client: ContainerRuntimeClient;
  readonly container: StartedTestContainer;
  readonly host: string;
  readonly port: number;
  readonly superuser: Credentials;
}

class ContainerInstance implements ServerInstance {
  readonly kind = 'container';
  readonly host: string;
  readonly port: number;
  readonly superuser: Credentials;
  readonly #client: ContainerRuntimeClient;
  readonly #container: StartedTestContainer;
  #finalLog: string | undefined;

  constructor({ client, container, host, port, superuser }: ContainerParts) {
    this.host = host;
    this.port = port;
    this.superuser = superuser;
    this.#client = client;
    this.#container = container;
  }

  async stop(): Promise<void> {
    await this.#client.container.stop(this.#handle(), { timeout: 30_000 });
  }

  async restart(): Promise<void> {
    // testcontainers' own waits for a line of the log that the server may have written before the engine says it runs.
    await this.#client.container.restart(this.#handle(), { timeout: 30_000 });
    await waitUntilServed(this);
  }

  async log(): Promise<string> {
    if (this.#finalLog !== undefined) return this.#finalLog;
    const frames = await this.#handle().logs({ follow: false, stdout: true, stderr: true });
    return withoutFrames(frames);
  }

  async close(): Promise<void> {
    if (this.#finalLog !== undefined) return;
    this.#finalLog = await this.log();
    await this.#container.stop();
  }

  #handle() {
    return this.#client.container.getById(this.#container.getId());
  }
}

/** The engine sends output in frames: stream (1 byte), 3 zero bytes, length (4 bytes, big-endian), text. */
function withoutFrames(frames: Buffer): string {
  const texts: Buffer[] = [];
  for (let at = 0; at + 8 <= frames.length; ) {
    const end = at + 8 + frames.readUInt32BE(at + 4);
    texts.push(frames.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(texts).toString('utf8');
}
