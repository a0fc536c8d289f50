import { beforeEach, describe, expect, test } from 'vitest';
import { LoginError } from '../../../client/errors.ts';
import { SecretLogin } from '../../../client/secret-login.ts';
import type { SecretVersion, SecretVersions } from '../../../client/secret-versions.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';

const START = 1_800_000_000_000;
const HOUR = 3_600_000;

/** A secret in memory, whose answers come when they are let through, and a time of day that goes on when told to. */
class World implements SecretVersions {
  now = START;
  readonly labels = new Map<string, SecretVersion>();
  /** Labels in the order in which they were read. */
  readonly reads: string[] = [];
  failure: LoginError | undefined;
  /** None fits into the time that callers have, unless a test says so. */
  pause = (_milliseconds: number): Promise<void> => Promise.reject(new Error('no pause was expected'));
  #held: PromiseWithResolvers<void> | undefined;

  readonly login = new SecretLogin({
    versions: this,
    trust: () => Promise.reject(new Error('no TLS is wanted here')),
    timeoutMillis: 400,
    pause: (milliseconds) => this.pause(milliseconds),
    now: () => this.now,
  });

  store(label: string, versionId: string, members: object = {}, createdAt = START - HOUR): void {
    const value = { engine: 'postgres', host: 'db', username: 'app', password: `of-${versionId}`, ssl: false };
    this.labels.set(label, {
      versionId,
      createdAt,
      secret: parseDatabaseSecret(JSON.stringify({ ...value, ...members })),
    });
  }

  move(from: string, to: string): void {
    const version = this.labels.get(from);
    if (version !== undefined) this.labels.set(to, version);
    this.labels.delete(from);
  }

  hold(): () => void {
    const held = Promise.withResolvers<void>();
    this.#held = held;
    return () => {
      this.#held = undefined;
      held.resolve();
    };
  }

  async current(): Promise<SecretVersion> {
    const version = await this.other('AWSCURRENT');
    if (version === undefined) throw new LoginError('SECRET_NOT_FOUND', 'there is none');
    return version;
  }

  async other(stage: string): Promise<SecretVersion | undefined> {
    this.reads.push(stage.replace('AWS', ''));
    await this.#held?.promise;
    if (this.failure !== undefined) throw this.failure;
    return this.labels.get(stage);
  }

  /** Labels read since this was last asked. */
  read(): readonly string[] {
    return this.reads.splice(0);
  }

  async password(): Promise<string> {
    return (await this.login.current()).password;
  }

  /** Resolves once a reading in the background has ended. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    this.read();
  }
}

let world: World;
beforeEach(() => {
  world = new World();
  world.store('AWSCURRENT', 'a');
});

describe('current()', () => {
  test('reads AWSCURRENT once for all who ask first, and answers it for five minutes', async () => {
    const release = world.hold();
    const asked = Promise.all([world.password(), world.password(), world.password()]);
    release();
    expect(await asked).toEqual(['of-a', 'of-a', 'of-a']);
    world.now += 5 * 60_000 - 1;
    expect(await world.password()).toBe('of-a');
    expect(world.read()).toEqual(['CURRENT']);
  });

  test('answers what is old at once while it reads it again, once', async () => {
    await world.login.current();
    world.store('AWSCURRENT', 'b');
    world.now += 5 * 60_000;
    const release = world.hold();
    expect(await Promise.all([world.password(), world.password()])).toEqual(['of-a', 'of-a']);
    expect(world.read()).toEqual(['CURRENT', 'CURRENT']);
    release();
    await world.quiet();
    expect(await world.password()).toBe('of-b');
  });

  test('keeps what it has while Secrets Manager does not answer, and asks again 5 s later', async () => {
    await world.login.current();
    world.now += HOUR;
    world.failure = new LoginError('SECRET_UNREADABLE', 'no answer');
    expect(await world.password()).toBe('of-a');
    await world.quiet();
    world.now += 4_999;
    expect(await world.password()).toBe('of-a');
    expect(world.read()).toEqual([]);
    world.now += 1;
    expect(await world.password()).toBe('of-a');
    expect(world.read()).toEqual(['CURRENT']);
  });

  test('reads again where the clock was put back', async () => {
    await world.login.current();
    world.read();
    world.now -= HOUR;
    await world.login.current();
    expect(world.read()).toEqual(['CURRENT']);
  });

  test('fails as long as nothing was ever read, and then no longer', async () => {
    world.failure = new LoginError('SECRET_UNREADABLE', 'no answer');
    await expect(world.login.current()).rejects.toBe(world.failure);
    world.failure = undefined;
    expect(await world.password()).toBe('of-a');
  });

  test('ends by its time-out, and goes on where an instance was thawed after a reading had been frozen', async () => {
    const release = world.hold();
    await expect(world.login.current({ timeoutMillis: 20 })).rejects.toMatchObject({ code: 'LOGIN_TIMEOUT' });
    world.now += HOUR;
    world.store('AWSCURRENT', 'b');
    const asked = world.password();
    release();
    expect(await asked).toBe('of-b');
    expect(world.read()).toEqual(['CURRENT', 'CURRENT']);
  });

  test('a reading that was frozen changes nothing when it ends after a later one', async () => {
    await world.login.current();
    world.now += HOUR;
    const release = world.hold();
    await world.login.current();
    world.now += HOUR;
    await world.login.current();
    expect(world.read()).toEqual(['CURRENT', 'CURRENT', 'CURRENT']);
    world.store('AWSCURRENT', 'b');
    release();
    await world.quiet();
    expect(await world.password()).toBe('of-b');
  });
});

describe('refused()', () => {
  beforeEach(async () => {
    await world.login.current();
    world.read();
  });

  test('is true without a call where somebody has moved on', async () => {
    expect(await world.login.refused('an older one')).toBe(true);
    expect(world.read()).toEqual([]);
  });

  test('finds AWSCURRENT anew first', async () => {
    world.store('AWSCURRENT', 'b');
    world.store('AWSPENDING', 'c');
    expect(await world.login.refused('a')).toBe(true);
    expect(await world.password()).toBe('of-b');
    expect(world.read()).toEqual(['CURRENT']);
  });

  test('then AWSPENDING, then AWSPREVIOUS, and host, port and TLS stay those of AWSCURRENT', async () => {
    world.store('AWSPENDING', 'p', { username: 'app_clone', host: 'DB.' });
    world.store('AWSPREVIOUS', 'o');
    expect(await world.login.refused('a')).toBe(true);
    const { username, password, host, ssl, stage } = await world.login.current();
    expect([username, password, host, ssl, stage]).toEqual(['app_clone', 'of-p', 'db', false, 'AWSPENDING']);
    expect(world.read()).toEqual(['CURRENT', 'PENDING']);

    expect(await world.login.refused('p')).toBe(true);
    expect(await world.login.current()).toMatchObject({ versionId: 'o', stage: 'AWSPREVIOUS' });
    expect(world.read()).toEqual(['CURRENT', 'PENDING', 'PREVIOUS']);
  });

  test.each([
    ['users and hosts', { username: 'admin' }, { host: 'elsewhere' }],
    ['databases and weaker protection', { dbname: 'elsewhere' }, { ssl: true }],
  ])('passes over versions for other %s', async (_, pending, previous) => {
    world.store('AWSPENDING', 'p', pending);
    world.store('AWSPREVIOUS', 'o', previous);
    expect(await world.login.refused('a')).toBe(false);
    expect(world.login.latest?.versionId).toBe('a');
  });

  test('passes over AWSPENDING on the version that is AWSCURRENT', async () => {
    world.store('AWSPENDING', 'a');
    expect(await world.login.refused('a')).toBe(false);
    expect(world.read()).toEqual(['CURRENT', 'PENDING', 'PREVIOUS']);
  });

  test('looks once however many are refused', async () => {
    world.store('AWSPENDING', 'p');
    const answers = await Promise.all(Array.from({ length: 40 }, () => world.login.refused('a')));
    expect(answers.every(Boolean)).toBe(true);
    expect(world.read()).toEqual(['CURRENT', 'PENDING']);
  });

  test('who asks for the login during a look gets what it finds', async () => {
    world.store('AWSPENDING', 'p');
    const release = world.hold();
    const refused = world.login.refused('a');
    const asked = world.password();
    release();
    expect([await refused, await asked]).toEqual([true, 'of-p']);
  });

  test('looks at most once a second, then at every 2, 4, 8, 16 and 30 s, while nothing new is found', async () => {
    const looksAt: number[] = [];
    for (let second = 0; second <= 100; second += 0.5) {
      world.now = START + second * 1_000;
      expect(await world.login.refused('a')).toBe(false);
      if (world.read().length > 0) looksAt.push(second);
    }
    expect(looksAt).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
  });

  test('begins anew once a login is accepted, and after a quiet minute', async () => {
    const refused = async () => {
      await world.login.refused('a');
      return world.read().length > 0;
    };
    expect([await refused(), await refused()]).toEqual([true, false]);
    world.login.accepted('a');
    expect([await refused(), await refused()]).toEqual([true, false]);
    world.now += 60_001;
    expect([await refused(), await refused()]).toEqual([true, false]);
    world.now += 1_000;
    expect(await refused()).toBe(true);
  });

  test('waits for the next look where a rotation is under way, but not beyond its time', async () => {
    world.store('AWSPENDING', 'p', {}, START);
    expect(await world.login.refused('a')).toBe(true);
    expect(await world.login.refused('p', { timeoutMillis: 50 })).toBe(false);
    expect(world.read()).toEqual(['CURRENT', 'PENDING', 'CURRENT', 'PENDING', 'PREVIOUS']);
    // A second later both get another login: the pending one may have been set by now, or AWSCURRENT put back.
    world.now += 1_000;
    expect(await world.login.refused('p')).toBe(true);
    expect(await world.password()).toBe('of-a');
  });

  test('is owed a look after its refusal, which it waits for', async () => {
    expect(await world.login.refused('a')).toBe(false);
    world.store('AWSCURRENT', 'b');
    world.pause = async (milliseconds) => {
      world.now += milliseconds;
    };
    expect(await world.login.refused('a', { timeoutMillis: 5_000 })).toBe(true);
    expect(world.now).toBe(START + 1_000);
    expect(await world.login.refused('b', { timeoutMillis: 5_000 })).toBe(false);
  });

  test('is false with the reason in its event where Secrets Manager does not answer in time', async () => {
    world.failure = new LoginError('SECRET_UNREADABLE', 'no answer', 'TimeoutError');
    const told = new Promise((resolve) => world.login.once('refused', resolve));
    expect(await world.login.refused('a', { timeoutMillis: 50 })).toBe(false);
    expect(await told).toEqual({ versionId: 'a', again: false, error: world.failure });
  });
});

describe('a login that stands in', () => {
  beforeEach(async () => {
    await world.login.current();
    world.store('AWSPENDING', 'p');
    await world.login.refused('a');
    world.read();
  });

  test('is looked at again after 5 s, and stays while AWSCURRENT is the version that was refused', async () => {
    world.now += 4_999;
    expect(await world.password()).toBe('of-p');
    expect(world.read()).toEqual([]);
    for (let turn = 0; turn < 100; turn++) {
      world.now += 5_000;
      expect(await world.password()).toBe('of-p');
      expect(world.read()).toEqual(['CURRENT']);
      await world.quiet();
    }
  });

  test('becomes AWSCURRENT with the label', async () => {
    world.move('AWSCURRENT', 'AWSPREVIOUS');
    world.move('AWSPENDING', 'AWSCURRENT');
    world.now += 5_000;
    await world.login.current();
    await world.quiet();
    expect(await world.login.current()).toMatchObject({ versionId: 'p', stage: 'AWSCURRENT' });
    world.now += 5 * 60_000 - 1;
    await world.login.current();
    expect(world.read()).toEqual([]);
  });

  test('goes where AWSCURRENT says, for another version may be edited meanwhile', async () => {
    world.store('AWSCURRENT', 'edited', { host: 'moved' });
    world.now += 5_000;
    await world.login.current();
    await world.quiet();
    expect(await world.login.current()).toMatchObject({ versionId: 'edited', host: 'moved' });
  });

  test('is left for AWSCURRENT when that was put back', async () => {
    world.login.accepted('p');
    expect(await world.login.refused('p')).toBe(true);
    expect(await world.login.current()).toMatchObject({ versionId: 'a', stage: 'AWSCURRENT' });
  });

  test('as AWSPREVIOUS gives way to AWSCURRENT after half a minute', async () => {
    world.move('AWSCURRENT', 'AWSPREVIOUS');
    world.move('AWSPENDING', 'AWSCURRENT');
    expect(await world.login.refused('p')).toBe(true);
    expect(world.login.latest).toMatchObject({ versionId: 'a', stage: 'AWSPREVIOUS' });
    world.now += 30_000;
    await world.login.current();
    await world.quiet();
    expect(world.login.latest).toMatchObject({ versionId: 'a', stage: 'AWSPREVIOUS' });
    world.now += 5_000;
    await world.login.current();
    await world.quiet();
    expect(world.login.latest).toMatchObject({ versionId: 'p', stage: 'AWSCURRENT' });
  });
});

test('events tell what became of it: refreshed, refused, pendingUsed', async () => {
  const told: unknown[] = [];
  world.login.on('refreshed', (news) => told.push(['refreshed', news]));
  world.login.on('pendingUsed', (news) => told.push(['pendingUsed', news]));
  world.login.on('refused', (news) => told.push(['refused', news]));
  await world.login.current();
  world.store('AWSPENDING', 'p');
  await world.login.refused('a');
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual([
    ['refreshed', { versionId: 'a', stage: 'AWSCURRENT' }],
    ['refreshed', { versionId: 'p', stage: 'AWSPENDING' }],
    ['pendingUsed', { versionId: 'p', stage: 'AWSPENDING' }],
    ['refused', { versionId: 'a', again: true, error: undefined }],
  ]);
});
