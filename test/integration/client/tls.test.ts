import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRefusedPassword, rotatingPool } from '../../../client/index.ts';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { labLogin, logInByHand } from '../../support/login-clients.ts';
import { sharedServer, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { SecretMembers } from '../../support/test-secret.ts';

/** What the server's certificate is for, besides its address. */
const NAME = 'db.shop.internal';

let account: TestAccount;
let server: PostgresServer;
let authority: CertificateAuthority;
let folder: string;
let caFile: string;
beforeAll(async () => {
  authority = await CertificateAuthority.create();
  folder = await mkdtemp(join(tmpdir(), 'client-tls-'));
  caFile = join(folder, 'authority.pem');
  await writeFile(caFile, authority.certificate);
  await writeFile(join(folder, 'empty.pem'), 'no certificate');
  account = await TestAccount.open();
  server = await startTestServer({ tls: (host) => authority.issue([NAME, host]) });
});
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await server.close();
  await rm(folder, { recursive: true });
});

/** A role behind TLS, and the function that trusts the server's authority. */
async function arranged(members: SecretMembers): Promise<Arrangement> {
  const choice = { strategy: 'single-user', environment: { DB_CA_FILE: caFile } } as const;
  return await arrange(account, server, choice, { members });
}

async function tryLogin(here: Arrangement, options: { caFile?: string } = {}): Promise<unknown> {
  const pool = rotatingPool(labLogin(account.lab, here.secret.arn, options), { connectionTimeoutMillis: 10_000 });
  try {
    return (await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows;
  } finally {
    await pool.end();
  }
}

test.each([true, undefined])('"ssl": %s is TLS, through rotations', async (ssl) => {
  await using here = await arranged({ ssl });
  const login = labLogin(account.lab, here.secret.arn, { caFile });
  await logInByHand(login);
  expect(await here.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  await logInByHand(login);
  expect(await tryLogin(here, { caFile })).toEqual([{ ssl: true }]);
});

test.each([
  ['a certificate of nobody whom it trusts', {}, false, /^(SELF_SIGNED|UNABLE_TO|DEPTH_ZERO)/],
  ['a certificate that is not for the host', { host: 'localhost' }, true, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
  ['a certificate that is for another name', { sslhostname: 'db.elsewhere' }, true, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
])('%s is no refused login: the server is sent nothing and Secrets Manager is not asked', async (_, members, trusts, code) => {
  await using here = await arranged({ ssl: true, ...members });
  const error = await tryLogin(here, trusts ? { caFile } : {}).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: expect.stringMatching(code) });
  expect(isRefusedPassword(error)).toBe(false);
  const reads = account.lab.requests.all().filter(({ secretId }) => secretId === here.secret.arn);
  expect(reads.map(({ versionStage }) => versionStage)).toEqual(['AWSCURRENT']);
});

test('the name in the certificate is that of sslhostname, where the host has another', async () => {
  await using here = await arranged({ ssl: true, host: 'localhost', sslhostname: NAME });
  expect(await tryLogin(here, { caFile })).toEqual([{ ssl: true }]);
});

/** As drivers do that pass no name for an IP address on. @returns the code of what keeps TLS from being agreed on */
async function agreeOnTls(ssl: ConnectionOptions, names: readonly string[]): Promise<unknown> {
  const { certificate: cert, privateKey: key } = await authority.issue(names);
  const other = createServer({ cert, key }, (socket) => socket.end()).on('tlsClientError', () => {});
  await once(other.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = other.address() as AddressInfo;
    const socket = createConnection({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    const secured = connect({ socket, ...ssl });
    await once(secured, 'secureConnect').finally(() => secured.destroy());
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    other.close();
  }
}

test('an IP address is what the certificate has to be for, though the driver does not say so', async () => {
  await using here = await arranged({ ssl: true, host: '127.0.0.1' });
  const { ssl } = await labLogin(account.lab, here.secret.arn, { caFile }).current();
  if (ssl === false) throw new Error('TLS was asked for.');
  expect(await agreeOnTls(ssl, ['localhost'])).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  expect(await agreeOnTls(ssl, ['127.0.0.1'])).toBeUndefined();
});

test('a server without TLS is sent nothing, unless the secret says "ssl": false', async () => {
  await using here = await arrange(
    account,
    await sharedServer(),
    { strategy: 'single-user' },
    { members: { ssl: true } },
  );
  await expect(tryLogin(here, { caFile })).rejects.toThrow('The server does not support SSL connections');
});

test('"ssl": false is plain text', async () => {
  await using here = await arranged({ ssl: false });
  expect(await tryLogin(here)).toEqual([{ ssl: false }]);
});

test.each([
  ['is not there', 'missing.pem', 'ENOENT'],
  ['holds no certificate', 'empty.pem', undefined],
])('a CA file that %s is told by its own code', async (_, name, reason) => {
  await using here = await arranged({ ssl: true });
  const login = labLogin(account.lab, here.secret.arn, { caFile: join(folder, name) });
  await expect(login.current()).rejects.toMatchObject({ code: 'CA_FILE_UNUSABLE', reason });
});
