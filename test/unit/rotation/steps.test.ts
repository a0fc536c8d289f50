import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { ARN, FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');

describe('a rotation by one instance', () => {
  it('takes three logins, none refused, and eight calls', async () => {
    const rotation = new FakeRotation();
    await rotation.run();
    expect(only(rotation.server.events, 'login')).toEqual(['login current', 'login current', 'login pending']);
    expect(only(rotation.server.events, 'refused')).toEqual([]);
    expect(rotation.secrets.calls).toHaveLength(8);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('with two users takes three logins too', async () => {
    const rotation = new FakeRotation(alternatingUsers);
    await rotation.run();
    expect(only(rotation.server.events, 'login')).toEqual(['login current', 'login superuser', 'login pending']);
    expect(rotation.secrets.calls).toHaveLength(8);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
    expect(rotation.currentIsAccepted).toBe(true);
    expect(rotation.server.passwordOf('app')).toBe('old');
  });

  it.each([singleUser, alternatingUsers])('works with a new instance for each step: $name', async (strategy) => {
    const rotation = new FakeRotation(strategy);
    for (const step of STEPS) await rotation.anew().step(step);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each([singleUser, alternatingUsers])('may repeat each step: $name', async (strategy) => {
    const rotation = new FakeRotation(strategy);
    for (const step of STEPS) {
      await rotation.step(step);
      await rotation.anew().step(step);
    }
    expect(rotation.passwordIn('AWSCURRENT')).toBe('new-1');
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

function busy({ server, deadline }: FakeRotation): void {
  // Too little time for another try.
  deadline.left = 5_000;
  server.before = (event) => {
    if (event.startsWith('lock')) throw failure('ROLE_BUSY');
  };
}

describe('the guard', () => {
  const states: readonly (readonly [string, (rotation: FakeRotation) => void])[] = [
    ['ROTATION_NOT_ENABLED', ({ secrets }) => secrets.disable()],
    ['VERSION_UNKNOWN', ({ secrets }) => secrets.label('AWSPENDING')],
    ['VERSION_NOT_PENDING', ({ secrets }) => secrets.relabel('AWSPENDING', 'AWSOLD')],
    ['PENDING_RETIRED', ({ secrets }) => secrets.label('AWSPREVIOUS', TOKEN)],
  ];
  /** What fails in a step before its guard was asked. */
  const troubles: readonly (readonly [string, (rotation: FakeRotation) => void])[] = [
    ['nothing', () => {}],
    ['a wrong password', ({ server }) => server.role('app', 'unknown')],
    ['a server that is away', ({ server }) => server.refuseAll(failure('DATABASE_UNREACHABLE'))],
    ['a busy role', busy],
  ];
  const edits: typeof troubles = [
    ['a malformed AWSCURRENT', ({ secrets }) => void secrets.put('malformed', 'no JSON', 'AWSCURRENT')],
    ['an edited AWSCURRENT', (rotation) => rotation.edit(V2, { dbname: 'edited' })],
  ];
  const cases = states.flatMap(([code, state]) =>
    [...troubles, ...edits].map(([what, trouble]) => ({ code, what, state, trouble })),
  );

  for (const step of STEPS) {
    it.each(cases)(`of ${step} comes before all that it meets: $code with $what`, async ({ code, state, trouble }) => {
      const rotation = new FakeRotation();
      const before = STEPS[STEPS.indexOf(step) - 1];
      if (before !== undefined) await rotation.run(before);
      trouble(rotation.anew());
      state(rotation);
      const { server, secrets } = rotation;
      const [password, current] = [server.passwordOf('app'), secrets.with('AWSCURRENT')];
      expect(await refusal(rotation.step(step))).toMatchObject({ code });
      expect([server.passwordOf('app'), secrets.with('AWSCURRENT')]).toEqual([password, current]);
    });

    it.each(
      troubles,
    )(`of ${step} has nothing left to do once the version is current, whatever it meets: %s`, async (_, trouble) => {
      const rotation = new FakeRotation();
      await rotation.run();
      const { server, secrets } = rotation.anew();
      trouble(rotation);
      const password = server.passwordOf('app');
      expect(await rotation.step(step)).toMatchObject({ outcome: 'already-current' });
      expect([server.passwordOf('app'), secrets.with('AWSCURRENT')]).toEqual([password, TOKEN]);
    });
  }

  it('of setSecret is asked in the transaction: a late step of an abandoned rotation changes nothing', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.before = (event) => {
      if (event === 'hold') rotation.secrets.label('AWSPENDING');
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'VERSION_UNKNOWN' });
    expect(rotation.server.passwordOf('app')).toBe('old');
  });

  it('is an error that tells what to do where AWSPENDING is on a retired version', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.label('AWSPREVIOUS', TOKEN);
    const { remedy } = await refusal(rotation.step('createSecret'));
    expect(remedy).toMatch(
      /^aws secretsmanager update-secret-version-stage .*--version-stage AWSPENDING --remove-from/,
    );
  });
});

describe('createSecret', () => {
  it('stores the secret byte for byte, but for the two values', async () => {
    const rotation = new FakeRotation(singleUser, { note: [1.0, { deep: null }], dbname: 'shop' });
    await rotation.step('createSecret');
    expect(rotation.secrets.textOf(TOKEN)).toBe(rotation.secrets.textOf(V1)?.replace('"old"', '"new-1"'));
  });

  it('stores nothing before a login has shown that AWSCURRENT can be used', async () => {
    for (const code of ['TLS_NOT_SUPPORTED', 'DATABASE_NOT_FOUND', 'DATABASE_BEHIND_PROXY'] as const) {
      const rotation = new FakeRotation();
      rotation.server.refuseAll(failure(code));
      expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code, remedy: `Mend ${code}.` });
      expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
    }
  });

  it('refuses what its session shows, before anything is stored', async () => {
    const rotation = new FakeRotation();
    rotation.server.before = (event) => {
      if (event === 'examine') throw failure('SCRAM_ITERATIONS_TOO_HIGH');
    };
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'SCRAM_ITERATIONS_TOO_HIGH' });
    expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
  });

  it('has the next attempt succeed once AWSCURRENT is corrected as the remedy says', async () => {
    const rotation = new FakeRotation(singleUser, { host: 'wrong' });
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'DATABASE_HOST_NOT_FOUND' });
    rotation.edit(V2, { host: 'db' });
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('leaves the value that the version has', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    expect(await rotation.anew().step('createSecret')).toEqual({ outcome: 'already-done' });
    expect(rotation.passwordIn('AWSPENDING')).toBe('new-1');
  });

  it('refuses a value that it would not make of AWSCURRENT, and says that AWSCURRENT logs in', async () => {
    for (const members of [
      { dbname: 'x' },
      { ssl: false },
      { note: 1 },
      { host: 'elsewhere' },
      { username: 'other' },
    ]) {
      const rotation = new FakeRotation();
      rotation.secrets.put(TOKEN, secretText({ password: 'theirs', ...members }));
      expect(await refusal(rotation.step('createSecret'))).toMatchObject({
        code: 'PENDING_MISMATCH',
        remedy: expect.stringMatching(/^aws secretsmanager update-secret-version-stage/),
      });
      expect(rotation.server.passwordOf('app')).toBe('old');
    }
  });

  it('takes a value for what it would make that is only written in another way', async () => {
    const rotation = new FakeRotation(singleUser, { port: 5432, note: { a: 1, b: 2 } });
    const value = { note: { b: 2, a: 1 }, password: 'p', username: 'app', port: 5432, host: 'db', engine: 'postgres' };
    rotation.secrets.put(TOKEN, JSON.stringify(value, null, 2));
    expect(await rotation.step('createSecret')).toEqual({ outcome: 'already-done' });
  });
});

describe('AWSCURRENT is what DescribeSecret says', () => {
  it('so createSecret reads again where it was given another version', async () => {
    const rotation = new FakeRotation();
    rotation.edit(V2, { dbname: 'edited' });
    rotation.secrets.stale = { versionId: V1, times: 2 };
    await rotation.step('createSecret');
    expect(JSON.parse(rotation.secrets.textOf(TOKEN) ?? '')).toMatchObject({ dbname: 'edited' });
  });

  it('and where the two go on disagreeing, nothing is stored', async () => {
    const rotation = new FakeRotation();
    rotation.edit(V2, { dbname: 'edited' });
    rotation.secrets.stale = { versionId: V1, times: 1_000 };
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'LABEL_MOVED' });
    expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
  });

  it.each([
    ['a password', { password: 'old' }],
    ['another member', { dbname: 'edited' }],
  ])('so setSecret begins anew where it was given an older version, which differs in %s', async (_, members) => {
    const rotation = new FakeRotation();
    rotation.edit(V2, members);
    await rotation.step('createSecret');
    rotation.secrets.stale = { versionId: V1, times: 1 };
    await rotation.anew().step('setSecret');
    await rotation.step('finishSecret');
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('and finishSecret promotes over the version that it has read in the end', async () => {
    const rotation = new FakeRotation();
    await rotation.run('testSecret');
    rotation.anew().secrets.stale = { versionId: TOKEN, times: 1 };
    expect(await rotation.step('finishSecret')).toEqual({ outcome: 'done' });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
  });
});

describe('testSecret', () => {
  it('asks nothing where the setSecret of this instance has proven the version', async () => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    const [calls, events] = [rotation.secrets.calls.length, rotation.server.events.length];
    expect(await rotation.step('testSecret')).toEqual({ outcome: 'done', credential: 'pending' });
    expect([rotation.secrets.calls.length, rotation.server.events.length]).toEqual([calls, events]);
  });

  it('logs in where another instance has, where it only tested itself, and where the lock was lost', async () => {
    const rotation = new FakeRotation();
    rotation.server.before = (event) => {
      if (event === 'release') rotation.server.breakLock('app');
    };
    await rotation.run('setSecret');
    for (const instance of [rotation, rotation.anew(), rotation]) {
      const before = only(rotation.server.events, 'login pending').length;
      await instance.step('testSecret');
      expect(only(rotation.server.events, 'login pending')).toHaveLength(before + 1);
    }
  });

  it('refuses a password that does not log in, and has it not promoted', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
  });

  it('may be all that is called, on a version with the current value', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(TOKEN, secretText());
    expect(await rotation.step('testSecret')).toEqual({ outcome: 'done', credential: 'pending' });
  });
});

describe.each(['testSecret', 'finishSecret'] as const)('%s of an instance that has proven nothing', (step) => {
  it('waits for whoever is changing the role, and promotes no password that was put back then', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    const other = rotation.beside();
    // No time for another try.
    rotation.deadline.left = 5_000;
    let waiting: Promise<unknown> | undefined;
    rotation.server.before = async (event) => {
      // The change is made, and its proof gets no answer.
      if (event !== 'confirm' || waiting !== undefined) return;
      waiting = refusal(other.step(step));
      while (!rotation.server.events.includes('await app')) await Promise.resolve();
      throw failure('DATABASE_TIMEOUT');
    };
    let attempts = 0;
    rotation.server.meets = ({ credential: { source } }) =>
      // The proof, the other instance's login, and the look, which gets no answer either.
      source === 'pending' && ++attempts === 3 ? { fails: failure('DATABASE_TIMEOUT') } : undefined;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(await waiting).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

describe('finishSecret', () => {
  it('asks for one description where this instance has compared and proven', async () => {
    const rotation = new FakeRotation();
    await rotation.run('testSecret');
    rotation.secrets.calls.length = 0;
    await rotation.step('finishSecret');
    expect(rotation.secrets.calls).toEqual(['DescribeSecret', 'UpdateSecretVersionStage']);
  });

  it('logs in where nobody has', async () => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    const before = only(rotation.server.events, 'login pending').length;
    await rotation.anew().step('finishSecret');
    expect(only(rotation.server.events, 'login pending')).toHaveLength(before + 1);
  });

  it('compares, but does not log in again, where this instance has tested without having set', async () => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    await rotation.anew().step('testSecret');
    const before = rotation.server.events.length;
    await rotation.step('finishSecret');
    expect(rotation.server.events).toHaveLength(before);
  });

  it('reads, compares and logs in again where another version of the same content is current by now', async () => {
    const rotation = new FakeRotation();
    await rotation.run('testSecret');
    rotation.edit(V2, {});
    const before = only(rotation.server.events, 'login pending').length;
    await rotation.step('finishSecret');
    expect(only(rotation.server.events, 'login pending')).toHaveLength(before + 1);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
  });

  it.each([
    true,
    false,
  ])("undoes nobody's edit of another member (same instance: %s), and AWSCURRENT then logs in", async (same) => {
    const rotation = new FakeRotation();
    await rotation.run('testSecret');
    rotation.edit(V2, { dbname: 'edited' });
    const error = await refusal((same ? rotation : rotation.anew()).step('finishSecret'));
    expect(error).toMatchObject({ code: 'PENDING_MISMATCH', message: expect.stringContaining('AWSCURRENT logs in') });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V2);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('refuses over a version whose password alone was edited, as far as this instance remembers', async () => {
    const rotation = new FakeRotation();
    await rotation.run('testSecret');
    rotation.edit(V2, { password: 'by hand' });
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'PENDING_MISMATCH' });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V2);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('has succeeded where another one was faster, and has not where somebody else moved the label', async () => {
    for (const [to, outcome] of [
      [TOKEN, { outcome: 'already-current' }],
      [V2, { code: 'LABEL_MOVED' }],
    ] as const) {
      const rotation = new FakeRotation();
      await rotation.run('testSecret');
      rotation.secrets.put(V2, secretText({ password: 'theirs' }));
      rotation.secrets.before = (call) => {
        if (call === 'UpdateSecretVersionStage') rotation.secrets.label('AWSCURRENT', to);
      };
      const result = await rotation.step('finishSecret').catch((error: unknown) => error);
      expect(result).toMatchObject(outcome);
      expect(rotation.secrets.with('AWSCURRENT')).toBe(to);
    }
  });
});

it.each([
  singleUser,
  alternatingUsers,
])('setSecret has nothing left to do where another instance has finished the rotation meanwhile: $name', async (strategy) => {
  const rotation = new FakeRotation(strategy);
  await rotation.step('createSecret');
  rotation.server.before = (event) => {
    if (event !== 'hold') return;
    rotation.secrets.label('AWSCURRENT', TOKEN);
    rotation.secrets.label('AWSPENDING');
  };
  expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'already-current' });
  expect(rotation.server.events).not.toContain('change');
  expect(only(rotation.server.events, 'login pending')).toEqual([]);
  // Nothing was proven by that.
  expect(rotation.logins.get(ARN, TOKEN)).toBeUndefined();
});
