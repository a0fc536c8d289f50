import { describe, expect, it, vi } from 'vitest';
import { RotationError, type RotationErrorCode, type RotationErrorFacts } from '../../../shared/errors.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { Patience, passesByItself, pauseAfter } from '../../../shared/rotation/patience.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { FakeRotation, ManualDeadline, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const errorOf = (code: RotationErrorCode, facts: Partial<RotationErrorFacts> = {}) =>
  new RotationError(code, `${code} was met.`, { remedy: 'Look at the server.', ...facts });

describe('what passes by itself', () => {
  it.each<[RotationErrorCode, Partial<RotationErrorFacts>]>([
    ['DATABASE_UNREACHABLE', { reason: 'ECONNREFUSED' }],
    ['DATABASE_UNAVAILABLE', { reason: '57P03' }],
    ['DATABASE_UNAVAILABLE', { reason: '57P01' }],
    ['DATABASE_CONNECTION_LOST', { reason: 'ECONNRESET' }],
    ['DATABASE_CONNECTION_LOST', {}],
    ['DATABASE_HOST_NOT_FOUND', { reason: 'EAI_AGAIN' }],
    ['DATABASE_HOST_NOT_FOUND', { reason: 'EAI_FAIL' }],
    ['DATABASE_HOST_NOT_FOUND', { reason: 'EAI_SYSTEM' }],
    ['DATABASE_TIMEOUT', {}],
    ['DATABASE_FULL', { reason: '53300' }],
    ['ROLE_CONNECTION_LIMIT', { reason: '53300' }],
    ['DATABASE_READ_ONLY', { reason: '25006' }],
    ['ROLE_BUSY', { reason: '55P03' }],
    ['PASSWORD_NOT_PUT_BACK', { cause: 'DATABASE_UNREACHABLE' }],
    ['PASSWORD_NOT_PUT_BACK', { cause: 'ROLE_CONNECTION_LIMIT', reason: '53300' }],
    ['PASSWORD_NOT_PUT_BACK', { cause: 'DATABASE_HOST_NOT_FOUND', reason: 'EAI_AGAIN' }],
    ['PASSWORD_PUT_BACK', { cause: 'DATABASE_FULL' }],
    ['PASSWORD_PUT_BACK', { cause: 'DATABASE_TIMEOUT' }],
  ])('%s %o', (code, facts) => {
    expect(passesByItself(errorOf(code, facts))).toBe(true);
  });

  it.each<[RotationErrorCode, Partial<RotationErrorFacts>]>([
    ['PASSWORD_NOT_ACCEPTED', { reason: '28P01' }],
    ['NO_WORKING_PASSWORD', {}],
    ['DATABASE_HOST_NOT_FOUND', { reason: 'ENOTFOUND' }],
    ['DATABASE_HOST_NOT_FOUND', {}],
    ['ROLE_CONNECTION_LIMIT', {}],
    ['DATABASE_CONNECTION_LOST', { reason: '57P05' }],
    ['DATABASE_CONNECTION_LOST', { reason: '25P03' }],
    ['DATABASE_CONNECTION_LOST', { reason: '25P04' }],
    ['DATABASE_NOT_FOUND', { reason: '3D000' }],
    ['LOGIN_FORBIDDEN', { reason: '28000' }],
    ['TLS_UNTRUSTED_CERTIFICATE', {}],
    ['TLS_FAILED', {}],
    ['PASSWORD_REFUSED_BY_POLICY', {}],
    // It was usable before, and is put back: another change would be another moment without a password that works.
    ['PASSWORD_PUT_BACK', { cause: 'DATABASE_UNREACHABLE' }],
    ['PASSWORD_PUT_BACK', {}],
    ['PASSWORD_NOT_PUT_BACK', { cause: 'PASSWORD_NOT_ACCEPTED' }],
    ['PASSWORD_NOT_PUT_BACK', {}],
    // The SDK has tried these again already.
    ['SECRETS_MANAGER_THROTTLED', {}],
    ['SECRETS_MANAGER_UNREACHABLE', {}],
    ['UNEXPECTED', {}],
  ])('is not %s %o', (code, facts) => {
    expect(passesByItself(errorOf(code, facts))).toBe(false);
  });
});

describe('pauses', () => {
  it('grow from 100 ms to 2 s, and are never the same for all', () => {
    const unreachable = errorOf('DATABASE_UNREACHABLE');
    expect([1, 2, 3, 4, 5, 6, 60].map((tries) => pauseAfter(unreachable, tries, 1))).toEqual([
      100, 200, 400, 800, 1_600, 2_000, 2_000,
    ]);
    expect([1, 60].map((tries) => pauseAfter(unreachable, tries, 0))).toEqual([50, 1_000]);
  });

  it('are sooner long where the server is full, as each connection that it refuses costs it a process', () => {
    const full = errorOf('DATABASE_FULL');
    expect([1, 2, 3, 60].map((tries) => pauseAfter(full, tries, 1))).toEqual([500, 1_000, 2_000, 2_000]);
    expect(pauseAfter(errorOf('PASSWORD_PUT_BACK', { cause: 'DATABASE_FULL' }), 1, 1)).toBe(500);
    expect(pauseAfter(errorOf('PASSWORD_NOT_PUT_BACK', { cause: 'DATABASE_FULL' }), 1, 1)).toBe(100);
  });
});

describe('patience', () => {
  /** Pauses are over at once, and take their time from the deadline. */
  function patience(left: number, reserve: number) {
    const deadline = new ManualDeadline(left);
    const pauses: number[] = [];
    const sleep = async (ms: number) => {
      pauses.push(ms);
      deadline.left -= ms;
    };
    return { deadline, pauses, patience: new Patience(deadline, reserve, sleep) };
  }

  it('ends with the first success, and tells for what it waited and how long', async () => {
    const { patience: patient, pauses } = patience(20_000, 8_000);
    expect(patient.waited).toBeUndefined();
    const codes: RotationErrorCode[] = ['DATABASE_UNREACHABLE', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'];
    const done = await patient.patiently(async () => {
      const code = codes.shift();
      if (code !== undefined) throw failure(code);
      return 'done';
    });
    expect(done).toBe('done');
    expect(pauses).toHaveLength(3);
    expect(patient.waited?.for).toEqual(['DATABASE_UNREACHABLE', 'DATABASE_UNAVAILABLE']);
    expect(patient.waited?.ms).toBeGreaterThanOrEqual(Math.floor(pauses.reduce((sum, pause) => sum + pause, 0)));
  });

  it('leaves the time that is reserved, and fails by what it met', async () => {
    for (const reserve of [8_000, 1_000]) {
      const { patience: patient, deadline } = patience(20_000, reserve);
      expect(await refusal(patient.patiently(() => Promise.reject(failure('DATABASE_FULL'))))).toMatchObject({
        code: 'DATABASE_FULL',
      });
      expect(deadline.left).toBeGreaterThanOrEqual(reserve);
      expect(deadline.left).toBeLessThan(reserve + 2_000);
    }
  });

  it('has none where there is no time, nor for what does not pass', async () => {
    for (const [left, code] of [
      [8_000, 'DATABASE_FULL'],
      [20_000, 'PASSWORD_NOT_ACCEPTED'],
    ] as const) {
      const { patience: patient, pauses } = patience(left, 8_000);
      expect(await refusal(patient.patiently(() => Promise.reject(failure(code))))).toMatchObject({ code });
      expect(pauses).toEqual([]);
      expect(patient.waited).toBeUndefined();
    }
  });

  it('tries once more where the reserved time would just be left', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    try {
      for (const [left, tries] of [
        [8_050, 2],
        [8_049, 1],
      ] as const) {
        const { patience: patient, deadline } = patience(left, 8_000);
        let tried = 0;
        const work = () => Promise.reject(failure(++tried === 1 ? 'DATABASE_FULL' : 'DATABASE_UNREACHABLE'));
        // What it failed by last is what is told.
        const { code } = await refusal(patient.patiently(work));
        expect([tried, code]).toEqual([tries, tries === 1 ? 'DATABASE_FULL' : 'DATABASE_UNREACHABLE']);
        // A pause is no longer than what is left.
        expect(deadline.left).toBe(tries === 1 ? left : 8_000);
      }
    } finally {
      random.mockRestore();
    }
  });

  it('has none for what is no RotationError, whoever thinks that worthwhile', async () => {
    const { patience: patient, pauses } = patience(20_000, 8_000);
    const thrown = new TypeError('unexpected');
    const work = () => Promise.reject(thrown);
    await expect(patient.patiently(work, () => true)).rejects.toBe(thrown);
    await expect(patient.patiently(work)).rejects.toBe(thrown);
    expect(pauses).toEqual([]);
  });

  it('counts no moment twice where one wait is within another', async () => {
    const { patience: patient, pauses } = patience(20_000, 8_000);
    let [inner, outer] = [2, 1];
    await patient.patiently(async () => {
      await patient.patiently(async () => {
        if (inner-- > 0) throw failure('DATABASE_FULL');
      });
      if (outer-- > 0) throw failure('ROLE_BUSY');
    });
    expect(patient.waited?.for).toEqual(['DATABASE_FULL', 'ROLE_BUSY']);
    expect(patient.waited?.ms).toBeLessThanOrEqual(Math.ceil(pauses.reduce((sum, pause) => sum + pause, 0)) + 50);
  });

  it('tells what sessions have waited themselves for the role, but not what is shorter than a pause', async () => {
    const { patience: patient, deadline } = patience(20_000, 8_000);
    vi.spyOn(performance, 'now').mockReturnValue(10_000);
    try {
      deadline.onBusy?.(9_901);
      expect(patient.waited).toBeUndefined();
      deadline.onBusy?.(9_900);
      deadline.onBusy?.(6_100);
      expect(patient.waited).toEqual({ ms: 4_000, for: ['ROLE_BUSY'] });
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('counts no moment twice where a session that had waited is begun anew', async () => {
    const { patience: patient, deadline, pauses } = patience(20_000, 8_000);
    let busy = 2;
    await patient.patiently(async () => {
      deadline.onBusy?.(performance.now() - 900);
      if (busy-- > 0) throw failure('ROLE_BUSY');
    });
    expect(patient.waited?.for).toEqual(['ROLE_BUSY']);
    expect(patient.waited?.ms).toBeLessThanOrEqual(900 + Math.ceil(pauses.reduce((sum, pause) => sum + pause, 0)) + 50);
  });

  it('tells of a password that could not be put back, not of what a later look failed by', async () => {
    const { patience: patient } = patience(20_000, 8_000);
    const lost = errorOf('PASSWORD_NOT_PUT_BACK', { cause: 'DATABASE_CONNECTION_LOST' });
    let tries = 0;
    const work = () => Promise.reject(tries++ === 0 ? lost : failure('DATABASE_UNREACHABLE'));
    expect(await refusal(patient.patiently(work))).toBe(lost);
    expect(tries).toBeGreaterThan(3);
  });
});

describe('a step', () => {
  it.each([
    'createSecret',
    'setSecret',
    'testSecret',
  ] as const)('%s waits for a server that is not there yet', async (step) => {
    const rotation = new FakeRotation();
    if (step !== 'createSecret') await rotation.step('createSecret');
    if (step === 'testSecret') await rotation.step('setSecret');
    let refused = 3;
    rotation.server.meets = () => (refused-- > 0 ? { fails: failure('DATABASE_UNREACHABLE') } : undefined);
    const report = await rotation.anew().step(step);
    expect(report).toMatchObject({ outcome: 'done', waited: { for: ['DATABASE_UNREACHABLE'] } });
    await rotation.run('finishSecret');
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each(['done', 'failed'])('that has waited for the role in its session tells so where it is %s', async (end) => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    const { deadline, server } = rotation;
    server.before = (event) => {
      if (event !== 'lock app') return;
      deadline.onBusy?.(performance.now() - 4_000);
      if (end === 'failed') deadline.left = 8_000;
      if (end === 'failed') throw failure('ROLE_BUSY');
    };
    if (end === 'done')
      expect(await rotation.step('setSecret')).toMatchObject({
        waited: { ms: expect.closeTo(4_000, -2), for: ['ROLE_BUSY'] },
      });
    else
      expect(await refusal(rotation.step('setSecret'))).toMatchObject({
        code: 'ROLE_BUSY',
        message: expect.stringMatching(/, after 4\.0 s of waiting \(ROLE_BUSY\)\.$/),
        facts: { waitedMs: expect.closeTo(4_000, -2), waitedFor: 'ROLE_BUSY' },
      });
  });

  it.each([
    ['createSecret', 28_000, 2_000],
    ['setSecret', 28_000, 8_000],
    ['setSecret', 12_800, 8_000],
    ['setSecret', 8_000, 5_000],
    ['setSecret', 6_000, 5_000],
    ['createSecret', 1_600, 1_000],
    ['testSecret', 800, 500],
  ] as const)('%s of %i ms leaves %i of them', async (step, time, reserve) => {
    const rotation = new FakeRotation();
    for (const before of ['createSecret', 'setSecret', 'testSecret'] as const) {
      if (before === step) break;
      await rotation.step(before);
    }
    rotation.anew().server.meets = () => ({ fails: failure('DATABASE_UNREACHABLE') });
    rotation.deadline = new ManualDeadline(time);
    await refusal(rotation.step(step));
    expect(rotation.deadline.left).toBeLessThan(reserve + 50);
    expect(rotation.deadline.left).toBeGreaterThanOrEqual(reserve);
  });

  it('makes a login again before it tries another one: a wrong password is not repeated', async () => {
    const rotation = new FakeRotation();
    rotation.server.role('app', 'previous');
    rotation.secrets.put('v0'.padEnd(36, '-'), secretText({ password: 'previous' }), 'AWSPREVIOUS');
    let refused = 2;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'previous' && refused-- > 0 ? { fails: failure('DATABASE_FULL') } : undefined;
    await rotation.step('createSecret');
    expect(only(rotation.server.events, 'login')).toEqual([
      'login current',
      'login previous',
      'login previous',
      'login previous',
    ]);
  });

  it('whose commit was answered by nobody looks, and finds that the server has the password', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    let commits = 0;
    rotation.between = (database) => ({
      ...database,
      withLogin: (credential, work) =>
        database.withLogin(credential, async (roles) => {
          const value = await work({
            ...roles,
            lockOwn: async () => {
              const role = await roles.lockOwn();
              return {
                ...role,
                prepare: async (to, origin) => {
                  const change = await role.prepare(to, origin);
                  return {
                    ...change,
                    apply: async (guard) => {
                      await change.apply(guard);
                      commits++;
                      throw failure('DATABASE_CONNECTION_LOST');
                    },
                  };
                },
              };
            },
          });
          return value;
        }),
    });
    expect(await rotation.step('setSecret')).toMatchObject({
      outcome: 'already-done',
      credential: 'pending',
      waited: { for: ['DATABASE_CONNECTION_LOST'] },
    });
    expect(commits).toBe(1);
  });

  it('goes on with a change whose proof and way back were lost, as soon as the server is there again', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.noWayBack = 'the connection broke off';
    let isDown = false;
    rotation.server.before = (event) => {
      if (event === 'change') isDown = true;
    };
    rotation.meanwhile = () => {
      isDown = false;
    };
    rotation.server.meets = () => (isDown ? { fails: failure('DATABASE_READ_ONLY') } : undefined);
    expect(await rotation.step('setSecret')).toMatchObject({
      outcome: 'already-done',
      credential: 'pending',
      waited: { for: ['DATABASE_READ_ONLY'] },
    });
    expect(only(rotation.server.events, 'change')).toHaveLength(1);
  });

  it('does not begin another change where the proof was refused and the way back is lost', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.noWayBack = 'the connection broke off';
    rotation.server.meets = ({ credential: { source } }) => (source === 'pending' ? { refused: true } : undefined);
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_NOT_PUT_BACK' });
    expect(only(rotation.server.events, 'change')).toHaveLength(1);
  });

  it('asks again where DescribeSecret does not show the rotation yet', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.label('AWSPENDING');
    rotation.meanwhile = () => rotation.secrets.label('AWSPENDING', TOKEN);
    expect(await rotation.step('createSecret')).toMatchObject({ outcome: 'done' });
    rotation.secrets.label('AWSPENDING');
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
    expect(rotation.server.passwordOf('app')).toBe('new-1');
  });

  const STEPS_THAT_READ = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

  it.each(STEPS_THAT_READ)('%s reads again where GetSecretValue has not heard of the label yet', async (step) => {
    for (const strategy of [singleUser, alternatingUsers]) {
      const rotation = new FakeRotation(strategy);
      // A createSecret that is repeated finds the value that it had stored.
      await rotation.run(step === 'createSecret' ? step : STEPS_THAT_READ[STEPS_THAT_READ.indexOf(step) - 1]);
      let behind = 2;
      rotation.secrets.before = (call) => {
        if (call === `GetSecretValue ${TOKEN} AWSPENDING` && behind-- > 0) throw failure('VERSION_NOT_PENDING');
      };
      const outcome = step === 'createSecret' ? 'already-done' : 'done';
      expect(await rotation.anew().step(step)).toMatchObject({ outcome });
      expect(behind).toBeLessThan(0);
    }
  });

  it.each([
    ['without the label', 'VERSION_NOT_PENDING', () => {}],
    ['given up meanwhile', 'VERSION_UNKNOWN', ({ secrets }: FakeRotation) => secrets.label('AWSPENDING')],
  ] as const)('testSecret fails where its version stays %s', async (_, code, act) => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    const { deadline, secrets } = rotation.anew();
    const { left } = deadline;
    secrets.before = (call) => {
      if (call === `GetSecretValue ${TOKEN} AWSPENDING`) throw failure('VERSION_NOT_PENDING');
    };
    rotation.meanwhile = () => act(rotation);
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code });
    expect(left - deadline.left).toBeLessThan(1_000);
  });

  it.each([
    'testSecret',
    'finishSecret',
  ] as const)('%s has nothing to do where another one was faster', async (step) => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    const { secrets } = rotation.anew();
    secrets.before = (call) => {
      if (call === `GetSecretValue ${TOKEN} AWSPENDING`) throw failure('VERSION_NOT_PENDING');
    };
    rotation.meanwhile = () => {
      secrets.label('AWSCURRENT', TOKEN);
      secrets.label('AWSPENDING');
    };
    expect(await rotation.step(step)).toMatchObject({ outcome: 'already-current' });
  });

  it('changes nothing of a rotation that is cancelled for good', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.secrets.label('AWSPENDING');
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'VERSION_UNKNOWN' });
    expect(rotation.server.passwordOf('app')).toBe('old');
    expect(only(rotation.server.events, 'login')).toHaveLength(1);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
  });
});

describe('a superuser secret', () => {
  /** Its server has a newer password than AWSCURRENT. */
  async function replaced() {
    const rotation = new FakeRotation(alternatingUsers);
    await rotation.step('createSecret');
    rotation.server.role('admin', 'newer');
    return rotation;
  }

  /** The new version of the superuser secret is AWSCURRENT. */
  function isCurrent(rotation: FakeRotation): void {
    rotation.superuser = secretText({ username: 'admin', password: 'newer' });
    rotation.superuserVersion = 2;
  }

  async function expectReadAnew(rotation: FakeRotation): Promise<void> {
    expect(await rotation.step('setSecret')).toMatchObject({
      outcome: 'done',
      waited: { for: ['PASSWORD_NOT_ACCEPTED'] },
    });
    expect(only(rotation.server.events, 'login superuser')).toHaveLength(2);
  }

  it('that is being replaced is read anew until its new version is current, and no version logs in twice', async () => {
    const rotation = await replaced();
    rotation.superuserIsRotating = true;
    let pauses = 0;
    rotation.meanwhile = () => {
      if (++pauses < 3) return;
      isCurrent(rotation);
    };
    await expectReadAnew(rotation);
  });

  it('whose rotation has ended is read again for a moment, as a read may be behind', async () => {
    const rotation = await replaced();
    const { left } = rotation.deadline;
    rotation.meanwhile = () => {
      if (left - rotation.deadline.left < 700) return;
      isCurrent(rotation);
    };
    await expectReadAnew(rotation);
  });

  it('that nobody is replacing fails after a moment, and one whose rotation does not end at the end', async () => {
    for (const isRotating of [false, true]) {
      const rotation = await replaced();
      rotation.superuserIsRotating = isRotating;
      const { left } = rotation.deadline;
      expect(await refusal(rotation.step('setSecret'))).toMatchObject({
        code: 'PASSWORD_NOT_ACCEPTED',
        facts: { credential: 'superuser' },
      });
      expect(rotation.deadline.left < 11_000).toBe(isRotating);
      if (!isRotating) expect(left - rotation.deadline.left).toBeLessThanOrEqual(1_500);
      expect(only(rotation.server.events, 'login superuser')).toHaveLength(1);
    }
  });
});
