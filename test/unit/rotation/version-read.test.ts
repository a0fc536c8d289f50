import { describe, expect, it } from 'vitest';
import { Deadline } from '../../../shared/deadline.ts';
import { hasPendingValue } from '../../../shared/rotation/new-value.ts';
import type { Credential, SecretReader } from '../../../shared/rotation/ports.ts';
import { candidates, onServerOf, type Source } from '../../../shared/rotation/recovery.ts';
import {
  earlierCredentials,
  type Reading,
  readCurrent,
  readDescribed,
  readPending,
  tryCandidate,
  tryRead,
} from '../../../shared/rotation/version-read.ts';
import { ARN, credentialOf, ManualDeadline, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { FakeSecrets } from '../../support/fake-secrets.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');

const secrets = () => new FakeSecrets().put(V1, secretText(), 'AWSCURRENT').put(TOKEN, undefined, 'AWSPENDING');
const earlierOf = (from: FakeSecrets, judge: (own: Credential) => Promise<void> = async () => {}) =>
  earlierCredentials(from.store(TOKEN), TOKEN, judge);

/** Pauses are over at once. */
const reading = (store: SecretReader): Reading => ({
  store,
  event: { versionId: TOKEN },
  deadline: new Deadline(20_000),
  sleep: () => Promise.resolve(),
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a version that must be there', () => {
  it('is an error with its label where it has no value, or none that can be used', async () => {
    const empty = new FakeSecrets().put(V1, undefined, 'AWSCURRENT').put(TOKEN, 'no JSON', 'AWSPENDING');
    expect(await refusal(readCurrent(empty.store(TOKEN)))).toMatchObject({
      code: 'SECRET_HAS_NO_VALUE',
      facts: { credential: 'current' },
      remedy: expect.stringContaining('put-secret-value'),
    });
    expect(await refusal(readPending(reading(empty.store(TOKEN))))).toMatchObject({
      code: 'SECRET_MALFORMED',
      facts: { credential: 'pending' },
    });
    expect((await refusal(readPending(reading(secrets().store(TOKEN))))).with({ secretArn: ARN }).remedy).toContain(
      `rotate-secret --secret-id ${ARN}`,
    );
  });

  it('is waited for a moment where it is not visible yet, and read no more than it needs', async () => {
    const from = secrets().put(TOKEN, secretText({ password: 'new' }));
    from.hidden = 2;
    const store = from.store(TOKEN);
    expect(await readPending(reading(store))).toMatchObject({ versionId: TOKEN });
    expect(from.calls).toHaveLength(3);
    const ahead = Promise.resolve({ versionId: TOKEN, text: secretText() });
    await readPending(reading(store), ahead);
    expect(from.calls).toHaveLength(3);
  });

  it('is not waited for where no time is left for that', async () => {
    const from = secrets().put(TOKEN, secretText());
    from.hidden = 2;
    const deadline = new ManualDeadline(99);
    // The first pause is of 50 ms, the second of 100.
    const { code } = await refusal(readPending({ ...reading(from.store(TOKEN)), deadline }));
    expect(code).toBe('SECRET_HAS_NO_VALUE');
    expect(from.calls).toHaveLength(2);
    deadline.left = 100;
    from.hidden = 2;
    expect(await readPending({ ...reading(from.store(TOKEN)), deadline })).toMatchObject({ versionId: TOKEN });
  });

  it('is refused where it has lost its label', async () => {
    const from = secrets().put(TOKEN, secretText());
    from.label('AWSPENDING');
    expect(await refusal(readPending(reading(from.store(TOKEN))))).toMatchObject({
      code: 'VERSION_NOT_PENDING',
    });
  });

  it('that need not be there is none where it can not be used, and other failures are failures', async () => {
    const store = secrets().put('malformed', 'no JSON').store(TOKEN);
    expect(await tryRead(store, 'unlabelled', { versionId: 'gone' })).toBeUndefined();
    expect(await tryRead(store, 'unlabelled', { versionId: 'malformed' })).toBeUndefined();
    const denied = secrets();
    denied.before = () => {
      throw failure('SECRET_KEY_UNUSABLE');
    };
    expect(await refusal(tryRead(denied.store(TOKEN), 'previous', { stage: 'AWSPREVIOUS' }))).toMatchObject({
      code: 'SECRET_KEY_UNUSABLE',
    });
  });
});

describe('AWSCURRENT as DescribeSecret says', () => {
  it.each([0, 1, 4])('is found where the two disagree %d times', async (times) => {
    const from = secrets().put(V2, secretText({ password: 'newer' }), 'AWSCURRENT');
    const store = from.store(TOKEN);
    const state = await store.describe();
    from.stale = { versionId: V1, times };
    expect(await readDescribed(reading(store), state, await readCurrent(store))).toMatchObject({
      versionId: V2,
      source: 'current',
    });
    expect(from.calls.filter((call) => call === 'DescribeSecret')).toHaveLength(1 + times);
  });

  it('is given up where they go on, a bounded few times', async () => {
    const from = secrets().put(V2, secretText(), 'AWSCURRENT');
    const store = from.store(TOKEN);
    from.stale = { versionId: V1, times: 1_000 };
    expect(await readDescribed(reading(store), await store.describe(), await readCurrent(store))).toBeUndefined();
    expect(from.calls.length).toBeLessThan(12);
  });

  it('is found where it was DescribeSecret that was late', async () => {
    const from = secrets().put(V2, secretText(), 'AWSCURRENT');
    const state = { rotationEnabled: true, tags: {}, stages: { [V1]: ['AWSCURRENT'] } };
    const store = from.store(TOKEN);
    expect(await readDescribed(reading(store), state, await readCurrent(store))).toMatchObject({ versionId: V2 });
  });

  it('is nothing to go on with where the second answer says that the rotation was given up, or is over', async () => {
    const from = secrets();
    const store = from.store(TOKEN);
    const state = await store.describe();
    from.put(V2, secretText(), 'AWSCURRENT').label('AWSPENDING');
    await expect(readDescribed(reading(store), state, await readCurrent(store))).rejects.toMatchObject({
      code: 'VERSION_UNKNOWN',
    });
    from.put(TOKEN, secretText(), 'AWSCURRENT');
    expect(await readDescribed(reading(store), state, await readCurrent(store))).toBe('already-current');
  });
});

describe('earlier versions', () => {
  it('are read only when they are asked for', async () => {
    const from = secrets()
      .put('v0', secretText({ password: 'p' }), 'AWSPREVIOUS')
      .put('u1', secretText());
    const earlier = earlierOf(from);
    expect(from.calls).toEqual([]);
    expect(await all(earlier.previous())).toMatchObject([{ source: 'previous', versionId: 'v0' }]);
    expect(from.calls).toEqual(['GetSecretValue AWSPREVIOUS']);
    for await (const version of earlier.unlabelled()) {
      expect(version).toMatchObject({ source: 'unlabelled', versionId: 'u1' });
      break;
    }
    expect(from.calls.slice(1)).toEqual(['ListSecretVersionIds', 'GetSecretValue u1']);
  });

  it('of the rotation itself are read whatever has become of the label, and judged before use', async () => {
    const from = secrets().put(TOKEN, secretText({ password: 'own' }));
    from.label('AWSPENDING');
    expect(await all(earlierOf(from).own())).toMatchObject([{ source: 'pending', versionId: TOKEN }]);
    expect(from.calls).toEqual([`GetSecretValue ${TOKEN} AWSPENDING`, `GetSecretValue ${TOKEN}`]);
    const judged = earlierOf(from, () => Promise.reject(failure('PENDING_MISMATCH')));
    expect(await refusal(all(judged.own()))).toMatchObject({ code: 'PENDING_MISMATCH' });
  });

  it('of the rotation itself are asked for by the label alone that a policy may demand, as long as they have it', async () => {
    const from = secrets().put(TOKEN, secretText({ password: 'own' }));
    from.before = (call) => {
      if (call === `GetSecretValue ${TOKEN}`) throw failure('SECRET_ACCESS_DENIED');
    };
    const earlier = earlierOf(from);
    expect(await all(earlier.own())).toMatchObject([{ source: 'pending', versionId: TOKEN }]);
    expect(earlier.denied).toBe(false);
    const event = { step: 'createSecret', secretArn: ARN, versionId: TOKEN } as const;
    expect(await hasPendingValue({ event, store: from.store(TOKEN) })).toBe(true);
    from.label('AWSPENDING', V1);
    expect(await all(earlier.own())).toEqual([]);
    expect(earlier.denied).toBe(true);
  });

  it('are none of a rotation where none is under way, whose version nobody then reads', async () => {
    const from = secrets().put(TOKEN, secretText());
    expect(await all(earlierCredentials(from.store(TOKEN), undefined, async () => {}).own())).toEqual([]);
    expect(from.calls).toEqual([]);
  });

  it('are only those that hold a login', async () => {
    const from = secrets().put('u1', 'no JSON').put('u2', undefined).put('u3', secretText());
    expect(await all(earlierOf(from).unlabelled())).toMatchObject([{ versionId: 'u3' }]);
  });

  it("are none of the rotation's own by another label", async () => {
    const from = secrets().put(TOKEN, secretText(), 'AWSPREVIOUS');
    expect(await all(earlierOf(from).previous())).toEqual([]);
  });

  it('are none where they may not be listed, which is known then', async () => {
    const from = secrets().put('u1', secretText());
    from.mayList = false;
    const earlier = earlierOf(from);
    expect(earlier.denied).toBe(false);
    expect(await all(earlier.unlabelled())).toEqual([]);
    expect(earlier.denied).toBe(true);
  });
});

describe('an earlier version that may not be read', () => {
  const KEYS = ['SECRET_ACCESS_DENIED', 'SECRET_KEY_UNUSABLE'] as const;
  const four = () =>
    new FakeSecrets()
      .put('u1', secretText())
      .put('u2', secretText())
      .put(V1, secretText(), 'AWSPREVIOUS')
      .put(TOKEN, secretText(), 'AWSPENDING');

  it.each(KEYS)('is passed over, which is known then: %s', async (code) => {
    for (const [read, source] of [
      [TOKEN, 'own'],
      ['AWSPREVIOUS', 'previous'],
      ['u2', 'unlabelled'],
    ] as const) {
      const from = four();
      from.before = (call) => {
        if (call.startsWith(`GetSecretValue ${read}`)) throw failure(code);
      };
      const earlier = earlierOf(from);
      expect((await all(earlier[source]())).map(({ versionId }) => versionId)).toEqual(
        source === 'unlabelled' ? ['u1'] : [],
      );
      expect(earlier.denied).toBe(true);
      await all(earlier.unlabelled());
      expect(earlier.denied).toBe(true);
    }
  });

  it('is passed over as the last login of an instance too', async () => {
    const from = four();
    from.before = () => {
      throw failure('SECRET_ACCESS_DENIED');
    };
    expect(await tryCandidate(from.store(TOKEN), 'previous', { versionId: V1 })).toBeUndefined();
  });

  it.each([
    'SECRETS_MANAGER_UNREACHABLE',
    'SECRETS_MANAGER_THROTTLED',
    'SECRETS_MANAGER_TIMEOUT',
  ] as const)('is no reason to go on where nothing can be read now: %s', async (code) => {
    const from = four();
    from.before = () => {
      throw failure(code);
    };
    for (const source of ['own', 'previous', 'unlabelled'] as const)
      expect(await refusal(all(earlierOf(from)[source]()))).toMatchObject({ code });
  });
});

describe('the passwords that a database may still have', () => {
  const current = credentialOf('current', V1, { ssl: true, dbname: 'shop' });
  const ALL: readonly Source[] = ['own', 'previous', 'unlabelled'];
  const text = (members: object) => secretText({ ssl: true, dbname: 'shop', ...members });
  const of = (from: FakeSecrets, options: { from?: readonly Source[]; username?: string; seen?: Credential[] } = {}) =>
    all(candidates({ earlier: earlierOf(from) }, current, { username: 'app', from: ALL, seen: [current], ...options }));

  it('are one for each password, in the order of their sources', async () => {
    const from = secrets()
      .put(TOKEN, text({ password: 'a' }))
      .put('v0', text({ password: 'b' }), 'AWSPREVIOUS');
    for (const [i, password] of ['c', 'a', 'old', 'd', 'c', 'b'].entries()) from.put(`u${i}`, text({ password }));
    const found = await of(from);
    expect(found.map(({ source, secret }) => `${source} ${secret.password.reveal()}`)).toEqual([
      ...['pending a', 'previous b', 'unlabelled c', 'unlabelled d'],
    ]);
    expect((await of(from, { from: ['previous', 'own'] })).map(({ source }) => source)).toEqual([
      'previous',
      'pending',
    ]);
  });

  it('are five of those without a label, however many follow', async () => {
    const from = secrets();
    for (let i = 0; i < 40; i++) from.put(`u${i}`, text({ password: `p${i % 9}` }));
    expect(await of(from)).toHaveLength(5);
  });

  it('are of the asked user, on the very server, and go there as the current version says', async () => {
    const from = secrets()
      .put('u1', text({ username: 'other', password: 'a' }))
      .put('u2', text({ host: 'elsewhere', password: 'b' }))
      .put('u3', text({ port: 1, password: 'c' }))
      .put('u4', text({ host: 'DB', port: '5432', ssl: false, password: 'd' }));
    const [only, ...more] = await of(from);
    expect(more).toEqual([]);
    expect(only?.secret).toMatchObject({ host: 'db', ssl: true, dbname: 'shop', username: 'app' });
    expect(only?.secret.password.reveal()).toBe('d');
    expect((await of(from, { username: 'other' })).map(({ versionId }) => versionId)).toEqual(['u1']);
  });

  const url = (password: string, host = 'db') => `postgres://app:${password}@${host}/shop`;
  it.each<[string, object, object]>([
    ['another database', {}, { dbname: 'mallory' }],
    ['another name in the certificate', {}, { sslhostname: 'evil.test' }],
    ['plain text', {}, { ssl: false }],
    ['plain text, maybe', {}, { ssl: undefined }],
    ['plain text, where nothing was said', { ssl: undefined }, { ssl: false }],
    ['another kind of server', { port: 5432 }, { engine: 'redshift', port: 5432 }],
    ['a connection string to another host', { url: url('p') }, { url: url('x', 'evil.test') }],
    ['a URL without a login', { url: 'postgres://db/shop' }, { url: 'postgres://evil.test/shop' }],
    ['a URL where there was none', {}, { url: 'jdbc:aws-wrapper:postgresql://evil.test/shop' }],
    ['keywords without a login', { dsn: 'host=db' }, { dsn: 'port=5432 host = evil.test' }],
  ])('do not go to %s, unless who wrote AWSCURRENT knew the password of before', async (_, then, now) => {
    const written = credentialOf('current', V1, { ssl: true, dbname: 'shop', ...now, password: 'x' });
    const found = async (from: FakeSecrets) =>
      await all(candidates({ earlier: earlierOf(from) }, written, { username: 'app', from: ALL, seen: [written] }));
    const guessed = secrets().put('v0', text({ ...then, password: 'p' }), 'AWSPREVIOUS');
    expect(await found(guessed)).toEqual([]);
    expect(await found(secrets().put('u1', text({ ...then, password: 'p' })))).toEqual([]);
    const known = secrets()
      .put('v0', text({ password: 'x' }), 'AWSPREVIOUS')
      .put('u1', text({ ...then, password: 'p' }));
    expect(await found(known)).toMatchObject([{ versionId: 'u1' }]);
    const invented = secrets()
      .put('u1', text({ ...then, password: 'p' }))
      .put('v0', text({ password: 'x' }), 'AWSPREVIOUS');
    expect(await found(invented)).toEqual([]);
  });

  it('go where AWSCURRENT says beside a connection string that is as it was, and others that are none', async () => {
    const same = { url: 'jdbc:postgresql://db/shop' };
    const written = credentialOf('current', V1, { ssl: true, dbname: 'shop', ...same, note: 'by hand', password: 'x' });
    const from = secrets().put('v0', text({ ...same, password: 'p' }), 'AWSPREVIOUS');
    const found = candidates({ earlier: earlierOf(from) }, written, { username: 'app', from: ALL, seen: [written] });
    expect(await all(found)).toMatchObject([{ versionId: 'v0' }]);
  });

  it('go where a copy of the login leads to that was rewritten with it', async () => {
    const written = credentialOf('current', V1, { ssl: true, dbname: 'shop', url: url('x'), password: 'x' });
    const from = secrets().put('v0', text({ url: url('p'), password: 'p' }), 'AWSPREVIOUS');
    const found = candidates({ earlier: earlierOf(from) }, written, { username: 'app', from: ALL, seen: [written] });
    expect(await all(found)).toMatchObject([{ versionId: 'v0' }]);
  });

  it('keep their own label and id', () => {
    const other = credentialOf('previous', 'v0', { password: 'p', ssl: false });
    expect(onServerOf(current, other)).toMatchObject({ source: 'previous', versionId: 'v0', secret: { ssl: true } });
  });
});
