import { describe, expect, it } from 'vitest';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import { ARN, FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');
const B = 'b'.padEnd(36, '-');

/** A rotation whose setSecret changes the password and then has its proof go wrong. */
async function failing(how: (rotation: FakeRotation) => void): Promise<FakeRotation> {
  const rotation = new FakeRotation();
  await rotation.step('createSecret');
  how(rotation);
  return rotation;
}

/** What logins as AWSPENDING meet. */
const meets = (code: RotationErrorCode, kind: 'fails' | 'withoutSession') => (rotation: FakeRotation) => {
  const meeting = kind === 'fails' ? { fails: failure(code) } : { withoutSession: failure(code) };
  rotation.server.meets = ({ credential: { source } }) => (source === 'pending' ? meeting : undefined);
};

/** Somebody else does something as soon as the change was made; then logins as AWSPENDING fail. */
const meanwhile = (act: (rotation: FakeRotation) => void) => (rotation: FakeRotation) => {
  meets('TLS_FAILED', 'fails')(rotation);
  let isDone = false;
  rotation.server.before = (event) => {
    if (event !== 'login pending' || isDone) return;
    isDone = true;
    act(rotation);
  };
};

/** Applications are where they were before setSecret. */
function expectUnharmed(rotation: FakeRotation): void {
  expect(rotation.server.passwordOf('app')).toBe('old');
  expect(rotation.secrets.with('AWSCURRENT')).toBe(V1);
  expect(rotation.currentIsAccepted).toBe(true);
}

describe('a new password that applications could not use is taken back', () => {
  it.each<[RotationErrorCode, 'fails' | 'withoutSession']>([
    ['TLS_FAILED', 'fails'],
    ['DATABASE_TIMEOUT', 'fails'],
    ['DATABASE_ERROR', 'fails'],
    ['LOGIN_FORBIDDEN', 'withoutSession'],
    ['DATABASE_NOT_FOUND', 'withoutSession'],
    ['DATABASE_TIMEOUT', 'withoutSession'],
    ['PERMISSION_DENIED', 'withoutSession'],
  ])('%s (%s)', async (code, kind) => {
    const rotation = await failing(meets(code, kind));
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({
      code: 'PASSWORD_PUT_BACK',
      message: expect.stringMatching(
        new RegExp(`^The new password had to be .*${code}.*AWSCURRENT logs in again(, after .*)?\\.$`),
      ),
      facts: { reason: code },
    });
    expectUnharmed(rotation);
    // Nothing of it is believed afterwards.
    await expect(rotation.step('finishSecret')).rejects.toThrow();
    expectUnharmed(rotation);
  });

  it.each<RotationErrorCode>([
    'DATABASE_UNREACHABLE',
    'DATABASE_HOST_NOT_FOUND',
    'DATABASE_CONNECTION_LOST',
  ])('where nothing answers, as long as there is time: %s', async (code) => {
    const rotation = await failing(meets(code, 'fails'));
    rotation.deadline.left = 3_900;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(only(rotation.server.events, 'login pending').length).toBeGreaterThan(2);
    expectUnharmed(rotation);
  });

  it('and is not where the answer comes in time', async () => {
    const rotation = await failing(({ server }) => {
      let attempts = 0;
      server.meets = ({ credential: { source } }) =>
        source === 'pending' && ++attempts < 3 ? { fails: failure('DATABASE_UNAVAILABLE') } : undefined;
    });
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('where the server refuses it, and shows the salt that was set, or that of before', async () => {
    for (const salt of ['set', 'former']) {
      const rotation = await failing(({ server }) => {
        // pg_hba.conf lets in none of that kind; or somebody in between has never heard of the change.
        const former = server.roles.get('app')?.salt ?? Buffer.alloc(0);
        server.meets = ({ credential: { source } }) => {
          if (source !== 'pending') return undefined;
          return salt === 'set' ? { refused: true } : { refused: true, salt: former };
        };
      });
      expect(await refusal(rotation.step('setSecret'))).toMatchObject({
        code: 'PASSWORD_PUT_BACK',
        facts: { reason: 'PASSWORD_NOT_ACCEPTED' },
      });
      expectUnharmed(rotation);
    }
  });

  it('where something unexpected is thrown', async () => {
    const rotation = await failing(({ server }) => {
      server.before = (event) => {
        if (event === 'confirm' && server.passwordOf('app') === 'new-1') throw new TypeError('quotes new-1');
      };
    });
    const error = await refusal(rotation.step('setSecret'));
    expect(error.code).toBe('PASSWORD_PUT_BACK');
    expect(`${error.stack}${error.message}`).not.toContain('quotes');
    expectUnharmed(rotation);
  });

  it.each<RotationErrorCode>([
    'ROLE_CONNECTION_LIMIT',
    'DATABASE_FULL',
  ])('but not where the server took it and only has no room: %s', async (code) => {
    const rotation = await failing(meets(code, 'withoutSession'));
    await rotation.run();
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

describe('before it is put back, it is looked whether somebody has moved on', () => {
  it('and where the very version is current by now, the rotation has succeeded', async () => {
    const rotation = await failing(meanwhile(({ secrets }) => secrets.label('AWSCURRENT', TOKEN)));
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'already-current' });
    expect(rotation.server.passwordOf('app')).toBe('new-1');
    expect(rotation.currentIsAccepted).toBe(true);
    expect(rotation.logins.get(ARN, TOKEN)).toBeUndefined();
  });

  it('and where AWSCURRENT is another that logs in, the step begins anew with that one', async () => {
    const act = (rotation: FakeRotation) => {
      rotation.server.role('app', 'by hand');
      rotation.edit(V2, { password: 'by hand' });
    };
    const rotation = await failing(meanwhile(act));
    // The step begins anew with that one, and fails as it did.
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({ code: 'PASSWORD_PUT_BACK', message: expect.stringContaining('AWSCURRENT logs in') });
    expect(rotation.server.passwordOf('app')).toBe('by hand');
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V2);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('and where another rotation has set its own password, from another database, nothing is put back', async () => {
    const act = (rotation: FakeRotation) => {
      rotation.secrets.label('AWSPENDING');
      rotation.begin(B);
      rotation.secrets.put(B, secretText({ password: 'of b' }));
      rotation.server.role('app', 'of b');
    };
    const rotation = await failing(meanwhile(act));
    // The next attempt of the step hears that its rotation was given up.
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'VERSION_NOT_PENDING' });
    expect(rotation.server.passwordOf('app')).toBe('of b');
    expect(only(rotation.server.events, 'way back')).toEqual([]);
  });

  it('and where the new password logs in after all, it is kept, and the rotation has succeeded', async () => {
    const rotation = await failing(({ server }) => {
      let attempts = 0;
      server.meets = ({ credential: { source } }) =>
        source === 'pending' && ++attempts === 1 ? { fails: failure('TLS_FAILED') } : undefined;
    });
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'current' });
    expect(rotation.server.events).not.toContain('way back to current');
    expect(rotation.server.passwordOf('app')).toBe('new-1');
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each([
    false,
    true,
  ])("and what a person has set by hand stays: the server's salt shows it (AWSPENDING off: %s)", async (off) => {
    const rotation = await failing(({ server, secrets }) => {
      server.before = (event) => {
        if (event !== 'login pending') return;
        if (off) secrets.label('AWSPENDING');
        server.role('app', 'by hand');
      };
    });
    const error = await refusal(rotation.step('setSecret'));
    expect(error).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      message: expect.stringContaining('somebody has set another one'),
      remedy: expect.stringMatching(/^aws secretsmanager update-secret-version-stage .*store the password/),
    });
    expect(rotation.server.passwordOf('app')).toBe('by hand');
    expect(only(rotation.server.events, 'way back')).toEqual([]);
    // As the remedy says.
    rotation.server.before = () => {};
    rotation.secrets.label('AWSPENDING');
    rotation.edit(V2, { password: 'by hand' });
    rotation.begin(B);
    await rotation.run('finishSecret', B);
    expect(rotation.secrets.with('AWSCURRENT')).toBe(B);
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it.each([
    'md5',
    'clear',
  ] as const)('and where the server shows no salt (%s), what was refused is put back', async (method) => {
    const rotation = await failing(({ server }) => {
      server.request = { method };
      server.before = (event) => {
        if (event === 'login pending') server.role('app', 'something else');
      };
    });
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expectUnharmed(rotation);
  });

  it('while the row is held: who comes between the look and the way back has the last word', async () => {
    let person: Promise<void> | undefined;
    const rotation = await failing((each) => {
      const { server, secrets } = each;
      meets('TLS_FAILED', 'fails')(each);
      secrets.before = (call) => {
        if (call !== 'DescribeSecret' || !server.events.includes('change')) return;
        person ??= server.setByHand('app', 'by hand').then(() => each.edit(V2, { password: 'by hand' }));
      };
    });
    await refusal(rotation.step('setSecret'));
    await person;
    expect(rotation.server.events).toContain('way back to current');
    expect(rotation.server.passwordOf('app')).toBe('by hand');
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('and where AWSCURRENT is another that does not log in, what had logged in is put back', async () => {
    const rotation = await failing(meanwhile((each) => each.edit(V2, { password: 'never set' })));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(rotation.server.passwordOf('app')).toBe('old');
  });

  it('and where AWSCURRENT is another with the former password, that logs in afterwards', async () => {
    const rotation = await failing(meanwhile((each) => each.edit(V2, { note: 'only this' })));
    await refusal(rotation.step('setSecret'));
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('and where that can not be told, nobody can have', async () => {
    for (const answer of ['fails', 'never comes'] as const) {
      const rotation = await failing(
        meanwhile(({ secrets }) => {
          secrets.before = (call) => {
            if (call !== 'DescribeSecret') return undefined;
            if (answer === 'never comes') return new Promise<void>(() => {});
            throw failure('SECRETS_MANAGER_THROTTLED');
          };
        }),
      );
      expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
      expectUnharmed(rotation);
    }
  });

  it('and where the current version can not be read, what had logged in is put back', async () => {
    const rotation = await failing(meanwhile(({ secrets }) => secrets.put(V2, 'no JSON', 'AWSCURRENT')));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(rotation.server.passwordOf('app')).toBe('old');
  });
});

describe('where there is no way back, the error says so', () => {
  it('as the server asked for no password', async () => {
    const rotation = await failing((each) => {
      each.server.noWayBack = 'the server asked for no password';
      meets('TLS_FAILED', 'fails')(each);
    });
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_NOT_PUT_BACK',
      message: expect.stringContaining('(the server asked for no password)'),
      remedy: expect.stringContaining('\\password'),
    });
    expect(rotation.server.passwordOf('app')).toBe('new-1');
  });

  it('or as it failed, with the cause of both', async () => {
    const rotation = await failing((each) => {
      meets('TLS_FAILED', 'fails')(each);
      each.server.before = (event) => {
        if (event.startsWith('way back')) throw failure('DATABASE_CONNECTION_LOST', 'The session broke off.');
      };
    });
    const { message } = await refusal(rotation.step('setSecret'));
    expect(message).toMatch(/TLS_FAILED.*that of AWSCURRENT could not be put back \(The session broke off\)\.$/);
  });

  it('and the next attempt finds what the database has', async () => {
    const rotation = await failing((each) => {
      each.server.noWayBack = 'x';
      meets('TLS_FAILED', 'fails')(each);
    });
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_NOT_PUT_BACK' });
    rotation.server.meets = () => undefined;
    await rotation.anew().run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('and what the former password meets after the way back is told as it is', async () => {
    const rotation = await failing(({ server }) => {
      server.meets = ({ credential: { source }, number }) =>
        source === 'pending' || number > 3 ? { fails: failure('TLS_FAILED') } : undefined;
    });
    const { message } = await refusal(rotation.step('setSecret'));
    expect(message).toContain('whether AWSCURRENT logs in could not be seen');
  });
});

it('a way back whose answer was lost is looked at', async () => {
  const rotation = await failing((each) => {
    meets('TLS_FAILED', 'fails')(each);
    each.server.before = (event) => {
      if (event !== 'way back to current') return;
      each.server.role('app', 'old');
      throw failure('DATABASE_CONNECTION_LOST');
    };
  });
  expect(await refusal(rotation.step('setSecret'))).toMatchObject({
    code: 'PASSWORD_PUT_BACK',
    message: expect.stringContaining('AWSCURRENT logs in again'),
    facts: { cause: 'TLS_FAILED' },
  });
  expectUnharmed(rotation);
});

it('and where no login can tell what came of it, it is not said to be in force', async () => {
  const rotation = await failing((each) => {
    meets('TLS_FAILED', 'fails')(each);
    each.server.before = (event) => {
      if (event !== 'way back to current') return;
      each.server.refuseAll(failure('TLS_FAILED'));
      throw failure('DATABASE_CONNECTION_LOST', 'The session broke off.');
    };
  });
  expect(await refusal(rotation.step('setSecret'))).toMatchObject({
    code: 'PASSWORD_NOT_PUT_BACK',
    message: expect.stringContaining('that of AWSCURRENT could not be put back (The session broke off)'),
  });
});

it('a proof has as much more time as the login before it took', async () => {
  const rotation = await failing(({ server }) => {
    server.loginTook = 3_500;
  });
  const proofs: (number | undefined)[] = [];
  rotation.between = (database) => ({
    ...database,
    tryPassword: (credential, work, within) => {
      proofs.push(within);
      return database.tryPassword(credential, work, within);
    },
  });
  expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
  expect(proofs).toEqual([expect.closeTo(6_500)]);
});

describe('with too little time left nothing is changed', () => {
  it.each([
    ['before', 2_400, 0],
    ['as computing takes long', 8_000, 3_000],
    ['as logins take long', 8_000, 0, 5_000],
  ])('%s', async (_, left, computing, loginTook = 0) => {
    const rotation = await failing(({ server, deadline }) => {
      server.computing = computing;
      server.loginTook = loginTook;
      deadline.left = left;
    });
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'DATABASE_TIMEOUT' });
    expect(rotation.server.events).not.toContain('change');
    expectUnharmed(rotation);
  });

  it('after the guard, which may take its time', async () => {
    const rotation = await failing(({ secrets, deadline }) => {
      secrets.before = (call) => {
        if (call === 'DescribeSecret') deadline.left = 1_500;
      };
    });
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'DATABASE_TIMEOUT' });
    expect(rotation.server.events).not.toContain('change');
    expectUnharmed(rotation);
  });
});

it.each([
  ['current', secretText()],
  ['previous', secretText({ password: 'previous' })],
])('what is put back is what has logged in: %s', async (source, text) => {
  const rotation = new FakeRotation();
  if (source === 'previous') rotation.secrets.put('v0', text, 'AWSPREVIOUS');
  rotation.server.role('app', source === 'previous' ? 'previous' : 'old');
  await rotation.step('createSecret');
  meets('TLS_FAILED', 'fails')(rotation);
  const { message } = await refusal(rotation.step('setSecret'));
  expect(message).toContain(`AWS${source.toUpperCase()} logs in again`);
  expect(rotation.server.events).toContain(`way back to ${source}`);
  expect(rotation.server.passwordOf('app')).toBe(source === 'previous' ? 'previous' : 'old');
});
