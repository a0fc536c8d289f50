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
  ])('takes a key that is %s for what it is', (_, from, to, keys) => {
    expect(differing(from, to)).toEqual(keys);
  });
});
