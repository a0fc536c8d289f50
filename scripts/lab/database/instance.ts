import { randomBytes } from 'node:crypto';

/** Server parameters as in postgresql.conf: `{ log_statement: 'all' }`. */
export type Settings = Readonly<Record<string, string>>;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What the server shows its clients: a certificate (with its chain, if any) and its private key, both PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface InstanceOptions {
  /** Added to, and winning over, the settings of a throw-away server. */
  readonly settings?: Settings;
  /** All lines of pg_hba.conf for TCP connections, in order: the first that matches decides. Default: SCRAM for everybody. */
  readonly hba?: readonly string[];
  /** Further arguments for initdb. */
  readonly initdbArguments?: readonly string[];
  /** TLS is on if given. A function gets the host that clients connect to, for a certificate that names it. */
  readonly tls?: ServerCertificate | ((host: string) => ServerCertificate | Promise<ServerCertificate>);
}

/** One running server, whoever runs it. `PostgresServer` is the view of it that others use. */
export interface ServerInstance {
  readonly kind: 'embedded' | 'container' | 'url';
  readonly host: string;
  readonly port: number;
  readonly superuser: Credentials;
  /** Everything that the server has logged since its first start; '' where that can't be read. */
  log(): Promise<string>;
  /** Stops the server in PostgreSQL's "fast" mode, keeping its data and its port. */
  stop(): Promise<void>;
  /** Starts the server again with the same data on the same port, stopping it before if it runs. */
  restart(): Promise<void>;
  /** Stops the server and removes all that belongs to it. */
  close(): Promise<void>;
}

const DEFAULT_HBA: readonly string[] = ['host all all all scram-sha-256', 'host replication all all scram-sha-256'];

/** Nothing here must survive a power cut, and there is little of it: trade durability for speed. */
const THROWAWAY_SETTINGS: Settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '16MB',
  jit: 'off',
};

/** A postgresql.conf (or the end of one) for a throw-away server; later settings win. */
export function configurationFile(...settings: readonly Settings[]): string {
  return Object.entries(Object.assign({}, THROWAWAY_SETTINGS, ...settings) as Settings)
    .map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`)
    .join('');
}

/** A pg_hba.conf; the line for local sockets is what the image's own start-up scripts need. */
export function accessFile(hba: readonly string[] = DEFAULT_HBA): string {
  return ['local all all scram-sha-256', ...hba, ''].join('\n');
}

export async function certificateFor(
  host: string,
  tls: InstanceOptions['tls'],
): Promise<ServerCertificate | undefined> {
  return typeof tls === 'function' ? await tls(host) : tls;
}

export function randomSuperuser(): Credentials {
  return { username: 'postgres', password: randomBytes(24).toString('base64url') };
}

/** The end of a log, for an error message: startup errors name no password. */
export function tail(log: string, lines = 15): string {
  return log.trimEnd().split('\n').slice(-lines).join('\n');
}
