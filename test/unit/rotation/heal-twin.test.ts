import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { FakeServer, failure, LINKED } from '../../support/fake-server.ts';

const T2 = 't2'.padEnd(36, '-');
const V3 = 'v3'.padEnd(36, '-');

/** The second rotation, app's turn, has set its password; then AWSCURRENT is moved back to the one that app had before. */
async function lockedOut(): Promise<FakeRotation> {
  const rotation = new FakeRotation(alternatingUsers);
  await rotation.run();
  rotation.begin(T2);
  await rotation.run('testSecret', T2);
  rotation.secrets.label('AWSCURRENT', V1);
  expect(rotation.server.passwordOf('app')).toBe('new-2');
  expect(rotation.currentIsAccepted).toBe(false);
  return rotation;
}

/** What the rotation's next step says. */
const finished = async (rotation: FakeRotation) => await refusal(rotation.anew().step('finishSecret', T2));

describe("where AWSCURRENT is on the login whose password this rotation has replaced, the administrator sets AWSCURRENT's", () => {
  it.each(['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const)('%s', async (step) => {
    const rotation = await lockedOut();
    rotation.anew();
    if (step === 'testSecret') {
      // It asks for no more than whether AWSPENDING logs in.
      expect(await rotation.step(step, T2)).toMatchObject({ outcome: 'done' });
      return;
    }
    expect(await refusal(rotation.step(step, T2))).toMatchObject({
      code: 'PENDING_MISMATCH',
      message: expect.stringMatching(/AWSCURRENT logs in\.$/),
    });
    expect(rotation.currentIsAccepted).toBe(true);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
    // Once it was given up, as the remedy says, the next one succeeds.
    rotation.secrets.label('AWSPENDING');
    rotation.begin(V3);
    await rotation.anew().run('finishSecret', V3);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('but not one of another server, such as the primary of a replica, who does not log in', async () => {
    const rotation = await lockedOut();
    const primary = new FakeServer('primary').role('admin', 'admin').role('app', 'new-2');
    rotation.servers.push(primary);
    rotation.superuser = secretText({ host: 'primary', username: 'admin', password: 'admin' });
    expect(await finished(rotation)).toMatchObject({ code: 'PENDING_MISMATCH' });
    expect(primary.events).toEqual([]);
    expect(rotation.currentIsAccepted).toBe(false);
  });

  it('under the lock of the base role, and only after AWSPENDING has logged in', async () => {
    const rotation = await lockedOut();
    const { server } = rotation;
    server.events.length = 0;
    let wasLocked = false;
    server.before = (event) => {
      if (event === 'change') wasLocked = server.isLocked('app');
    };
    await finished(rotation);
    expect(wasLocked).toBe(true);
    const logins = only(server.events, 'login');
    expect(logins.indexOf('login pending')).toBeLessThan(logins.indexOf('login superuser'));
  });
});

it('and so it is on the turn of the twin', async () => {
  const rotation = new FakeRotation(alternatingUsers);
  await rotation.run();
  rotation.begin(T2);
  await rotation.run('finishSecret', T2);
  rotation.begin(V3);
  await rotation.run('testSecret', V3);
  rotation.secrets.label('AWSCURRENT', TOKEN);
  expect([rotation.passwordIn('AWSCURRENT'), rotation.currentIsAccepted]).toEqual(['new-1', false]);
  rotation.server.events.length = 0;
  expect(await refusal(rotation.anew().step('finishSecret', V3))).toMatchObject({ code: 'PENDING_MISMATCH' });
  expect(rotation.server.events).toEqual(expect.arrayContaining(['lock app', 'plan app_clone']));
  expect(rotation.currentIsAccepted).toBe(true);
  expect(rotation.server.passwordOf('app')).toBe('new-2');
});

it('and so it is where only an earlier login proves that the two are twins', async () => {
  const rotation = await lockedOut();
  rotation.server.role('app_clone', 'new-1', { asTwin: { ...LINKED, setToBase: false } });
  expect(await finished(rotation)).toMatchObject({ message: expect.stringMatching(/AWSCURRENT logs in\.$/) });
  expect(rotation.currentIsAccepted).toBe(true);
});

describe('what passes by itself is waited for', () => {
  const LOGS_IN = /AWSCURRENT logs in, after .* of waiting \(DATABASE_UNAVAILABLE\)\.$/;

  it.each([
    'current',
    'pending',
    'previous',
    'superuser',
  ])('in the %s login, and no refused one is repeated', async (source) => {
    const rotation = await lockedOut();
    const { server } = rotation;
    // Only a login proves that the two are twins.
    server.role('app_clone', 'new-1', { asTwin: { ...LINKED, setToBase: false } });
    rotation.secrets.label('AWSPREVIOUS', TOKEN);
    let trouble = 2;
    server.meets = ({ credential }) =>
      credential.source === source && trouble-- > 0 ? { fails: failure('DATABASE_UNAVAILABLE') } : undefined;
    server.events.length = 0;
    expect(await finished(rotation)).toMatchObject({ message: expect.stringMatching(LOGS_IN) });
    expect(trouble).toBeLessThan(1);
    expect(only(server.events, 'refused')).toEqual(['refused current']);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('in the look under the lock', async () => {
    const rotation = await lockedOut();
    const { server } = rotation;
    let isHeld = false;
    server.before = (event) => {
      if (event === 'hold') isHeld = true;
    };
    server.meets = ({ credential: { source } }) => {
      if (!isHeld || source !== 'pending') return undefined;
      isHeld = false;
      return only(server.events, 'hold').length > 2 ? undefined : { fails: failure('DATABASE_UNAVAILABLE') };
    };
    server.events.length = 0;
    expect(await finished(rotation)).toMatchObject({ message: expect.stringMatching(LOGS_IN) });
    expect(only(server.events, 'change')).toHaveLength(1);
  });

  it('and a change whose answer was lost is looked for', async () => {
    const rotation = await lockedOut();
    let lost = 1;
    rotation.between = (database) => ({
      ...database,
      withLogin: async (...args) => {
        const outcome = await database.withLogin(...args);
        if (args[0].source === 'superuser' && lost-- > 0) throw failure('DATABASE_UNAVAILABLE');
        return outcome;
      },
    });
    rotation.server.events.length = 0;
    expect(await finished(rotation)).toMatchObject({ message: expect.stringMatching(LOGS_IN) });
    expect(only(rotation.server.events, 'change')).toHaveLength(1);
  });

  it("and the superuser secret's new version, where that one is being rotated", async () => {
    const rotation = await lockedOut();
    rotation.server.role('admin', 'newer');
    rotation.superuserIsRotating = true;
    rotation.meanwhile = () => {
      rotation.superuser = secretText({ username: 'admin', password: 'newer' });
      rotation.superuserVersion = 2;
    };
    await finished(rotation);
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

it.each([new TypeError('unexpected'), failure('UNEXPECTED')])('a fault of ours is not hidden: %s', async (thrown) => {
  const rotation = await lockedOut();
  rotation.server.before = (event) => {
    if (event === 'plan app_clone') throw thrown;
  };
  await expect(rotation.anew().step('finishSecret', T2)).rejects.toBe(thrown);
});

describe('where there is no twin, the login itself sets it', () => {
  /** A rotation of a single user, whose password the server has, comes to this function half-way. */
  async function halfWay(): Promise<FakeRotation> {
    const rotation = new FakeRotation(alternatingUsers);
    rotation.secrets.put(TOKEN, secretText({ ...JSON.parse(rotation.secrets.textOf(V1) ?? ''), password: 'new' }));
    rotation.server.role('app', 'new');
    return rotation;
  }

  it.each(['createSecret', 'setSecret', 'finishSecret'] as const)('%s', async (step) => {
    const rotation = await halfWay();
    expect(await refusal(rotation.step(step))).toMatchObject({
      code: 'PENDING_MISMATCH',
      message: expect.stringMatching(/AWSCURRENT logs in\.$/),
    });
    expect(rotation.currentIsAccepted).toBe(true);
    expect(only(rotation.server.events, 'login superuser')).toEqual([]);
    rotation.secrets.label('AWSPENDING');
    rotation.begin(T2);
    await rotation.anew().run('finishSecret', T2);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each<[string, (rotation: FakeRotation) => void]>([
    ['was cancelled', ({ secrets }) => secrets.disable()],
    ['is given up', ({ secrets }) => secrets.label('AWSPENDING')],
  ])('but not where the rotation %s meanwhile', async (_, act) => {
    const rotation = await halfWay();
    rotation.server.before = (event) => {
      if (event === 'lock app') act(rotation);
    };
    await refusal(rotation.step('setSecret'));
    expect(rotation.server.passwordOf('app')).toBe('new');
  });
});

describe('nothing is changed', () => {
  it.each<[string, (rotation: FakeRotation) => void]>([
    ['where AWSCURRENT is for another host', (rotation) => rotation.edit(V3, { host: 'elsewhere' })],
    ['where AWSCURRENT is for another user', (rotation) => rotation.edit(V3, { username: 'somebody' })],
    ['where its password would have to be sent in clear', (rotation) => rotation.edit(V3, { password: 'pässword' })],
    ['where AWSPENDING does not log in either', ({ server }) => void server.role('app', 'by hand')],
    [
      'of a superuser',
      ({ server }) => void Object.assign(server.roles.get('app') ?? {}, { facts: { superuser: true } }),
    ],
    [
      'where the other login is not proven to be the twin',
      ({ server }) =>
        void Object.assign(server.roles.get('app_clone') ?? {}, {
          facts: { asTwin: { ...LINKED, membership: 'own' } },
        }),
    ],
    [
      'by one of the two themselves',
      (rotation) => {
        rotation.superuser = secretText({ username: 'app_clone', password: 'new-1' });
      },
    ],
    [
      'by an administrator of another server',
      (rotation) => {
        rotation.servers.push(new FakeServer('primary').role('admin', 'admin').role('app', 'new-2'));
        rotation.superuser = secretText({ host: 'primary', username: 'admin', password: 'admin' });
      },
    ],
    [
      'by an administrator who does not log in',
      (rotation) => {
        rotation.superuser = secretText({ username: 'admin', password: 'wrong' });
      },
    ],
  ])('%s', async (_, act) => {
    const rotation = await lockedOut();
    act(rotation);
    const before = rotation.server.passwordOf('app');
    rotation.server.events.length = 0;
    expect(await finished(rotation)).toMatchObject({
      code: 'PENDING_MISMATCH',
      message: expect.stringMatching(
        /AWSCURRENT does not log in now(, after .* of waiting \(PASSWORD_NOT_ACCEPTED\))?\.$/,
      ),
    });
    expect(rotation.server.passwordOf('app')).toBe(before);
    expect(only(rotation.server.events, 'change')).toEqual([]);
  });

  it.each<[string, (rotation: FakeRotation) => void]>([
    ['is given up', ({ secrets }) => secrets.label('AWSPENDING')],
    ['is not about AWSCURRENT any more', (rotation) => rotation.edit(V3, { note: 'mine' })],
    ['has its password replaced by hand', ({ server }) => void server.role('app', 'by hand')],
  ])('where the rotation %s meanwhile', async (_, act) => {
    const rotation = await lockedOut();
    const { server } = rotation;
    server.before = (event) => {
      if (event === 'plan app_clone') act(rotation);
    };
    expect(await finished(rotation)).toMatchObject({
      code: 'PENDING_MISMATCH',
      message: expect.stringMatching(/AWSCURRENT does not log in now\.$/),
    });
    expect(only(server.events, 'plan').length).toBeGreaterThan(2);
    expect(server.passwordOf('app')).not.toBe('old');
  });
});

it('a rotation whose AWSPENDING is made of an AWSCURRENT that is refused leaves that to an administrator', async () => {
  const rotation = new FakeRotation(alternatingUsers);
  await rotation.run('setSecret');
  rotation.server.role('app', 'by hand');
  expect(await refusal(rotation.anew().step('createSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
  expect(rotation.secrets.with('AWSPENDING')).toBe(TOKEN);
  expect(rotation.server.passwordOf('app')).toBe('by hand');
});
