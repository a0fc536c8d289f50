/**
 * Who may write a secret and stands between the function and the server: what is asked for in clear, or by a name of their
 * own, is answered by a server of theirs, and the administrator's session, which is verified, is let through.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type Address, TcpServer } from '../../../scripts/relays/tcp-server.ts';
import { roleScope, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { createLogin, rolesNamed, twins } from '../../support/twins.ts';

/** Of the protocol's request for TLS (PostgreSQL manual, "Message Formats"). */
const SSL_REQUEST = 80_877_103;

/** Leads whoever asks for TLS to one server, and whoever does not to another. */
class Fork extends TcpServer {
  readonly #secured: Address;
  readonly #plain: Address;

  static async start(secured: Address, plain: Address): Promise<Fork> {
    return await new Fork(secured, plain).listen();
  }

  private constructor(secured: Address, plain: Address) {
    super();
    this.#secured = secured;
    this.#plain = plain;
  }

  protected serve(client: Socket): void {
    client.once('data', (first: Buffer) => {
      const { host, port } = first.readInt32BE(4) === SSL_REQUEST ? this.#secured : this.#plain;
      const server = connect(port, host).on('error', () => client.destroy());
      client.on('error', () => server.destroy());
      server.write(first);
      client.pipe(server).pipe(client);
    });
  }
}

let account: TestAccount;
let server: PostgresServer;
let theirs: PostgresServer;
let folder: string;
beforeAll(async () => {
  const authority = await CertificateAuthority.create();
  folder = await mkdtemp(join(tmpdir(), 'in-between-'));
  await writeFile(join(folder, 'authority.pem'), authority.certificate);
  account = await TestAccount.open();
  server = await startTestServer({ tls: (host) => authority.issue([host, '127.0.0.1']) });
  theirs = await startTestServer();
});
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await theirs.close();
  await server.close();
  await rm(folder, { recursive: true });
});

test('a login in clear, which their server has answered, has the administrator do nothing', async () => {
  await using scope = roleScope(server);
  await using elsewhere = roleScope(theirs);
  await using fork = await Fork.start(server, theirs);
  const where = { host: '127.0.0.1', port: fork.port };
  const environment = { DB_CA_FILE: join(folder, 'authority.pem') };
  const app = await twins(account, scope, { environment, members: where, superuserMembers: { ...where, ssl: true } });
  const victim = app.base.name;
  const invented = randomBytes(18).toString('base64url');
  await createLogin(elsewhere, victim, invented);
  const before = await rolesNamed(server, [victim, `${victim}_clone`]);
  await app.secret.put({ password: invented, ssl: false });

  const { outcome, steps } = await app.secret.rotate();

  expect({ outcome, end: steps.at(-1) }).toMatchObject({
    outcome: 'failed',
    end: { step: 'setSecret', error_code: 'PASSWORD_NOT_ACCEPTED' },
  });
  expect(await rolesNamed(server, [victim, `${victim}_clone`])).toEqual(before);

  // The remedy to the letter; their password goes with their edit.
  const [, version] = /--remove-from-version-id (\S+); then give/.exec(String(steps.at(-1)?.remedy)) ?? [];
  if (version !== undefined) await app.secret.unlabel('AWSPENDING', version);
  await app.secret.put({ password: app.base.password, ssl: true });
  expect(await app.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
});

test('a secret without TLS is rotated beside a superuser secret with it, where the server is one', async () => {
  await using scope = roleScope(server);
  const environment = { DB_CA_FILE: join(folder, 'authority.pem') };
  const app = await twins(account, scope, { environment, members: { ssl: false }, superuserMembers: { ssl: true } });
  for (let turn = 1; turn <= 2; turn++) expect(await app.secret.rotate()).toMatchObject({ outcome: 'succeeded' });
});
