import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApplicationClient } from '../../../scripts/demo/application-client.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { canLogin, countLogins, type Login, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

const ROTATIONS = 20;

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

async function currentLogin(secret: TestSecret): Promise<Login> {
  const { username, password, dbname } = JSON.parse(await secret.text());
  return { user: username, password, database: dbname };
}

/** Applications that log in as fast as they can, for as long as the object is in scope. */
class Load implements AsyncDisposable {
  readonly #server: PostgresServer;
  readonly #stop = new AbortController();
  readonly #clients: ApplicationClient[] = [];

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  add(credential: () => Promise<Login> | Login): ApplicationClient {
    const logIn = (login: Login) => this.#server.withClient(async () => undefined, login);
    const client = new ApplicationClient({ credential, logIn, signal: this.#stop.signal });
    this.#clients.push(client);
    return client;
  }

  /** What all of them met. */
  get counts() {
    const tried = this.#clients.reduce((sum, client) => sum + client.tried, 0);
    return { tried, refused: this.#clients.flatMap((client) => client.problems || []) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients.map((client) => client.stop()));
  }
}

test(`over ${ROTATIONS} rotations of alternating users, no login with AWSCURRENT or with what was AWSCURRENT a rotation ago is refused`, async () => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await twins(account, scope);
  const logins = await countLogins(server);
  let triedByHolders = 0;
  await using load = new Load(server);
  const fetcher = load.add(() => currentLogin(app.secret));

  for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
    const held = await currentLogin(app.secret);
    const holder = load.add(() => held);
    const before = fetcher.tried;
    await app.rotate();
    // The holder still logs in after its credential has become AWSPREVIOUS; the next rotation is its end.
    await Promise.all([holder.logInAgain(2), fetcher.logInAgain(1)]);
    await holder.stop();
    triedByHolders += holder.tried;
    expect(fetcher.tried).toBeGreaterThan(before);
  }

  expect(load.counts.refused).toEqual([]);
  expect(triedByHolders).toBeGreaterThanOrEqual(2 * ROTATIONS);
  const served = await Promise.all([app.base.name, app.twin].map((user) => logins(user)));
  expect(served.map(({ failed }) => failed)).toEqual([0, 0]);
  process.stdout.write(`Alternating users: ${load.counts.tried} logins in ${ROTATIONS} rotations, none refused.\n`);
}, 120_000);

test.each([
  ['', {}],
  [', with PROMOTE=early', { PROMOTE: 'early' }],
])('of single user the same probe sees the gap until AWSCURRENT is moved%s', async (how, environment) => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await scope.createAppRole();
  const secret = await account.secretFor(server, app, { strategy: 'single-user', environment });
  await secret.rotate(); // warms the instance up
  const gaps: number[] = [];

  for (let rotation = 1; rotation <= 5; rotation++) {
    const held = await currentLogin(secret);
    let lastAccepted = performance.now();
    const rotating = secret.rotate();
    // The gap: from the last login with the old password to the first with AWSCURRENT, once that is another one.
    while ((await canLogin(server, held)) === 'accepted') lastAccepted = performance.now();
    while ((await canLogin(server, await currentLogin(secret))) === 'refused');
    gaps.push(performance.now() - lastAccepted);
    expect(await rotating).toMatchObject({ outcome: 'succeeded' });
  }

  const shown = gaps.map((gap) => `${Math.round(gap)} ms`).join(', ');
  process.stdout.write(`Single user${how}: AWSCURRENT was refused for ${shown} in ${gaps.length} rotations.\n`);
  expect(Math.min(...gaps)).toBeGreaterThan(0);
});
