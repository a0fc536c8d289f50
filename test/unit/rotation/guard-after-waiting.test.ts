import { describe, expect, it, vi } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const [B, HAND, AGAIN] = ['b', 'hand', 'again'].map((name) => name.padEnd(36, '-')) as [string, string, string];

/** The first logins of the next step are cut, and what happens while it waits. */
function waits(rotation: FakeRotation, act: () => void, times = 2): void {
  let cut = 0;
  rotation.server.meets = () => (cut++ < times ? { fails: failure('DATABASE_CONNECTION_LOST') } : undefined);
  let isDone = false;
  rotation.meanwhile = () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}

const cancelled = (rotation: FakeRotation) => rotation.secrets.disable();
const takenOff = (rotation: FakeRotation) => rotation.secrets.label('AWSPENDING');
const replaced = (rotation: FakeRotation) => rotation.begin(B);

describe.each([
  singleUser,
  alternatingUsers,
])('a step that has waited for a login asks the guard again: $name', (strategy) => {
  it.each([
    ['cancelled', 'ROTATION_NOT_ENABLED', cancelled],
    ['taken off', 'VERSION_UNKNOWN', takenOff],
    ['replaced', 'VERSION_UNKNOWN', replaced],
  ])('createSecret, meanwhile %s, stores nothing', async (_, code, act) => {
    const rotation = new FakeRotation(strategy);
    waits(rotation, () => act(rotation));
    const holder = act === replaced ? B : undefined;
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code });
    expect(rotation.secrets.calls).not.toContain('PutSecretValue');
    if (holder !== undefined) expect(rotation.secrets.with('AWSPENDING')).toBe(holder);
  });

  it('createSecret makes nothing of an AWSCURRENT that was edited meanwhile', async () => {
    const rotation = new FakeRotation(strategy);
    waits(rotation, () => rotation.edit(HAND, { note: 'mine' }));
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'LABEL_MOVED' });
    expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each([
    ['cancelled', 'ROTATION_NOT_ENABLED', cancelled],
    ['taken off', 'VERSION_NOT_PENDING', takenOff],
    ['replaced', 'VERSION_NOT_PENDING', replaced],
  ])('finishSecret, meanwhile %s, promotes nothing', async (_, code, act) => {
    const rotation = new FakeRotation(strategy);
    await rotation.run('testSecret');
    rotation.anew();
    waits(rotation, () => act(rotation));
    const { code: found } = await refusal(rotation.step('finishSecret'));
    expect([code, 'VERSION_UNKNOWN']).toContain(found);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
  });

  it('createSecret and finishSecret, meanwhile promoted by somebody else, say so and do nothing', async () => {
    const rotation = new FakeRotation(strategy);
    const promoted = () => rotation.secrets.label('AWSCURRENT', TOKEN);
    waits(rotation, promoted);
    expect(await rotation.step('createSecret')).toMatchObject({ outcome: 'already-current' });
    expect(rotation.secrets.calls).not.toContain('PutSecretValue');

    const tested = new FakeRotation(strategy);
    await tested.run('testSecret');
    tested.anew();
    waits(tested, () => tested.secrets.label('AWSCURRENT', TOKEN));
    expect(await tested.step('finishSecret')).toMatchObject({ outcome: 'already-current' });
    expect(tested.secrets.calls).not.toContain('UpdateSecretVersionStage');
  });

  it('nor may five seconds pass by themselves', async () => {
    const rotation = new FakeRotation(strategy);
    const now = vi.spyOn(performance, 'now');
    try {
      rotation.server.meets = () => {
        const later = performance.now() + 6_000;
        now.mockImplementation(() => later);
        rotation.secrets.disable();
        return undefined;
      };
      expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'ROTATION_NOT_ENABLED' });
      expect(rotation.secrets.calls).not.toContain('PutSecretValue');
    } finally {
      now.mockRestore();
    }
  });

  it('one that has not waited does not', async () => {
    const rotation = new FakeRotation(strategy);
    await rotation.run('testSecret');
    rotation.anew();
    rotation.secrets.calls.length = 0;
    await rotation.step('finishSecret');
    expect(only(rotation.secrets.calls, 'DescribeSecret')).toHaveLength(1);
  });
});

describe('what testSecret remembers', () => {
  /** Proven by one instance's testSecret; another one has set the password. */
  async function tested() {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    const other = rotation.beside();
    await other.step('testSecret');
    other.server.events.length = 0;
    return { rotation, other };
  }

  it('saves finishSecret a login', async () => {
    const { other } = await tested();
    expect(await other.step('finishSecret')).toEqual({ outcome: 'done' });
    expect(only(other.server.events, 'login')).toEqual([]);
  });

  it.each([
    ['its password was edited, which another instance has set since', { password: 'by hand' }, {}],
    ['a member of it was edited and edited back', { note: 'mine' }, { note: undefined }],
  ])('ends where another version is AWSCURRENT: %s', async (_, first, second) => {
    const { rotation, other } = await tested();
    rotation.edit(HAND, first);
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'PENDING_MISMATCH' });
    if (Object.keys(second).length > 0) rotation.edit(AGAIN, second);
    await other.step('finishSecret').catch(() => undefined);
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

describe('Secrets Manager that is away', () => {
  it.each([
    ['cannot be reached', 'SECRETS_MANAGER_UNREACHABLE', undefined],
    ['fails', 'SECRETS_MANAGER_FAILED', 'InternalServiceError'],
  ] as const)('is waited for in every step, where it %s', async (_, code, reason) => {
    const rotation = new FakeRotation();
    for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const) {
      let times = 3;
      rotation.anew().secrets.before = () => {
        if (times-- > 0) throw reason === undefined ? failure(code) : failure(code).with({ reason });
      };
      expect(await rotation.step(step)).toMatchObject({ outcome: 'done', waited: { for: [code] } });
    }
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each([
    ['SECRETS_MANAGER_FAILED', 'InvalidRequestException'],
    ['SECRETS_MANAGER_FAILED', 'NotInternal'],
    ['SECRETS_MANAGER_FAILED', undefined],
    ['SECRET_LIMIT_EXCEEDED', 'InternalServiceError'],
    ['SECRETS_MANAGER_THROTTLED', 'ThrottlingException'],
    ['SECRET_ACCESS_DENIED', 'AccessDeniedException'],
  ] as const)('is not %s: %s', async (code, reason) => {
    const rotation = new FakeRotation();
    rotation.secrets.before = () => {
      throw reason === undefined ? failure(code) : failure(code).with({ reason });
    };
    expect((await refusal(rotation.step('createSecret'))).facts.waitedFor).toBeUndefined();
    expect(only(rotation.secrets.calls, 'DescribeSecret')).toHaveLength(1);
  });
});

it('an answer that another try of the same call has moved the label counts the rotation', async () => {
  const rotation = new FakeRotation();
  await rotation.run('testSecret');
  const { secrets } = rotation;
  const store = secrets.store.bind(secrets);
  secrets.store = (token) => {
    const inner = store(token);
    return {
      ...inner,
      promotePending: async (from) =>
        (await inner.promotePending(from)) === 'promoted' ? 'moved-before' : 'label-moved',
    };
  };
  expect(await rotation.step('finishSecret')).toEqual({ outcome: 'done' });
  expect(secrets.textOf(TOKEN)).not.toBe(secretText());
});
