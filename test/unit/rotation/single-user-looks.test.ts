/** What single user looks at again, and what it gives up or goes on with. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RotationError } from '../../../shared/errors.ts';
import type { Step } from '../../../shared/rotation/event.ts';
import { ARN, FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

/** What a proof fails by where the server is too busy. */
const BUSY = ['DATABASE_FULL', 'DATABASE_TIMEOUT'] as const;
const V0 = 'v0'.padEnd(36, '-');
const V2 = 'v2'.padEnd(36, '-');

beforeEach(() => {
  // Time stands still, so that all that is left of it can be told to the millisecond.
  vi.spyOn(performance, 'now').mockReturnValue(1_000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What logins met, in order, such as "login current" and "refused current". */
const loginsOf = ({ server }: FakeRotation) => server.events.filter((event) => /^(login|refused) /.test(event));

/** Notes how long, in ms, logins with one version were given. */
function timesOf(rotation: FakeRotation, version: string): number[] {
  const times: number[] = [];
  rotation.between = (database) => ({
    ...database,
    tryPassword: (credential, work, within = Number.POSITIVE_INFINITY) => {
      if (credential.source === version) times.push(within);
      return database.tryPassword(credential, work, within);
    },
  });
  return times;
}

/** Another instance is at this step; the server has the pending password where it was set. */
async function at(step: Step, isSet = false): Promise<FakeRotation> {
  const rotation = new FakeRotation();
  await rotation.step('createSecret');
  if (isSet) rotation.server.role('app', 'new-1');
  rotation.anew().server.events.length = 0;
  if (step === 'testSecret') rotation.server.fresh = false;
  return rotation;
}

/** At setSecret, with a clock that makes proofs without an answer be over soon. */
async function withShortProofs(): Promise<FakeRotation> {
  const rotation = await at('setSecret');
  let now = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 400));
  return rotation;
}

/** The same, with a server that is too busy for any login with the new password. */
async function withFailingProofs(code: (typeof BUSY)[number]): Promise<FakeRotation> {
  const rotation = await withShortProofs();
  rotation.server.meets = ({ credential: { source } }) => (source === 'pending' ? { fails: failure(code) } : undefined);
  return rotation;
}

describe('an AWSCURRENT that was edited after its password was replaced', () => {
  /** The step finds that the two versions don't belong together. */
  async function edited(act: (rotation: FakeRotation) => void = () => {}) {
    const rotation = await at('setSecret', true);
    rotation.edit(V2, { dbname: 'edited' });
    act(rotation);
    const step = () => rotation.step('setSecret');
    return { rotation, step, error: async (): Promise<RotationError> => await refusal(step()) };
  }
  const LOGS_IN = expect.stringMatching(/; AWSCURRENT logs in\.$/);
  const DOES_NOT = expect.stringMatching(/; AWSCURRENT does not log in now(, after .* of waiting \(ROLE_BUSY\))?\.$/);

  it('has its password set again by the pending login, and is looked at once more', async () => {
    const { rotation, error } = await edited();
    const times = timesOf(rotation, 'current');
    expect(await error()).toMatchObject({ code: 'PENDING_MISMATCH', message: LOGS_IN });
    expect(rotation.server.events).toEqual([
      ...['login current', 'refused current', 'login pending', 'lock app', 'hold', 'change'],
      ...['release', 'login current', 'confirm'],
    ]);
    expect(times).toEqual([6_000, 6_000]);
    expect(rotation.server.passwordOf('app')).toBe('old');
  });

  it.each([
    'current',
    'pending',
  ])('is waited for where trouble meets the %s login, and no refused one is repeated', async (source) => {
    let trouble = 2;
    const { rotation, error } = await edited(({ server }) => {
      server.meets = ({ credential }) =>
        credential.source === source && trouble-- > 0 ? { fails: failure('DATABASE_CONNECTION_LOST') } : undefined;
    });
    expect(await error()).toMatchObject({
      message: expect.stringMatching(/; AWSCURRENT logs in, after .* of waiting \(DATABASE_CONNECTION_LOST\)\.$/),
      facts: { waitedFor: 'DATABASE_CONNECTION_LOST' },
    });
    expect(only(rotation.server.events, 'refused')).toEqual(['refused current']);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('logs in where the answer to the change was lost', async () => {
    const { rotation, error } = await edited();
    let isLost = false;
    rotation.server.before = (event) => {
      if (event !== 'release' || isLost) return;
      isLost = true;
      throw failure('DATABASE_CONNECTION_LOST');
    };
    rotation.between = (database) => ({
      ...database,
      withLogin: async (...args) => {
        const outcome = await database.withLogin(...args);
        if (isLost && args[0].source === 'pending' && outcome.accepted) throw failure('DATABASE_CONNECTION_LOST');
        return outcome;
      },
    });
    expect(await error()).toMatchObject({ message: expect.stringMatching(/; AWSCURRENT logs in, after/) });
    expect(rotation.server.events.filter((event) => event === 'change')).toHaveLength(1);
  });

  it('is not tried again by a createSecret that the server has just refused it', async () => {
    const { rotation } = await edited();
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'PENDING_MISMATCH', message: LOGS_IN });
    expect(only(loginsOf(rotation), 'refused')).toEqual(['refused current']);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('has so too after a login under the lock, where the first one was not', async () => {
    const { rotation, error } = await edited(({ server }) => {
      server.fresh = false;
    });
    expect(await error()).toMatchObject({ message: LOGS_IN });
    expect(only(rotation.server.events, 'login pending')).toHaveLength(2);
  });

  it.each<[string, (rotation: FakeRotation) => void, string | undefined]>([
    ['the pending password is refused too', ({ server }) => server.role('app', 'by hand'), 'by hand'],
    [
      'the pending password is refused under the lock',
      ({ server }) => {
        server.fresh = false;
        server.before = (event) => void (event === 'lock app' && server.role('app', 'by hand'));
      },
      'by hand',
    ],
    [
      'the rotation is over by then',
      ({ secrets, server }) => {
        server.before = (event) => void (event === 'hold' && secrets.label('AWSCURRENT', TOKEN));
      },
      'new-1',
    ],
    [
      'the role is busy',
      ({ server }) => {
        server.before = (event) => {
          if (event === 'lock app') throw failure('ROLE_BUSY');
        };
      },
      'new-1',
    ],
  ])('is left as it is where %s', async (_, act, password) => {
    const { rotation, error } = await edited(act);
    expect(await error()).toMatchObject({ code: 'PENDING_MISMATCH', message: DOES_NOT });
    expect(rotation.server.passwordOf('app')).toBe(password);
  });

  it.each([new TypeError('unexpected'), failure('UNEXPECTED')])('hides no fault of ours: %s', async (thrown) => {
    const { step } = await edited(({ server }) => {
      server.before = (event) => {
        if (event === 'hold') throw thrown;
      };
    });
    await expect(step()).rejects.toBe(thrown);
  });
});

describe('setSecret', () => {
  it('waits for a login without trying again what was refused before it', async () => {
    const rotation = await at('setSecret', true);
    let busy = 2;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'pending' && busy-- > 0 ? { fails: failure('DATABASE_UNAVAILABLE') } : undefined;
    await rotation.step('setSecret');
    const [current, pending] = [['login current', 'refused current'], 'login pending'];
    // Then once more, under the lock.
    expect(loginsOf(rotation)).toEqual([...current, pending, pending, pending, pending]);
  });

  it('begins anew where the session fails, with what was not refused', async () => {
    const rotation = await at('setSecret', true);
    let busy = 1;
    rotation.server.before = (event) => {
      if (event === 'lock app' && busy-- > 0) throw failure('ROLE_BUSY');
    };
    await rotation.step('setSecret');
    const once = ['login current', 'refused current', 'login pending'];
    expect(loginsOf(rotation)).toEqual([...once, 'login pending', 'login pending']);
  });

  it.each([
    ['Secrets Manager was away', 'SECRETS_MANAGER_UNREACHABLE'],
    ['AWSCURRENT was elsewhere for a moment', 'LABEL_MOVED'],
  ] as const)('begins anew with what was not refused where %s', async (_, code) => {
    const rotation = await at('setSecret', true);
    let away = 2;
    rotation.secrets.before = (call) => {
      if (call === 'DescribeSecret' && away-- > 0) throw failure(code);
    };
    await rotation.step('setSecret');
    expect(away).toBeLessThan(0);
    expect(only(loginsOf(rotation), 'refused')).toEqual(['refused current']);
  });

  it('tries what was refused once more where nothing else is accepted any more: somebody may have set it since', async () => {
    const rotation = await at('setSecret', true);
    let busy = 1;
    rotation.server.before = (event) => {
      if (event !== 'lock app' || busy-- === 0) return;
      rotation.server.role('app', 'old');
      throw failure('ROLE_BUSY');
    };
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', credential: 'current' });
    expect(rotation.server.passwordOf('app')).toBe('new-1');
    expect(only(loginsOf(rotation), 'refused')).toEqual(['refused current', 'refused pending']);
  });

  it.each([
    false,
    true,
  ])('goes on after a login under the lock for which there is no room (set before: %s)', async (isSet) => {
    const rotation = await at('setSecret', isSet);
    rotation.server.fresh = false;
    const [source, outcome] = isSet ? ['pending', 'already-done'] : ['current', 'done'];
    let logins = 0;
    rotation.server.meets = ({ credential }) =>
      credential.source === source && ++logins === 2 ? { withoutSession: failure('DATABASE_FULL') } : undefined;
    expect(await rotation.step('setSecret')).toMatchObject({ outcome, credential: source });
    expect(logins).toBe(2);
    expect(rotation.server.passwordOf('app')).toBe('new-1');
  });

  it.each(
    BUSY,
  )('tries again what was put back, once a login beside it shows that there is an answer for the proof: %s', async (code) => {
    const rotation = await withShortProofs();
    const { server } = rotation;
    let looks = 0;
    server.meets = ({ credential: { source } }) => {
      const isLook = source === 'current' && server.isLocked('app');
      if (isLook) looks++;
      return looks < 3 && (source === 'pending' || isLook) ? { fails: failure(code) } : undefined;
    };
    const report = await rotation.step('setSecret');
    expect(report).toMatchObject({ outcome: 'done', credential: 'current', waited: { for: [code] } });
    expect(looks).toBe(3);
    // Once before it was known how busy the server is.
    expect(only(server.events, 'change')).toHaveLength(2);
    expect(server.passwordOf('app')).toBe('new-1');
  });

  it.each(
    BUSY,
  )('leaves put back what was, where the server stays so, and says what it has waited for: %s', async (code) => {
    const rotation = await withShortProofs();
    const { server } = rotation;
    server.meets = ({ credential: { source } }) =>
      source === 'pending' || server.isLocked('app') ? { fails: failure(code) } : undefined;
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({
      code: 'PASSWORD_PUT_BACK',
      facts: { cause: code, waitedFor: code },
    });
    expect(only(server.events, 'change')).toHaveLength(1);
    expect(server.passwordOf('app')).toBe('old');
  });

  it('gives that login no more time than a proof has, and needs an answer where it was asked for a session', async () => {
    const rotation = await withShortProofs();
    const times = timesOf(rotation, 'current');
    const { server } = rotation;
    server.meets = ({ credential: { source } }) => {
      if (source === 'pending') return { fails: failure('DATABASE_TIMEOUT') };
      return server.isLocked('app') ? { withoutSession: failure('DATABASE_TIMEOUT') } : undefined;
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(only(server.events, 'change')).toHaveLength(1);
    expect(times.filter((time) => time === 3_000).length).toBeGreaterThan(2);
    expect(server.passwordOf('app')).toBe('old');
  });

  it('needs of that login that a query is answered, as the proof does', async () => {
    const rotation = await withFailingProofs('DATABASE_TIMEOUT');
    const { server } = rotation;
    server.before = (event) => {
      if (event === 'confirm' && server.isLocked('app')) throw failure('DATABASE_TIMEOUT');
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(only(server.events, 'change')).toHaveLength(1);
  });

  it('changes nothing for the second time without all of the time that a proof may take', async () => {
    const rotation = await withFailingProofs('DATABASE_TIMEOUT');
    const { server, deadline } = rotation;
    deadline.left = 13_000;
    server.before = (event) => {
      // By the time of the second guard there is enough for a change, and for a short proof.
      if (event === 'release') deadline.left = 8_500;
      if (event === 'hold' && only(server.events, 'change').length === 1) deadline.left = 5_900;
    };
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({ code: 'PASSWORD_PUT_BACK', facts: { cause: 'DATABASE_TIMEOUT' } });
    expect(error.remedy).toContain('rotate when the server has less to do');
    expect(only(server.events, 'change')).toHaveLength(1);
    expect(server.passwordOf('app')).toBe('old');
  });

  it('gives a login with the new password all of the time, where another change turns out to have been made', async () => {
    const rotation = await withFailingProofs('DATABASE_TIMEOUT');
    const times = timesOf(rotation, 'pending');
    const { server } = rotation;
    server.before = (event) => {
      if (event !== 'change' || only(server.events, 'change').length !== 2) return;
      server.role('app', 'new-1').meets = () => undefined;
      throw failure('DATABASE_CONNECTION_LOST');
    };
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'already-done', credential: 'pending' });
    expect(times.at(-1)).toBe(Number.POSITIVE_INFINITY);
  });

  it('says that the new password could not be taken back, whatever a later look fails by', async () => {
    const rotation = await withFailingProofs('DATABASE_TIMEOUT');
    const { server } = rotation;
    server.noWayBack = 'the connection broke off';
    server.before = (event) => {
      if (event === 'release') server.refuseAll(failure('DATABASE_UNREACHABLE'));
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_NOT_PUT_BACK' });
  });

  it('says nothing of a password that was put back, once another change is in doubt', async () => {
    const rotation = await withFailingProofs('DATABASE_TIMEOUT');
    const { server } = rotation;
    server.before = (event) => {
      if (event !== 'change' || only(server.events, 'change').length !== 2) return;
      server.role('app', 'new-1').refuseAll(failure('DATABASE_UNREACHABLE'));
      throw failure('DATABASE_CONNECTION_LOST');
    };
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      facts: { waitedFor: expect.stringContaining('LOST') },
    });
    expect(server.passwordOf('app')).toBe('new-1');
  });

  it('says that the rotation was replaced while it waited, and nothing of passwords', async () => {
    const rotation = await withFailingProofs('DATABASE_FULL');
    const { server } = rotation;
    server.before = (event) => {
      if (event !== 'release') return;
      // Another rotation has begun, and has got as far as the database.
      server.meets = () => undefined;
      rotation.begin('2'.padEnd(36, '-'));
      server.role('app', 'of another rotation');
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'VERSION_UNKNOWN' });
    expect(server.passwordOf('app')).toBe('of another rotation');
  });

  it.each(BUSY)('tries again but once what was put back: %s', async (code) => {
    const rotation = await withFailingProofs(code);
    const { server } = rotation;
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({ code: 'PASSWORD_PUT_BACK', facts: { cause: code } });
    expect(only(server.events, 'change')).toHaveLength(2);
    expect(server.passwordOf('app')).toBe('old');
  });

  it('puts back what was stored before, as the login under the lock has shown it', async () => {
    const rotation = await at('setSecret');
    const salt = rotation.server.roles.get('app')?.salt;
    rotation.server.fresh = false;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'pending' ? { fails: failure('TLS_FAILED') } : undefined;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(rotation.server.roles.get('app')?.salt).toEqual(salt);
  });

  it('tries what its instance has logged in with once', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(V0, secretText({ password: 'previous' }), 'AWSPREVIOUS');
    rotation.server.role('app', 'previous');
    await rotation.step('createSecret');
    rotation.server.role('app', 'by hand').events.length = 0;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'NO_WORKING_PASSWORD' });
    expect(only(rotation.server.events, 'refused')).toEqual(['refused previous', 'refused current', 'refused pending']);
  });

  it('refuses a pending version for another login by naming whose it should be', async () => {
    for (const members of [{ username: 'other' }, { host: 'elsewhere' }, { port: 5433 }]) {
      const rotation = new FakeRotation();
      rotation.secrets.put(TOKEN, secretText({ password: 'new', ...members }));
      const { message } = await refusal(rotation.step('setSecret'));
      expect(message).toMatch(/must be for app on the current version's host and port, .*; AWSCURRENT logs in\.$/);
    }
  });
});

describe('a password that is found set, with PROMOTE=early,', () => {
  it('is promoted within what is left of the time, less a look', async () => {
    const rotation = await at('setSecret', true);
    rotation.promoteEarly = true;
    rotation.secrets.before = (call) => {
      if (call !== 'UpdateSecretVersionStage') return undefined;
      return new Promise(() => {});
    };
    rotation.server.before = (event) => {
      if (event === 'lock app') rotation.deadline.left = 1_040;
    };
    const { code, message } = await refusal(rotation.step('setSecret'));
    expect([code, message]).toEqual(['PASSWORD_NOT_PUT_BACK', expect.stringContaining('within 40 ms')]);
  });

  it('is not where it is current by then', async () => {
    const rotation = await at('setSecret', true);
    rotation.promoteEarly = true;
    rotation.server.before = (event) => {
      if (event === 'lock app') rotation.secrets.label('AWSCURRENT', TOKEN);
    };
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'already-current' });
    expect(rotation.secrets.calls).not.toContain('UpdateSecretVersionStage');
  });
});

describe('testSecret logs in once more under the lock, where it had to wait for that,', () => {
  it('and believes that login', async () => {
    const rotation = await at('testSecret', true);
    const times = timesOf(rotation, 'pending');
    expect(await rotation.step('testSecret')).toMatchObject({ outcome: 'done' });
    expect(rotation.server.events).toEqual(['login pending', 'await app', 'login pending', 'confirm', 'release']);
    expect(times.at(-1)).toBe(6_000);
  });

  it('which may find no room', async () => {
    const rotation = await at('testSecret', true);
    rotation.server.meets = ({ number }) =>
      number > 2 ? { withoutSession: failure('ROLE_CONNECTION_LIMIT') } : undefined;
    expect(await rotation.step('testSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.server.events, 'login')).toHaveLength(2);
  });

  it('and fails by what that login meets', async () => {
    const rotation = await at('testSecret', true);
    rotation.server.meets = ({ number }) => (number > 2 ? { withoutSession: failure('LOGIN_FORBIDDEN') } : undefined);
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code: 'LOGIN_FORBIDDEN' });
  });

  it('and does not wait for a password that was put back meanwhile', async () => {
    const rotation = await at('testSecret', true);
    rotation.server.before = (event) => void (event === 'await app' && rotation.server.role('app', 'old'));
    const { left } = rotation.deadline;
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(only(rotation.server.events, 'login')).toHaveLength(2);
    expect(rotation.deadline.left).toBe(left);
  });
});

it.each([
  'md5',
  'clear',
  'scram-sha-256',
] as const)('createSecret notes how AWSCURRENT is stored: %s', async (method) => {
  const rotation = new FakeRotation();
  if (method !== 'scram-sha-256') rotation.server.request = { method };
  await rotation.step('createSecret');
  const scram = { md5: false, clear: undefined, 'scram-sha-256': true }[method];
  expect(rotation.logins.get(ARN, V1)).toMatchObject({ source: 'current', scram });
});
