import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { ARN, FakeRotation, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure, LINKED } from '../../support/fake-server.ts';

beforeEach(() => {
  // Time stands still, so that all that is left of it can be told to the millisecond.
  vi.spyOn(performance, 'now').mockReturnValue(1_000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** At setSecret; `proofs` is how long, in ms, each login with the pending password was given. */
async function atSetSecret() {
  const rotation = new FakeRotation(alternatingUsers);
  await rotation.step('createSecret');
  const proofs: (number | undefined)[] = [];
  rotation.between = (database) => ({
    ...database,
    tryPassword: (credential, work, within) => {
      if (credential.source === 'pending') proofs.push(within);
      return database.tryPassword(credential, work, within);
    },
  });
  const proven = () => rotation.logins.get(ARN, TOKEN)?.proof;
  return { rotation, proofs, proven };
}

describe("a twin's new password", () => {
  it('is proven within half of what is left, but no less than three seconds and twice what the computing of it took', async () => {
    for (const [left, computing, within] of [
      [30_000, 0, 15_000],
      [5_000, 0, 3_000],
      [5_000, 400, 3_800],
    ] as const) {
      const { rotation, proofs, proven } = await atSetSecret();
      rotation.deadline.left = left;
      rotation.server.computing = computing;
      expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'superuser' });
      expect(proofs).toEqual([within]);
      expect(proven()).toEqual({ comparedWith: V1 });
    }
  });

  it('is given no more than what is left of the time', async () => {
    const { rotation, proofs } = await atSetSecret();
    rotation.server.before = (event) => {
      if (event === 'change') rotation.deadline.left = 700;
    };
    await rotation.step('setSecret');
    expect(proofs).toEqual([700]);
  });

  it('is not proven by a login under a lock that was lost', async () => {
    for (const lose of [
      () => Promise.reject(failure('DATABASE_CONNECTION_LOST')),
      ({ server }: FakeRotation) => server.breakLock('app'),
    ]) {
      const { rotation, proven } = await atSetSecret();
      rotation.server.before = (event) => (event === 'release' ? lose(rotation) : undefined);
      expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'superuser' });
      expect(proven()).toBeUndefined();
      rotation.server.before = () => {};
      await rotation.run();
      expect(rotation.currentIsAccepted).toBe(true);
    }
  });

  it("is proven without a session of its own, where the administrator's has looked at the twin", async () => {
    const { rotation, proven } = await atSetSecret();
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'pending' ? { withoutSession: failure('ROLE_CONNECTION_LIMIT') } : undefined;
    await rotation.step('setSecret');
    expect(proven()).toEqual({ comparedWith: V1 });
  });

  it('that is refused leaves AWSCURRENT alone, and says what to look at', async () => {
    const { rotation, proven } = await atSetSecret();
    rotation.server.meets = ({ credential: { source } }) => (source === 'pending' ? { refused: true } : undefined);
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      facts: { credential: 'pending', username: 'app_clone' },
      remedy: expect.stringMatching(/^AWSCURRENT's password was not touched.*VALID UNTIL.*password_encryption/),
    });
    expect(proven()).toBeUndefined();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('is not set where the rotation was finished meanwhile, which proves nothing', async () => {
    const { rotation, proofs, proven } = await atSetSecret();
    rotation.server.role('app_clone', 'theirs', { asTwin: LINKED });
    rotation.server.before = (event) => {
      if (event === 'hold') rotation.secrets.label('AWSCURRENT', TOKEN);
    };
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'already-current', credential: 'superuser' });
    expect(rotation.server.passwordOf('app_clone')).toBe('theirs');
    expect(proofs).toEqual([]);
    expect(proven()).toBeUndefined();
  });
});

describe("a login that shows AWSCURRENT's password to be known, and was made less safely than the administrator's", () => {
  /** @param members of the secret, and of the superuser secret. @param accepts the login that is made instead */
  async function rotated(members: object, administrator: object, { accepts = true, mayFallBack = false } = {}) {
    const rotation = new FakeRotation(alternatingUsers, { ...members });
    rotation.superuser = secretText({ username: 'admin', password: 'admin', ...administrator });
    await rotation.step('createSecret');
    const made: object[] = [];
    rotation.between = (database) => ({
      ...database,
      mayFallBack,
      withLogin: async (credential, work) => {
        if (credential.source !== 'current') return await database.withLogin(credential, work);
        const { ssl, sslHostname } = credential.secret;
        made.push({ ssl, sslHostname });
        return accepts
          ? await database.withLogin(credential, work)
          : { accepted: false, address: undefined, request: undefined };
      },
    });
    return { rotation, made };
  }

  it.each([
    [{ ssl: false }, {}, { ssl: undefined, sslHostname: undefined }],
    [{ sslhostname: 'in-between' }, {}, { ssl: undefined, sslHostname: undefined }],
    [{}, { ssl: true }, { ssl: true, sslHostname: undefined }, true],
  ])('is made again by its way: %o beside %o', async (members, administrator, way, mayFallBack = false) => {
    const { rotation, made } = await rotated(members, administrator, { mayFallBack });
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
    expect(made).toEqual([way]);
  });

  it.each([
    [{}, {}],
    [{ ssl: true }, {}],
    [{}, { ssl: true }],
    [
      { ssl: true, sslhostname: 'db' },
      { ssl: true, sslhostname: 'db' },
    ],
  ])('is not made again where it was as safe: %o beside %o', async (members, administrator) => {
    const { rotation, made } = await rotated(members, administrator);
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
    expect(made).toEqual([]);
  });

  it('has the administrator do nothing where the server refuses it', async () => {
    const { rotation } = await rotated({ ssl: false }, {}, { accepts: false });
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(rotation.server.roles.has('app_clone')).toBe(false);
  });
});
