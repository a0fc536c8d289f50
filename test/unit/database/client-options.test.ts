import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ClientOptions, ExplicitClient } from '../../../shared/database/client-options.ts';

const PASSWORD_REQUEST = Buffer.from('520000000800000003', 'hex');
const NO_TLS = Buffer.from('N');
const SSL_REQUEST = '0000000804d2162f';

/** A server of one client that notes all it is told, asks for a password in clear, has no TLS, and hangs up then. */
class NotingServer extends Duplex {
  readonly told: string[] = [];

  setNoDelay(): void {}
  setKeepAlive(): void {}

  connect(port: unknown, host: unknown): void {
    this.told.push(`connect to ${host}:${port}`);
    process.nextTick(() => this.emit('connect'));
  }

  override _read(): void {}

  override _write(message: Buffer, _: unknown, done: () => void): void {
    this.told.push(message.toString('latin1'));
    const isPassword = message[0] === 'p'.charCodeAt(0);
    if (message.toString('hex') === SSL_REQUEST) this.push(NO_TLS);
    else this.push(isPassword ? null : PASSWORD_REQUEST);
    done();
    if (isPassword) this.destroy();
  }
}

type Make = (options: ClientOptions) => Client;
const explicit: Make = (options) => new ExplicitClient(options);
const driversOwn: Make = (options) => new Client(options);

/** What a server is told until it hangs up. */
async function told(make: Make, options: Omit<ClientOptions, 'stream'>): Promise<readonly string[]> {
  const server = new NotingServer();
  try {
    const client = make({ ...options, stream: () => server });
    client.on('error', () => undefined);
    await client.connect().catch(() => undefined);
  } catch (error) {
    server.told.push(`${error}`);
  }
  return server.told;
}

const GIVEN: ClientOptions = {
  host: 'db.example.com',
  port: 6543,
  database: 'shop',
  user: 'app',
  password: 'of-the-secret',
  ssl: false,
  application_name: 'ours',
  options: '-c work_mem=1MB',
};
/** Wherever the driver would look elsewhere. */
const EMPTY: ClientOptions = { host: '', port: 0, database: '', user: '', password: '', ssl: false };

const CASES: readonly (readonly [string, ClientOptions])[] = [
  ['everything is given', GIVEN],
  ['everything is empty', EMPTY],
  ['TLS is wanted', { ...GIVEN, ssl: { rejectUnauthorized: true } }],
];

/** The variables that the driver and its password file's reader name, or make of an option's name. */
async function variables(): Promise<readonly string[]> {
  const driver = createRequire(createRequire(import.meta.url).resolve('pg'));
  const folders = [driver.resolve('./connection-parameters.js'), driver.resolve('pgpass')].map(dirname);
  const texts: string[] = [];
  for (const folder of folders) {
    const files = (await readdir(folder)).filter((name) => name.endsWith('.js'));
    texts.push(...(await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))));
  }
  const source = texts.join('\n');
  const named = Array.from(source.matchAll(/\bPG[A-Z_]{3,}\b/g), ([name]) => name);
  const made = Array.from(source.matchAll(/\bval\('(\w+)', config\)/g), ([, key = '']) => `PG${key.toUpperCase()}`);
  return [...new Set([...named, ...made, 'USER'])].sort();
}

let folder: string;
let passwordFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-options-'));
  passwordFile = join(folder, 'pgpass');
  await writeFile(passwordFile, '*:*:*:*:of-the-file\n', { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
});

/** @returns the variables of the environment that change what a server is told by a client. */
async function heeded(make: Make, options: ClientOptions): Promise<readonly string[]> {
  const values = ['-c search_path=evil', 'direct', 'database', 'no-verify', '5', passwordFile];
  const names = await variables();
  for (const name of names) vi.stubEnv(name, undefined);
  const undisturbed = await told(make, options);
  const found = new Set<string>();
  for (const name of names) {
    for (const value of values) {
      vi.stubEnv(name, value);
      if (JSON.stringify(await told(make, options)) !== JSON.stringify(undisturbed)) found.add(name);
    }
    vi.stubEnv(name, undefined);
  }
  return [...found];
}

test('the list of variables is the one that the driver heeds today, or longer', async () => {
  const known = [
    'APPNAME',
    'CLIENT_ENCODING',
    'CONNECT_TIMEOUT',
    'DATABASE',
    'HOST',
    'OPTIONS',
    'PASSFILE',
    'PASSWORD',
  ];
  const more = ['PORT', 'REPLICATION', 'SSLMODE', 'SSLNEGOTIATION', 'USER'];
  expect(await variables()).toEqual(expect.arrayContaining([...known, ...more].map((name) => `PG${name}`)));
});

describe.each(CASES)('where %s', (_, options) => {
  test('no PG* variable, alone or with all others, has a say in what a server is told', async () => {
    expect(await heeded(explicit, options)).toEqual([]);

    const undisturbed = await told(explicit, options);
    for (const name of await variables()) vi.stubEnv(name, name === 'PGPASSFILE' ? passwordFile : 'database');
    expect(await told(explicit, options)).toEqual(undisturbed);
  });
});

test("this would be noticed: the driver's own client heeds them", async () => {
  expect(await heeded(driversOwn, GIVEN)).toEqual(['PGREPLICATION', 'PGSSLNEGOTIATION']);
  expect(await heeded(driversOwn, EMPTY)).toEqual([
    'PGAPPNAME',
    'PGDATABASE',
    'PGHOST',
    'PGOPTIONS',
    'PGPASSFILE',
    'PGPASSWORD',
    'PGPORT',
    'PGREPLICATION',
    'PGSSLNEGOTIATION',
    'PGUSER',
  ]);
});

describe('what a server is told', () => {
  test('is what the options say, and that text is in UTF-8', async () => {
    const [connect, startUp = '', password] = await told(explicit, GIVEN);
    expect(connect).toBe('connect to db.example.com:6543');
    expect(startUp.slice(8).split('\0').slice(0, -2)).toEqual([
      ...['user', 'app', 'database', 'shop', 'application_name', 'ours', 'options', '-c work_mem=1MB'],
      ...['client_encoding', 'UTF8'],
    ]);
    expect(password?.slice(5)).toBe('of-the-secret\0');
  });

  test('begins with a request for TLS where that is wanted, and is nothing else where it is not to be had', async () => {
    const all = await told(explicit, { ...GIVEN, ssl: true });
    expect(all.slice(1).map((text) => Buffer.from(text, 'latin1').toString('hex'))).toEqual([SSL_REQUEST]);
  });

  test('is not what a client shows when it is printed', () => {
    expect(JSON.stringify(Object.entries(new ExplicitClient(GIVEN)))).not.toContain(GIVEN.password);
  });
});
