import { describe, expect, it, vi } from 'vitest';
import { RotationError, type RotationErrorCode } from '../../../shared/errors.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import type { SecretDescription } from '../../../shared/rotation/ports.ts';
import { moveLabel, NO_ANSWER_AFTER, promoteNow } from '../../../shared/rotation/promote-early.ts';
import { FakeRotation, only, refusal, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');
const MOVE = 'UpdateSecretVersionStage';

/** A rotation of a single user that has come to setSecret. */
async function atSetSecret(): Promise<FakeRotation> {
  const rotation = new FakeRotation();
  rotation.promoteEarly = true;
  await rotation.step('createSecret');
  rotation.secrets.calls.length = 0;
  return rotation;
}

/** Something happens to a call of setSecret that comes after the new password was proven; of those the first. */
function atCall({ secrets, server }: FakeRotation, call: string, act: () => Promise<void> | void): void {
  let isDone = false;
  secrets.before = async (made) => {
    if (isDone || !made.startsWith(call) || !server.events.includes('confirm')) return;
    isDone = true;
    await act();
  };
}

const fails = (code: RotationErrorCode) => () => {
  throw failure(code);
};

function expectPutBack(rotation: FakeRotation): void {
  expect(rotation.server.passwordOf('app')).toBe('old');
  expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
}

/** Applications read the new password, which is in force; what remains finds nothing to do. */
async function expectMoved(rotation: FakeRotation): Promise<void> {
  expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
  expect(rotation.server.passwordOf('app')).toBe('new-1');
  for (const instance of [rotation, rotation.beside()])
    for (const step of ['createSecret', 'finishSecret'] as const)
      expect(await instance.step(step)).toEqual({ outcome: 'already-current' });
  expect(await rotation.beside().step('testSecret')).toEqual({ outcome: 'already-current' });
}

describe('setSecret moves AWSCURRENT as soon as the new password was proven', () => {
  it('after one more look, and by one call', async () => {
    const rotation = await atSetSecret();
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'current', promoted: true });
    expect(only(rotation.secrets.calls, 'GetSecretValue')).toHaveLength(2);
    expect(rotation.secrets.calls.slice(2)).toEqual(['DescribeSecret', 'DescribeSecret', MOVE]);
    expect(await rotation.step('testSecret')).toEqual({ outcome: 'done', credential: 'pending' });
    await expectMoved(rotation);
  });

  it('while it holds the lock of the role', async () => {
    const rotation = await atSetSecret();
    let wasLocked = false;
    atCall(rotation, MOVE, () => {
      wasLocked = rotation.server.isLocked('app');
    });
    await rotation.step('setSecret');
    expect(wasLocked).toBe(true);
  });

  it('and so does the next attempt, where one got as far as the database', async () => {
    const rotation = await atSetSecret();
    rotation.server.role('app', 'new-1');
    expect(await rotation.step('setSecret')).toEqual({
      outcome: 'already-done',
      credential: 'pending',
      promoted: true,
    });
    await expectMoved(rotation);
  });

  it('and leaves it where it is unless it is told to', async () => {
    const rotation = await atSetSecret();
    rotation.promoteEarly = false;
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'current' });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
  });

  it('but never that of alternating users', async () => {
    const rotation = new FakeRotation(alternatingUsers);
    rotation.promoteEarly = true;
    await rotation.run('testSecret');
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
  });
});

describe('where that is refused, the former password is put back', () => {
  it.each<[string, RotationErrorCode]>([
    [MOVE, 'SECRET_ACCESS_DENIED'],
    [MOVE, 'SECRETS_MANAGER_THROTTLED'],
    [MOVE, 'SECRETS_MANAGER_FAILED'],
    ['DescribeSecret', 'SECRETS_MANAGER_TIMEOUT'],
    ['DescribeSecret', 'SECRET_ACCESS_DENIED'],
  ])('%s: %s', async (call, code) => {
    const rotation = await atSetSecret();
    atCall(rotation, call, fails(code));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_PUT_BACK',
      message: expect.stringMatching(`^AWSCURRENT had to be moved .*\\(${code}: .*\\); .*AWSCURRENT logs in again\\.$`),
      facts: { cause: code },
    });
    expectPutBack(rotation);
    // The service's next attempt succeeds.
    await rotation.anew().run();
    await expectMoved(rotation);
  });

  it.each<[string, RotationErrorCode, (rotation: FakeRotation) => void]>([
    ['was cancelled', 'ROTATION_NOT_ENABLED', ({ secrets }) => secrets.disable()],
    ['has lost AWSPENDING', 'VERSION_UNKNOWN', ({ secrets }) => secrets.label('AWSPENDING')],
    ['was made of what was edited since', 'LABEL_MOVED', (rotation) => rotation.edit(V2, { note: 'mine' })],
  ])('a rotation that %s', async (_, code, act) => {
    const rotation = await atSetSecret();
    atCall(rotation, 'DescribeSecret', () => act(rotation));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_PUT_BACK',
      facts: { cause: code },
    });
    expect(rotation.server.passwordOf('app')).toBe('old');
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('an edit between the look and the move', async () => {
    const rotation = await atSetSecret();
    atCall(rotation, MOVE, () => rotation.edit(V2, { note: 'mine' }));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_PUT_BACK',
      facts: { cause: 'LABEL_MOVED' },
    });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V2);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('but not over what somebody has set and stored meanwhile: the step begins anew with that', async () => {
    const rotation = await atSetSecret();
    atCall(rotation, MOVE, () => {
      rotation.server.role('app', 'by hand');
      rotation.edit(V2, { password: 'by hand' });
    });
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: true });
    expect(only(rotation.server.events, 'way back')).toEqual([]);
    expect(rotation.secrets.with('AWSPREVIOUS')).toBe(V2);
    await expectMoved(rotation);
  });
});

it.each<RotationErrorCode>([
  'SECRET_ACCESS_DENIED',
  'SECRETS_MANAGER_THROTTLED',
  'SECRETS_MANAGER_TIMEOUT',
])('where an earlier attempt got as far as the database, it is told which password is in force: %s', async (code) => {
  const rotation = await atSetSecret();
  rotation.server.role('app', 'new-1');
  rotation.secrets.before = (call) => {
    if (call === MOVE) throw failure(code);
  };
  expect(await refusal(rotation.step('setSecret'))).toMatchObject({
    code: 'PASSWORD_NOT_PUT_BACK',
    message: expect.stringMatching(/^AWSCURRENT had to be moved .*in force already\)\.$/),
    remedy: expect.stringMatching(
      /The database has the password of AWSPENDING: .*set the password that AWSCURRENT holds/,
    ),
    facts: { cause: code },
  });
  expect(rotation.server.passwordOf('app')).toBe('new-1');
  rotation.secrets.before = () => {};
  await rotation.anew().run();
  await expectMoved(rotation);
});

describe('where its answer is lost', () => {
  it.each<RotationErrorCode>([
    'SECRETS_MANAGER_TIMEOUT',
    'SECRETS_MANAGER_UNREACHABLE',
    'SECRETS_MANAGER_FAILED',
  ])('a look finds that it was moved: %s', async (code) => {
    const rotation = await atSetSecret();
    atCall(rotation, MOVE, () => {
      rotation.secrets.label('AWSCURRENT', TOKEN);
      throw failure(code);
    });
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: true });
    await expectMoved(rotation);
  });

  it('the new password stays where it may be moved yet', async () => {
    const rotation = await atSetSecret();
    atCall(rotation, MOVE, fails('SECRETS_MANAGER_TIMEOUT'));
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({
      code: 'PASSWORD_NOT_PUT_BACK',
      message: expect.stringMatching(/^AWSCURRENT had to be moved .*could not be seen\)\.$/),
      facts: { cause: 'SECRETS_MANAGER_TIMEOUT' },
    });
    expect(rotation.server.passwordOf('app')).toBe('new-1');
    // As late as this: nobody is locked out by it.
    rotation.secrets.label('AWSCURRENT', TOKEN);
    await expectMoved(rotation);
  });

  it.each<RotationErrorCode>([
    'SECRETS_MANAGER_TIMEOUT',
    'SECRETS_MANAGER_FAILED',
  ])('the new password stays where a look gets no answer either: %s', async (code) => {
    const rotation = await atSetSecret();
    let isSent = false;
    rotation.secrets.before = (call) => {
      isSent ||= call.startsWith(MOVE);
      if (isSent) throw failure(code);
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_NOT_PUT_BACK' });
    expect(rotation.server.passwordOf('app')).toBe('new-1');
    rotation.secrets.before = () => {};
    await rotation.anew().run();
    await expectMoved(rotation);
  });

  it('somebody else may have finished the rotation meanwhile, which counts it', async () => {
    const rotation = await atSetSecret();
    atCall(rotation, MOVE, () => rotation.secrets.label('AWSCURRENT', TOKEN));
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: false });
    await expectMoved(rotation);
  });
});

describe('where DescribeSecret is a moment behind the move', () => {
  /** Once the label was moved, it goes on showing what was there before, for so many times. @returns ends that. */
  function lagging({ secrets }: FakeRotation, times: number, answer: 'moved-before' | RotationErrorCode): () => void {
    const store = secrets.store.bind(secrets);
    let left = times;
    let former: SecretDescription | undefined;
    secrets.store = (token) => {
      const inner = store(token);
      return {
        ...inner,
        describe: async () => {
          const state = await inner.describe();
          return former !== undefined && left-- > 0 ? former : state;
        },
        promotePending: async (from) => {
          former = await inner.describe();
          await inner.promotePending(from);
          if (answer === 'moved-before') return answer;
          throw failure(answer);
        },
      };
    };
    return () => {
      left = 0;
    };
  }

  it.each(['moved-before', 'SECRETS_MANAGER_FAILED'] as const)('it is asked again: %s', async (answer) => {
    const rotation = await atSetSecret();
    lagging(rotation, 2, answer);
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: true });
    await expectMoved(rotation);
  });

  it('the new password stays where the label has left its version by the answer, and not by any look', async () => {
    const rotation = await atSetSecret();
    const end = lagging(rotation, 99, 'moved-before');
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_NOT_PUT_BACK',
      facts: { cause: 'LABEL_MOVED' },
    });
    end();
    await expectMoved(rotation);
  });
});

it('what somebody else has finished while the look got no answer is not counted twice', async () => {
  const rotation = await atSetSecret();
  atCall(rotation, 'DescribeSecret', () => {
    rotation.secrets.label('AWSCURRENT', TOKEN);
    throw failure('SECRETS_MANAGER_TIMEOUT');
  });
  expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: false });
  await expectMoved(rotation);
});

it('a look that is a moment behind is made again', async () => {
  const rotation = await atSetSecret();
  atCall(rotation, 'DescribeSecret', fails('VERSION_UNKNOWN'));
  expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: true });
  await expectMoved(rotation);
});

it('a look that takes long leaves AWSCURRENT refused for three seconds at most', async () => {
  const promotion = await promoteNow(
    { guard: () => new Promise(() => {}), whereabouts: () => Promise.reject(failure('SECRETS_MANAGER_TIMEOUT')) },
    () => Promise.reject(new Error('Nothing was to be moved.')),
    20_000,
  );
  expect(promotion).toMatchObject({ sent: 'no', failed: { code: 'SECRETS_MANAGER_TIMEOUT' } });
}, 15_000);

describe('the move of the label', () => {
  const seen = (promoted: boolean) => ({
    whereabouts: () => Promise.resolve({ promoted, isMoved: promoted, others: [] }),
  });
  const moves = (answer: Promised) => async () => await answer;
  type Promised = 'promoted' | 'label-moved' | 'moved-before' | Promise<never>;

  it.each<[string, Promised, boolean, object]>([
    ['was made by a try before, whose answer was lost', 'moved-before', true, { moved: 'promoted' }],
    ['was not', 'moved-before', false, { failed: { code: 'LABEL_MOVED' }, sent: 'elsewhere' }],
    ['is refused', 'label-moved', true, { failed: { code: 'LABEL_MOVED' }, sent: 'elsewhere' }],
  ])('that %s', async (_, answer, promoted, expected) => {
    expect(await moveLabel(seen(promoted), moves(answer), 1_000)).toMatchObject(expected);
  });

  it('may come yet where all of its tries took so long that one of them got no answer', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValueOnce(NO_ANSWER_AFTER);
    try {
      const refused = Promise.reject(failure('SECRETS_MANAGER_FAILED'));
      expect(await moveLabel(seen(false), moves(refused), 20_000)).toMatchObject({ sent: 'open' });
    } finally {
      clock.mockRestore();
    }
  });
});

it('nothing is changed where there is no time for the move and the way back', async () => {
  const rotation = await atSetSecret();
  rotation.deadline.left = 4_400;
  const error = await refusal(rotation.step('setSecret'));
  expect(error).toBeInstanceOf(RotationError);
  expect(error.message).toMatch(/^4500 ms were needed/);
  expectPutBack(rotation);
});

it('a call that gets no answer leaves the time of the way back', async () => {
  const rotation = await atSetSecret();
  let answer = () => {};
  rotation.server.before = (event) => {
    if (event === 'change') rotation.deadline.left = 3_100;
  };
  atCall(rotation, 'DescribeSecret', () => new Promise<void>((resolve) => (answer = resolve)));
  expect(await refusal(rotation.step('setSecret'))).toMatchObject({
    code: 'PASSWORD_PUT_BACK',
    facts: { cause: 'SECRETS_MANAGER_TIMEOUT' },
  });
  expectPutBack(rotation);
  const before = rotation.secrets.calls.length;
  answer();
  await Promise.resolve();
  expect(rotation.secrets.calls.slice(before)).not.toContain(MOVE);
  expectPutBack(rotation);
});
