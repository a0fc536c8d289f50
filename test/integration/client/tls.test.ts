import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRefusedPassword, rotatingPool } from '../../../client/index.ts';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { labLogin, logInByHand } from '../../support/login-clients.ts';
import { sharedServer, startTestServer } from '../../support/postgres.ts';
import { RotationBench, type SecretMembers } from '../../support/rotation-bench.ts';

/** What the server's certificate is for, besides its address. */
const NAME = 'db.shop.internal';

let bench: RotationBench;
let server: PostgresServer;
let folder: string;
let caFile: string;
beforeAll(async () => {
  const authority = await CertificateAuthority.create();
  folder = await mkdtemp(join(tmpdir(), 'client-tls-'));
  caFile = join(folder, 'authority.pem');
  await writeFile(caFile, authority.certificate);
  await writeFile(join(folder, 'empty.pem'), 'no certificate');
  bench = await RotationBench.open();
  server = await startTestServer({ tls: (host) => authority.issue([NAME, host]) });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await server.close();
  await rm(folder, { recursive: true });
});

/** A role behind TLS, and the function that trusts the server's authority. */
async function arranged(members: SecretMembers): Promise<Arrangement> {
  const choice = { strategy: 'single-user', environment: { DB_CA_FILE: caFile } } as const;
  return await arrange(bench, server, choice, { members });
}

async function tryLogin(here: Arrangement, options: { caFile?: string } = {}): Promise<unknown> {
  const pool = rotatingPool(labLogin(bench.lab, here.secret.arn, options), { connectionTimeoutMillis: 10_000 });
  try {
    return (await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows;
  } finally {
    await pool.end();
  }
}

test.each([true, undefined])('"ssl": %s is TLS, through rotations', async (ssl) => {
  await using here = await arranged({ ssl });
  const login = labLogin(bench.lab, here.secret.arn, { caFile });
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
  const reads = bench.lab.requests.all().filter(({ secretId }) => secretId === here.secret.arn);
  expect(reads.map(({ versionStage }) => versionStage)).toEqual(['AWSCURRENT']);
});

test('the name in the certificate is that of sslhostname, where the host has another', async () => {
  await using here = await arranged({ ssl: true, host: 'localhost', sslhostname: NAME });
  expect(await tryLogin(here, { caFile })).toEqual([{ ssl: true }]);
});

test('a server without TLS is sent nothing, unless the secret says "ssl": false', async () => {
  await using here = await arrange(
    bench,
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
  const login = labLogin(bench.lab, here.secret.arn, { caFile: join(folder, name) });
  await expect(login.current()).rejects.toMatchObject({ code: 'CA_FILE_UNUSABLE', reason });
});
