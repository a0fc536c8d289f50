import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import { ARN, FakeRotation, refusal, TOKEN } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');
const MOVE = 'UpdateSecretVersionStage';

beforeEach(() => {
  // Time stands still, so that all that is left of it can be told to the millisecond.
  vi.spyOn(performance, 'now').mockReturnValue(1_000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** At setSecret; `proofs` is how long, in ms, each login with the pending password was given. */
async function atSetSecret() {
  const rotation = new FakeRotation();
  await rotation.step('createSecret');
  rotation.server.events.length = rotation.secrets.calls.length = 0;
  const proofs: number[] = [];
  rotation.between = (database) => ({
    ...database,
    tryPassword: (credential, work, within = Number.POSITIVE_INFINITY) => {
      if (credential.source === 'pending') proofs.push(within);
      return database.tryPassword(credential, work, within);
    },
  });
  return { ...rotation, rotation, proofs };
}

/** Logins with the pending password, from the first on, meet these; the others are judged by their password. */
function pendingMeets({ server }: FakeRotation, ...codes: readonly (RotationErrorCode | undefined)[]): void {
  let logins = 0;
  server.meets = ({ credential: { source } }) => {
    const code = source === 'pending' ? codes[logins++] : undefined;
    return code === undefined ? undefined : { fails: failure(code) };
  };
}

/** Somebody sets a password by hand, right before the pending login of this number. */
function setByHand({ server }: FakeRotation, before: number): void {
  let logins = 0;
  server.before = (event) => {
    if (event === 'login pending' && ++logins === before) server.role('app', 'by hand');
  };
}

describe('the proof of a new password', () => {
  it('may take three seconds, and twice what computing took, but leaves the time of the way back', async () => {
    for (const [left, computing, within] of [
      [30_000, 0, 3_000],
      [30_000, 400, 3_800],
      [5_000, 400, 5_000 - 3_000 - 800],
    ] as const) {
      const { rotation, server, proofs } = await atSetSecret();
      server.computing = computing;
      server.before = (event) => {
        if (event === 'change') rotation.deadline.left = left;
      };
      await rotation.step('setSecret');
      expect(proofs).toEqual([within]);
    }
  });

  it('counts for nothing under a lock that was lost', async () => {
    const { rotation, server } = await atSetSecret();
    server.before = (event) => {
      if (event === 'release') throw failure('DATABASE_CONNECTION_LOST');
    };
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'current' });
    expect(rotation.logins.get(ARN, TOKEN)?.proof).toBeUndefined();
  });

  it('needs the time of the way back, to the millisecond', async () => {
    const { rotation } = await atSetSecret();
    rotation.deadline.left = 3_499;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'DATABASE_TIMEOUT',
      message: expect.stringMatching(/^3500 ms were needed .* of app and, .* and 3499 were left\.$/),
      facts: { host: 'db', port: 5432, username: 'app' },
      remedy: expect.stringContaining('time-out of at least 30 s'),
    });
    rotation.deadline.left = 3_500;
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
  });

  it('needs none where the rotation is over by then', async () => {
    const { rotation, server, secrets } = await atSetSecret();
    server.before = (event) => {
      if (event !== 'hold') return;
      secrets.label('AWSCURRENT', TOKEN);
      rotation.deadline.left = 1_000;
    };
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'already-current' });
  });
});

describe('a password that somebody has set by hand after the change stays', () => {
  const REPLACED = { code: 'PASSWORD_NOT_ACCEPTED', message: expect.stringContaining('somebody has set another one') };

  it('where the proof has shown it, though no look was answered after that', async () => {
    const { rotation, server, secrets } = await atSetSecret();
    setByHand(rotation, 1);
    secrets.before = (call) => {
      if (call === 'DescribeSecret' && server.events.includes('change')) throw failure('SECRETS_MANAGER_THROTTLED');
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject(REPLACED);
    expect(server.passwordOf('app')).toBe('by hand');
  });

  it('where the proof has shown it, and the server lets nobody look again', async () => {
    const { rotation, server } = await atSetSecret();
    setByHand(rotation, 1);
    pendingMeets(rotation, undefined, 'DATABASE_UNREACHABLE');
    expect(await refusal(rotation.step('setSecret'))).toMatchObject(REPLACED);
    expect(server.passwordOf('app')).toBe('by hand');
  });

  it.each([
    'can be read',
    'can not be read',
  ])('where only the look shows it, as the proof had met something else, and AWSCURRENT %s', async (how) => {
    const { rotation, server, secrets } = await atSetSecret();
    setByHand(rotation, 2);
    secrets.before = () => {
      if (how === 'can not be read' && server.events.includes('change')) secrets.put(V2, 'no JSON', 'AWSCURRENT');
    };
    pendingMeets(rotation, 'TLS_FAILED');
    expect(await refusal(rotation.step('setSecret'))).toMatchObject(REPLACED);
    expect(server.passwordOf('app')).toBe('by hand');
  });
});

describe('a way back', () => {
  it('leaves no timer behind that would keep the process', async () => {
    const { rotation } = await atSetSecret();
    pendingMeets(rotation, 'TLS_FAILED', 'TLS_FAILED');
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const before = timers();
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(timers()).toBe(before);
  });

  it('tells that the former password was not seen to log in, where it gets no session afterwards', async () => {
    const { rotation, server } = await atSetSecret();
    server.meets = ({ credential: { source } }) => {
      if (source === 'pending') return { fails: failure('TLS_FAILED') };
      return server.events.includes('change') ? { withoutSession: failure('LOGIN_FORBIDDEN') } : undefined;
    };
    expect((await refusal(rotation.step('setSecret'))).message).toMatch(
      /whether AWSCURRENT logs in could not be seen\.$/,
    );
  });
});

describe('with PROMOTE=early', () => {
  it('the label has the rest of the time, less the way back', async () => {
    const { rotation, server, secrets } = await atSetSecret();
    rotation.promoteEarly = true;
    server.computing = 400;
    server.before = (event) => {
      if (event === 'confirm') rotation.deadline.left = 3_000 + 800 + 60;
    };
    secrets.before = (call) => (call === MOVE ? new Promise(() => {}) : undefined);
    const { code, message } = await refusal(rotation.step('setSecret'));
    expect(code).toBe('PASSWORD_NOT_PUT_BACK');
    expect(message).toContain('was needed within 60 ms, and none came');
  });

  it('somebody else may have finished the rotation before the label was to be moved, which counts it', async () => {
    const { rotation, server, secrets } = await atSetSecret();
    rotation.promoteEarly = true;
    server.before = (event) => {
      if (event === 'confirm') secrets.label('AWSCURRENT', TOKEN);
    };
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', promoted: false });
    expect(secrets.calls).not.toContain(MOVE);
  });
});

describe('whether AWSCURRENT logs in, where the pending version is none of it,', () => {
  async function mismatched() {
    const { rotation } = await atSetSecret();
    rotation.edit(V2, { note: 'mine' });
    return rotation;
  }

  it('is seen by a session that works', async () => {
    const rotation = await mismatched();
    expect((await refusal(rotation.step('setSecret'))).message).toMatch(/; AWSCURRENT logs in\.$/);
    expect(rotation.server.events).toEqual(['login current', 'confirm']);
  });

  it('is seen as well where there is no room for a session', async () => {
    const rotation = await mismatched();
    rotation.server.meets = () => ({ withoutSession: failure('ROLE_CONNECTION_LIMIT') });
    expect((await refusal(rotation.step('setSecret'))).message).toMatch(/; AWSCURRENT logs in\.$/);
  });

  it('hides no fault of ours', async () => {
    const rotation = await mismatched();
    const thrown = new TypeError('unexpected');
    rotation.server.before = () => Promise.reject(thrown);
    await expect(rotation.step('setSecret')).rejects.toBe(thrown);
  });
});
