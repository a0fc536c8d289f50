import { expect, test } from 'vitest';
import { LoginError } from '../../../client/errors.ts';
import { SecretLogin } from '../../../client/secret-login.ts';
import type { SecretVersion, SecretVersions } from '../../../client/secret-versions.ts';
import { parseDatabaseSecret } from '../../../shared/secrets/database-secret.ts';

/** What a rotation does to the secret and to the server, one thing at a time. `replay`: the replica has caught up. */
type Move = 'create' | 'set' | 'finish' | 'replay';
type Strategy = 'single user' | 'alternating users';

const ROTATION: readonly Move[] = ['create', 'set', 'finish'];
/** Moments at which an application waits for an answer, and anything may happen: more of them are never reached. */
const MOMENTS = 14;
const LOGINS = 4;

/** A secret and a server in memory, which a schedule of moves changes while an application waits. */
class World implements SecretVersions {
  now = 1_800_000_000_000;
  /** How long applications had to wait for another look, in ms. */
  paused = 0;
  readonly #labels = new Map<string, SecretVersion>();
  /** Passwords by user: on the primary, and where applications log in. */
  readonly #primary = new Map<string, string>();
  #server: ReadonlyMap<string, string>;
  readonly #moves: Move[];
  readonly #schedule: readonly number[];
  readonly #strategy: Strategy;
  readonly #lags: boolean;
  #moment = 0;
  #done = 0;
  #made = 0;
  readonly #login = new SecretLogin({
    versions: this,
    trust: () => Promise.reject(new Error('no TLS is wanted here')),
    timeoutMillis: 10_000,
    pause: async (milliseconds) => {
      this.paused += milliseconds;
      this.now += milliseconds;
      await this.#wait();
    },
    now: () => this.now,
  });

  /** @param schedule the moment of each move, in their order. */
  constructor(strategy: Strategy, moves: readonly Move[], schedule: readonly number[]) {
    this.#strategy = strategy;
    this.#moves = [...moves];
    this.#schedule = schedule;
    this.#lags = moves.includes('replay');
    const first = this.#make('app');
    this.#labels.set('AWSCURRENT', first);
    this.#set(first);
    this.#server = new Map(this.#primary);
  }

  async current(): Promise<SecretVersion> {
    const version = await this.other('AWSCURRENT');
    if (version === undefined) throw new LoginError('SECRET_NOT_FOUND', 'there is none');
    return version;
  }

  async other(stage: string): Promise<SecretVersion | undefined> {
    // Before the service looks, and before its answer is here.
    await this.#wait();
    const version = this.#labels.get(stage);
    await this.#wait();
    return version;
  }

  /** One login of an application. @throws Error where it sees a refusal. */
  async logIn(): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      const { username, password, versionId } = await this.#login.current();
      await this.#wait();
      if (this.#server.get(username) === password) return;
      if (!(await this.#login.refused(versionId))) break;
    }
    throw new Error(`The application was to be let in, and was not: ${this.#schedule.join(', ')}.`);
  }

  async #wait(): Promise<void> {
    await Promise.resolve();
    while (this.#done < this.#moves.length && (this.#schedule[this.#done] ?? 0) <= this.#moment) {
      const move = this.#moves[this.#done++];
      if (move !== undefined) this.#move(move);
    }
    this.#moment += 1;
  }

  #move(move: Move): void {
    const current = this.#labels.get('AWSCURRENT');
    const pending = this.#labels.get('AWSPENDING');
    if (move === 'create') this.#labels.set('AWSPENDING', this.#make(this.#nextUser(current)));
    else if (move === 'replay') this.#server = new Map(this.#primary);
    else if (pending !== undefined && move === 'set') this.#set(pending);
    else if (pending !== undefined && current !== undefined) {
      this.#labels.set('AWSPREVIOUS', current);
      this.#labels.set('AWSCURRENT', pending);
    }
  }

  #set({ secret }: SecretVersion): void {
    this.#primary.set(secret.username, secret.password.reveal());
    if (!this.#lags) this.#server = new Map(this.#primary);
  }

  #nextUser(current: SecretVersion | undefined): string {
    return this.#strategy === 'alternating users' && current?.secret.username === 'app' ? 'app_clone' : 'app';
  }

  #make(username: string): SecretVersion {
    const versionId = `version-${++this.#made}`;
    const value = { engine: 'postgres', host: 'db', ssl: false, username, password: `of-${versionId}` };
    return { versionId, createdAt: this.now, secret: parseDatabaseSecret(JSON.stringify(value)) };
  }
}

/** Every way of placing `count` moves, in their order, at moments. */
function* schedules(count: number, from = 0): Generator<readonly number[]> {
  if (count === 0) yield [];
  else {
    for (let moment = from; moment <= MOMENTS; moment++)
      for (const rest of schedules(count - 1, moment)) yield [moment, ...rest];
  }
}

async function playAll(strategy: Strategy, moves: readonly Move[]) {
  let played = 0;
  let paused = 0;
  let longest = 0;
  for (const schedule of schedules(moves.length)) {
    const world = new World(strategy, moves, schedule);
    for (let login = 0; login < LOGINS; login++) await world.logIn();
    played += 1;
    if (world.paused > 0) paused += 1;
    longest = Math.max(longest, world.paused);
  }
  return { played, paused, longest };
}

test.each([
  'single user',
  'alternating users',
] as const)('%s: whatever an application waits for while two rotations go on, no login is refused to it', async (strategy) => {
  const { played, paused, longest } = await playAll(strategy, [...ROTATION, ...ROTATION]);
  expect(played).toBeGreaterThan(10_000);
  // A whole rotation in the time of a few answers may make it look once more, a second later.
  expect(paused / played).toBeLessThan(0.01);
  expect(longest).toBeLessThanOrEqual(1_000);
}, 120_000);

test.each([
  ['single user', ['create', 'set', 'replay', 'finish']],
  ['single user', ['create', 'set', 'finish', 'replay']],
  ['alternating users', ['create', 'set', 'replay', 'finish']],
  ['alternating users', ['create', 'set', 'finish', 'replay']],
] as const)('%s, on a replica that lags: %j', async (strategy, moves) => {
  const { played, longest } = await playAll(strategy, moves);
  expect(played).toBeGreaterThan(1_000);
  expect(longest).toBeLessThanOrEqual(1_000);
});
