import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** `text` filled up to so many bytes together with the scope's prefix. */
function filled(prefix: string, bytes: number, text: string, last = ''): string {
  const room = bytes - Buffer.byteLength(prefix + last);
  return text.repeat(Math.ceil(room / Buffer.byteLength(text))).slice(0, Math.floor(room / Buffer.byteLength(text)));
}

describe('on the newest PostgreSQL', () => {
  test.each([
    'Capital Letters and spaces ',
    `quote's "double" quotes`,
    String.raw`back\slash`,
    '50%',
    '100%%x',
    '%s %L %I',
    'ünïcode λ 火',
    '$1; DROP ROLE x; --',
    'under_score_cl',
    'percent_clon_',
    'group',
  ])('a user named %s has a twin and takes turns with it', async (text) => {
    await using scope = roleScope(await sharedServer());
    const app = await twins(account, scope, { name: scope.name(text) });

    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.twin, current: app.base.name });
    await app.rotate();
    expect(await app.identity()).toEqual({ session: app.base.name, current: app.base.name });
  });

  test.each(['a', 'é', '火'])('a name of 57 bytes ending in %s has a twin of 63', async (last) => {
    await using scope = roleScope(await sharedServer());
    const name = `${scope.prefix}${filled(scope.prefix, 57, 'n', last)}${last}`;
    expect(Buffer.byteLength(name)).toBe(57);
    const app = await twins(account, scope, { name });

    await app.rotate();
    expect(await app.identity()).toEqual({ session: `${name}_clone`, current: name });
    await app.rotate();
    await app.rotate();
  });

  test.each([
    [58, 'a'],
    [58, 'é'],
    [63, '火'],
  ])('a name of %i bytes ending in %s has none, and says so before a version is stored', async (bytes, last) => {
    await using scope = roleScope(await sharedServer());
    const name = `${scope.prefix}${filled(scope.prefix, bytes, 'n', last)}${last}`;
    expect(Buffer.byteLength(name)).toBe(bytes);
    const app = await twins(account, scope, { name });

    expect(await app.refused('TWIN_NAME_TOO_LONG')).toMatchObject({ step: 'createSecret', username: name });

    expect(app.secret.calls.map(({ operation }) => operation)).not.toContain('PutSecretValue');
  });
});
