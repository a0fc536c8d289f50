import { describe, expect, it } from 'vitest';
import { hasPendingValue, keptCopies, storeNewValue } from '../../../shared/rotation/new-value.ts';
import { differences } from '../../../shared/secret/copies.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { Password } from '../../../shared/secret/password.ts';
import { ARN, credentialOf, FakeRotation, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';

const URL = 'postgres://app:old@db/shop';

function inputOf(rotation: FakeRotation, connectionStringKeys: readonly string[]) {
  return {
    event: { step: 'createSecret', secretArn: ARN, versionId: TOKEN } as const,
    store: rotation.secrets.store(TOKEN),
    connectionStringKeys,
    newPassword: () => new Password('new'),
  };
}

describe('the new value', () => {
  it('has the listed keys rewritten, passes over those that are absent or null, and keeps the others', async () => {
    const members = { DATABASE_URL: URL, other: URL, none: null };
    const input = inputOf(new FakeRotation(), ['DATABASE_URL', 'none', 'absent']);
    expect(await storeNewValue(input, credentialOf('current', V1, members), 'app_clone')).toBe('stored');
    const stored = JSON.parse((await input.store.read({ versionId: TOKEN }))?.text ?? '');
    expect(stored).toEqual({
      ...JSON.parse(secretText({ ...members, username: 'app_clone', password: 'new' })),
      DATABASE_URL: 'postgres://app_clone:new@db/shop',
    });
  });

  it('is not stored where a listed key holds something else', async () => {
    const input = inputOf(new FakeRotation(), ['DATABASE_URL']);
    const current = credentialOf('current', V1, { DATABASE_URL: 'postgres://app:older@db/shop' });
    await expect(storeNewValue(input, current, 'app')).rejects.toMatchObject({
      code: 'SECRET_MALFORMED',
      facts: { key: 'DATABASE_URL' },
    });
    expect(await hasPendingValue(input)).toBe(false);
  });

  it('is what an earlier attempt has stored, though the list has changed since to one that does not fit', async () => {
    const rotation = new FakeRotation();
    const current = credentialOf('current', V1, { DATABASE_URL: 'postgres://app:older@db/shop' });
    expect(await storeNewValue(inputOf(rotation, []), current, 'app')).toBe('stored');
    expect(await storeNewValue(inputOf(rotation, ['DATABASE_URL']), current, 'app')).toBe('already-stored');
  });

  it('is told of by the keys that are kept with the former password', () => {
    const current = credentialOf('current', V1, { DATABASE_URL: URL, listed: URL, text: 'old hat' });
    expect(keptCopies(inputOf(new FakeRotation(), ['listed']), current).notice).toContain('"DATABASE_URL";');
    expect(keptCopies(inputOf(new FakeRotation(), []), current).notice).toContain(': "DATABASE_URL", "listed"; see');
    expect(keptCopies(inputOf(new FakeRotation(), ['listed', 'DATABASE_URL']), current)).toEqual({});
  });
});

describe('the comparison of the pending version with the current one', () => {
  const next = { username: 'app_clone', password: 'new' };
  const differing = (from: object, to: object) =>
    differences(parseDatabaseSecret(secretText({ ...from })), parseDatabaseSecret(secretText({ ...next, ...to })));

  it.each([
    ['rewritten', { u: URL }, { u: 'postgres://app_clone:new@db/shop' }, []],
    ['not rewritten', { u: URL }, { u: URL }, []],
    ['rewritten to another login', { u: URL }, { u: 'postgres://app_clone:newer@db/shop' }, ['u']],
    ['rewritten, and more', { u: URL }, { u: 'postgres://app_clone:new@evil/shop' }, ['u']],
    ['gone', { u: URL }, {}, ['u']],
    ['new', {}, { u: URL }, ['u']],
    ['another text', { u: 'a' }, { u: 'b' }, ['u']],
    ['the bare password', { u: 'old' }, { u: 'new' }, []],
    ['one that all objects have', {}, JSON.parse('{"__proto__":{}}'), ['__proto__']],
  ])('takes a key that is %s for what it is', (_, from, to, keys) => {
    expect(differing(from, to)).toEqual(keys);
  });

  it.each([
    ['12345678901234567890', '12345678901234567890', true],
    ['12345678901234567890', '12345678901234567891', false],
    ['-9007199254740993', '-9007199254740992', false],
    ['{"a":[9007199254740993]}', '{ "a": [ 9007199254740993 ] }', true],
    ['{"a":[9007199254740993]}', '{"a":[9007199254740994]}', false],
    ['"12345678901234567890"', '12345678901234567890', false],
    // As Python writes them anew.
    ['1E2', '100.0', true],
    ['0.1234567890123456789', '0.12345678901234568', true],
    ['"\\"12345678901234567890, 1"', '"\\"12345678901234567890, 1"', true],
  ])('takes %s and %s for the same: %s', (from, to, same) => {
    const textOf = (value: string) => secretText({ n: 'here' }).replace('"here"', () => value);
    const [left, right] = [from, to].map((value) => parseDatabaseSecret(textOf(value)));
    expect(left && right && differences(left, right)).toEqual(same ? [] : ['n']);
  });
});
