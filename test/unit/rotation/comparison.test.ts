import { describe, expect, it } from 'vitest';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import { FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');

/** A rotation that has got as far as testSecret, and whose instance knows what it compared. */
async function tested(): Promise<FakeRotation> {
  const rotation = new FakeRotation();
  await rotation.run('testSecret');
  rotation.secrets.calls.length = 0;
  return rotation;
}

describe('a pending version that createSecret would not make of the current one', () => {
  it('is refused in words that name what differs, but no value', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(TOKEN, secretText({ password: 'new', dbname: 'theirs', note: 'mine' }));
    const { message, remedy } = await refusal(rotation.step('setSecret'));
    expect(message).toMatch(
      /^The pending version must be what createSecret makes .* differs from it in "dbname", "note",/,
    );
    expect(message).toMatch(/and it is another for app at db:5432; AWSCURRENT logs in\.$/);
    expect(message).not.toMatch(/theirs|mine/);
    expect(remedy).toMatch(/^aws .* --version-stage AWSPENDING .*; then rotate again/);
  });

  it.each<[RotationErrorCode, string]>([
    ['DATABASE_UNREACHABLE', ''],
    ['LOGIN_FORBIDDEN', '; AWSCURRENT does not log in now'],
  ])('is refused without a word on AWSCURRENT that nobody could see: %s', async (code, told) => {
    const rotation = new FakeRotation();
    rotation.secrets.put(TOKEN, secretText({ password: 'new', note: 'mine' }));
    rotation.server.refuseAll(failure(code));
    const { message } = await refusal(rotation.step('setSecret'));
    const waiting = told === '' ? ', after .* of waiting \\(DATABASE_UNREACHABLE\\)' : '';
    expect(message).toMatch(new RegExp(`and it is another for app at db:5432${told}${waiting}\\.$`));
  });

  it('costs an AWSCURRENT that is refused one login, where nothing could be set', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(TOKEN, secretText({ password: 'new', note: 'mine' }));
    await rotation.server.setByHand('app', 'by hand');
    expect((await refusal(rotation.step('setSecret'))).message).toMatch(/; AWSCURRENT does not log in now\.$/);
    expect(only(rotation.server.events, 'login current')).toHaveLength(1);
  });

  it('is refused for its user before its other keys', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(TOKEN, secretText({ username: 'other', note: 'mine' }));
    expect((await refusal(rotation.step('setSecret'))).message).not.toContain('note');
  });
});

describe('an AWSCURRENT that was edited since it was compared', () => {
  it('is promoted over where its password is the same, which a look at the compared one tells', async () => {
    const rotation = await tested();
    // Nothing that the pending version lacks, in other words.
    rotation.edit(V2, { password: 'old' });
    expect(await rotation.step('finishSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.secrets.calls, `GetSecretValue ${V1}`)).toHaveLength(1);
  });

  it.each<[string, (rotation: FakeRotation) => void]>([
    ['its password is another', (rotation) => rotation.edit(V2, { password: 'by hand' })],
    [
      'what was compared can not be read any more',
      (rotation) => {
        rotation.edit(V2, { password: 'old' });
        rotation.secrets.before = (call) => {
          if (call.endsWith(V1)) throw failure('SECRET_MALFORMED');
        };
      },
    ],
  ])('stays where %s', async (_, act) => {
    const rotation = await tested();
    act(rotation);
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({
      code: 'PENDING_MISMATCH',
      message: expect.stringContaining('whose password was edited'),
    });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V2);
  });

  it('is nothing to look into where it was put back meanwhile', async () => {
    const rotation = await tested();
    rotation.edit(V2, { password: 'by hand' });
    rotation.secrets.before = (call) => {
      if (call === 'GetSecretValue AWSCURRENT') rotation.secrets.label('AWSCURRENT', V1);
    };
    expect(await rotation.step('finishSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.secrets.calls, `GetSecretValue ${V1}`)).toEqual([]);
  });
});
