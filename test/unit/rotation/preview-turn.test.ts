import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import type { UserFacts } from '../../../shared/rotation/ports.ts';
import { previewTurn } from '../../../shared/rotation/preview-turn.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { FakeRotation, only, refusal, secretText } from '../../support/fake-rotation.ts';
import { failure, LINKED } from '../../support/fake-server.ts';

const V0 = 'v0'.padEnd(36, '-');
const TWIN: Partial<UserFacts> = { actsAs: 'app', namesake: 'app', namesakeActsAs: 'app', asTwin: LINKED };
const MEMBER = { ...LINKED, setToBase: false };

/** What the next turn of a secret in memory would be. */
function preview(rotation: FakeRotation, admin = 'admin') {
  const secret = parseDatabaseSecret(secretText({ username: 'admin', password: admin }));
  return previewTurn(
    rotation.credential('AWSCURRENT'),
    { source: 'superuser', versionId: 'admin', secret },
    {
      database: rotation.database,
      superusers: { read: () => Promise.reject(failure('UNEXPECTED')), isRotating: async () => false },
      versions: rotation.secrets.store(''),
      deadline: rotation.deadline,
    },
  );
}

describe('the next turn', () => {
  it('is that of a twin that is yet to be made', async () => {
    const rotation = new FakeRotation(alternatingUsers, { dbname: 'shop' });
    expect(await preview(rotation)).toEqual({
      accepted: true,
      value: {
        base: 'app',
        twin: 'app_clone',
        username: 'app_clone',
        exists: false,
        statements: 4,
        actsAsItself: false,
      },
    });
    expect(rotation.server.events).toEqual([
      'login current',
      'describe app',
      'login superuser',
      'preview app_clone for app_clone in shop',
    ]);
  });

  it("is the base role's where the twin is current", async () => {
    const rotation = new FakeRotation(alternatingUsers, { username: 'app_clone' });
    rotation.server.role('app_clone', 'old', TWIN);
    expect(await preview(rotation)).toMatchObject({
      value: { base: 'app', twin: 'app_clone', username: 'app', exists: true },
    });
  });

  it("is proven by a login with an earlier password, where the setting does not prove it, and by no rotation's own", async () => {
    const rotation = new FakeRotation(alternatingUsers);
    rotation.server.role('app', 'old', { twin: MEMBER }).role('app_clone', 'theirs', { asTwin: MEMBER });
    expect(await refusal(preview(rotation))).toMatchObject({ code: 'TWIN_NOT_LINKED' });
    const before = rotation.secrets.calls.length;
    rotation.secrets.put(V0, secretText({ username: 'app_clone', password: 'theirs' }), 'AWSPREVIOUS');
    expect(await preview(rotation)).toMatchObject({ accepted: true, value: { exists: true } });
    expect(rotation.secrets.calls.slice(before)).toEqual(['GetSecretValue AWSPREVIOUS']);
  });

  it('is not looked at as an administrator whose login is refused', async () => {
    const rotation = new FakeRotation(alternatingUsers);
    expect(await preview(rotation, 'wrong')).toMatchObject({ accepted: false });
    expect(only(rotation.server.events, 'preview')).toEqual([]);
  });

  it('is refused as a rotation would be, before the administrator logs in', async () => {
    const rotation = new FakeRotation(alternatingUsers);
    rotation.server.role('app', 'old', { superuser: true });
    expect(await refusal(preview(rotation))).toMatchObject({ code: 'APPLICATION_USER_IS_SUPERUSER' });
    expect(only(rotation.server.events, 'login')).toEqual(['login current']);
  });

  it('is not waited for: whoever asks wants to know what is wrong now', async () => {
    const rotation = new FakeRotation(alternatingUsers);
    rotation.server.refuseAll(failure('DATABASE_UNREACHABLE'));
    expect(await refusal(preview(rotation))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(only(rotation.server.events, 'login')).toHaveLength(1);
  });
});
