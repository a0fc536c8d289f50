import { describe, expect, it } from 'vitest';
import { FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { FakeServer, failure } from '../../support/fake-server.ts';

const V0 = 'v0'.padEnd(36, '-');
const V2 = 'v2'.padEnd(36, '-');

const loginsOf = ({ server }: FakeRotation) => only(server.events, 'login').map((event) => event.slice(6));

/** A secret with versions of all kinds, and a server that accepts none of their passwords until told otherwise. */
function manyVersions(): FakeRotation {
  const rotation = new FakeRotation();
  const { secrets } = rotation;
  for (let i = 1; i <= 25; i++) secrets.put(`unlabelled-${i}`, secretText({ password: `u${i}` }));
  secrets.put(V0, secretText({ password: 'previous' }), 'AWSPREVIOUS');
  rotation.server.role('app', 'unknown');
  return rotation;
}

describe('the passwords that are tried', () => {
  it('are AWSCURRENT, the own, AWSPREVIOUS, and five unlabelled ones, the newest first', async () => {
    const rotation = manyVersions();
    rotation.secrets.put(TOKEN, secretText({ password: 'own' }));
    const error = await refusal(rotation.step('createSecret'));
    expect(error).toMatchObject({
      code: 'NO_WORKING_PASSWORD',
      message: expect.stringContaining('AWSCURRENT, AWSPENDING, AWSPREVIOUS, 5 without a label'),
    });
    expect(loginsOf(rotation)).toEqual([
      'current',
      // The own one is judged first, and that asks what it would be told.
      'pending',
      'previous',
      ...Array<string>(5).fill('unlabelled'),
    ]);
    const reads = rotation.secrets.calls.filter((call) => call.includes('unlabelled-'));
    expect(reads).toEqual([25, 24, 23, 22, 21].map((i) => `GetSecretValue unlabelled-${i}`));
    expect(rotation.secrets.calls.indexOf('ListSecretVersionIds')).toBeGreaterThan(
      rotation.secrets.calls.indexOf('GetSecretValue AWSPREVIOUS'),
    );
  });

  it('are distinct, out of the newest twenty versions', async () => {
    const rotation = manyVersions();
    for (let i = 1; i <= 19; i++) rotation.secrets.put(`again-${i}`, secretText({ password: 'again' }));
    await refusal(rotation.step('createSecret'));
    // One of "again", and the one that is in the twenty besides.
    expect(only(loginsOf(rotation).map(String), 'unlabelled')).toHaveLength(2);
    expect(rotation.secrets.calls.filter((call) => /(again|unlabelled)-/.test(call))).toHaveLength(20);
  });

  it('are none of another user, host or port, and none that can not be read', async () => {
    const rotation = new FakeRotation();
    const { secrets, server } = rotation;
    server.role('app', 'theirs');
    const others = [{ username: 'other' }, { host: 'elsewhere' }, { port: 5433 }];
    for (const [i, other] of others.entries()) secrets.put(`other-${i}`, secretText({ password: 'theirs', ...other }));
    secrets.put('malformed', 'no JSON');
    secrets.put(V0, secretText({ password: 'theirs', host: 'elsewhere' }), 'AWSPREVIOUS');
    await refusal(rotation.step('createSecret'));
    expect(loginsOf(rotation)).toEqual(['current']);
  });

  it('are used where and as securely as AWSCURRENT says', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(V0, secretText({ password: 'previous', ssl: false }), 'AWSPREVIOUS');
    rotation.server.role('app', 'previous');
    const seen: unknown[] = [];
    rotation.server.meets = ({ credential: { secret } }) => {
      seen.push([secret.ssl, secret.dbname]);
      return undefined;
    };
    await rotation.run();
    expect(new Set(seen.map(String))).toEqual(new Set([String([undefined, 'postgres'])]));
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('are only tried after "wrong password"', async () => {
    for (const code of ['DATABASE_TIMEOUT', 'LOGIN_FORBIDDEN', 'ROLE_CONNECTION_LIMIT', 'DATABASE_FULL'] as const) {
      const rotation = manyVersions();
      rotation.server.refuseAll(failure(code));
      expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code });
      expect(new Set(loginsOf(rotation))).toEqual(new Set(['current']));
    }
  });

  it('are named truly where versions may not be listed, with how to allow it', async () => {
    const rotation = manyVersions();
    rotation.secrets.mayList = false;
    const { message, remedy } = await refusal(rotation.step('createSecret'));
    expect(message).toMatch(/AWSCURRENT, AWSPREVIOUS\.$/);
    expect(remedy).toContain('secretsmanager:ListSecretVersionIds');
  });

  it.each([
    'previous',
    'u25',
    'u21',
  ])('may be any: setSecret of the same instance begins with it (%s)', async (password) => {
    const rotation = manyVersions();
    rotation.server.role('app', password);
    await rotation.step('createSecret');
    const before = loginsOf(rotation).length;
    await rotation.step('setSecret');
    const source = password === 'previous' ? 'previous' : 'unlabelled';
    expect(loginsOf(rotation).slice(before)).toEqual([source, source, 'pending']);
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('begin with AWSCURRENT on another instance', async () => {
    const rotation = manyVersions();
    rotation.server.role('app', 'previous');
    await rotation.step('createSecret');
    const before = loginsOf(rotation).length;
    await rotation.anew().step('setSecret');
    expect(loginsOf(rotation).slice(before, before + 3)).toEqual(['current', 'pending', 'previous']);
  });
});

describe('what an instance remembers', () => {
  it('is never used on another server than that of AWSCURRENT, nor changes a password there', async () => {
    const rotation = new FakeRotation();
    const elsewhere = new FakeServer('elsewhere').role('app', 'moved');
    rotation.servers.push(elsewhere);
    await rotation.run();
    // Meanwhile the database has moved, and another instance has run createSecret.
    rotation.edit(V2, { host: 'elsewhere', password: 'moved' });
    const token = 'another'.padEnd(36, '-');
    rotation.begin(token);
    rotation.secrets.put(token, rotation.secrets.textOf(V2)?.replace('"moved"', '"newest"'));
    const before = rotation.server.events.length;
    await rotation.step('setSecret', token);
    expect(rotation.server.events).toHaveLength(before);
    expect(elsewhere.passwordOf('app')).toBe('newest');
  });

  it('is forgotten of a version whose password createSecret finds refused', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.secrets.put(V0, secretText({ password: 'previous' }), 'AWSPREVIOUS');
    rotation.server.role('app', 'previous');
    await rotation.step('createSecret');
    rotation.server.events.length = 0;
    await rotation.step('setSecret');
    expect(loginsOf(rotation)[0]).toBe('previous');
    expect(only(rotation.server.events, 'refused')).toEqual([]);
  });

  it('is what setSecret begins with where it is the pending version itself, which is read once', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.role('app', 'new-1');
    await rotation.anew().step('setSecret');
    rotation.server.events.length = rotation.secrets.calls.length = 0;
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'already-done' });
    expect(only(rotation.server.events, 'refused')).toEqual([]);
    expect(only(rotation.secrets.calls, 'GetSecretValue')).toHaveLength(2);
  });

  it('is forgotten of the token when setSecret begins', async () => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    rotation.server.refuseAll(failure('DATABASE_UNREACHABLE'));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  });
});

describe('setSecret', () => {
  it('changes, proves and only then lets go of the lock', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.events.length = 0;
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'current' });
    expect(rotation.server.events).toEqual([
      'login current',
      'lock app',
      'hold',
      'change',
      'login pending',
      'confirm',
      'release',
    ]);
  });

  it('changes nothing where the pending password is accepted already, and it is proven', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.role('app', 'new-1');
    rotation.anew().server.events.length = 0;
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'already-done', credential: 'pending' });
    expect(rotation.server.events).toEqual([
      'login current',
      'refused current',
      'login pending',
      'lock app',
      // Anew, under the lock: whoever has set it may have been putting it back.
      'login pending',
      'release',
    ]);
    const before = rotation.server.events.length;
    await rotation.step('testSecret');
    expect(rotation.server.events).toHaveLength(before);
  });

  it('takes no password for set that was put back between its login and the lock', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.role('app', 'new-1');
    rotation.anew().server.before = (event) => {
      // Another instance of this rotation, whose proof failed; the lock is free, and the login a fresh one.
      if (event === 'lock app') rotation.server.role('app', 'old');
    };
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'done', credential: 'current' });
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('puts back what has logged in under the lock, not what had logged in before it', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.anew().server.fresh = false;
    rotation.server.before = (event) => {
      // Another instance of this rotation has set, proven and let go.
      if (event === 'lock app') rotation.server.role('app', 'new-1');
    };
    expect(await rotation.step('setSecret')).toEqual({ outcome: 'already-done', credential: 'pending' });
    expect(rotation.server.events).not.toContain('change');
  });

  it('changes nothing where the pending password is the current one', async () => {
    const rotation = new FakeRotation();
    rotation.secrets.put(TOKEN, secretText());
    await rotation.run();
    expect(rotation.server.events).not.toContain('change');
    expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
  });

  it('tries a busy role again from the login on, and gives up where time is short', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    let busy = 2;
    rotation.server.before = (event) => {
      if (event === 'hold' && busy-- > 0) throw failure('ROLE_BUSY');
    };
    await rotation.step('setSecret');
    expect(only(rotation.server.events, 'lock')).toHaveLength(3);
    expect(rotation.server.isLocked('app')).toBe(false);

    rotation.begin('2'.padEnd(36, '-'));
    await rotation.run('createSecret', '2'.padEnd(36, '-'));
    busy = 1_000;
    rotation.deadline.left = 5_000;
    const before = only(rotation.server.events, 'lock').length;
    expect(await refusal(rotation.step('setSecret', '2'.padEnd(36, '-')))).toMatchObject({ code: 'ROLE_BUSY' });
    expect(only(rotation.server.events, 'lock')).toHaveLength(before + 1);
  });

  it('is tried again while somebody else changes the role, until no time is left for a way back', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.before = (event) => {
      if (event === 'hold') throw failure('ROLE_BUSY');
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'ROLE_BUSY',
      message: expect.stringMatching(/, after \d+\.\d s of waiting \(ROLE_BUSY\)\.$/),
    });
    expect(only(rotation.server.events, 'lock').length).toBeGreaterThan(10);
    expect(rotation.deadline.left).toBeGreaterThanOrEqual(8_000);
    expect(rotation.deadline.left).toBeLessThan(10_500);
  });

  it.each(['lock was waited for', 'login is too old'])('logs in anew under the lock where the %s', async (why) => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.fresh = why === 'lock was waited for';
    const held = Promise.withResolvers<void>();
    if (rotation.server.fresh) {
      // Somebody else has the lock, sets the pending password, and lets go.
      const holder = rotation.server.login(rotation.credential('AWSCURRENT'), async (roles) => {
        await roles.lockOwn();
        await held.promise;
        rotation.server.role('app', 'new-1');
      });
      rotation.server.before = (event) => {
        if (event === 'lock app') held.resolve();
      };
      await rotation.step('setSecret');
      await holder;
      expect(rotation.server.events).not.toContain('change');
      expect(rotation.server.events).not.toContain('way back to current');
    } else {
      rotation.server.events.length = 0;
      await rotation.step('setSecret');
      expect(rotation.server.events.slice(0, 4)).toEqual(['login current', 'lock app', 'login current', 'hold']);
    }
    expect(rotation.server.passwordOf('app')).toBe('new-1');
  });

  it('puts back what logs in under the lock, and not what had logged in before it', async () => {
    const rotation = new FakeRotation();
    const { server, secrets } = rotation;
    secrets.put(V0, secretText({ password: 'previous' }), 'AWSPREVIOUS');
    await rotation.step('createSecret');
    server.fresh = false;
    server.before = (event) => {
      if (event === 'lock app') server.role('app', 'previous');
    };
    server.meets = () => (server.passwordOf('app') === 'new-1' ? { fails: failure('TLS_FAILED') } : undefined);
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PASSWORD_PUT_BACK' });
    expect(server.events).toContain('change');
    expect(server.passwordOf('app')).toBe('previous');
  });

  it.each([
    'LOGIN_FORBIDDEN',
    'DATABASE_NOT_FOUND',
  ] as const)('takes a pending password without a session for no proof, where that is for %s', async (code) => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.server.fresh = false;
    rotation.server.role('app', 'new-1');
    let pendings = 0;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'pending' && ++pendings > 1 ? { withoutSession: failure(code) } : undefined;
    expect(await refusal(rotation.anew().step('setSecret'))).toMatchObject({ code });
    await expect(rotation.step('testSecret')).rejects.toMatchObject({ code });
  });
});

describe('a pending version that createSecret would not make of AWSCURRENT', () => {
  it('has AWSCURRENT made to log in where this rotation is why it does not, and is refused all the same', async () => {
    for (const step of ['createSecret', 'setSecret', 'finishSecret'] as const) {
      const rotation = new FakeRotation();
      await rotation.run('setSecret');
      rotation.edit(V2, { dbname: 'edited' });
      expect(rotation.currentIsAccepted).toBe(false);
      expect(await refusal(rotation.anew().step(step))).toMatchObject({
        code: 'PENDING_MISMATCH',
        message: expect.stringContaining('AWSCURRENT logs in'),
      });
      expect(rotation.currentIsAccepted).toBe(true);
    }
  });

  it('has nothing written by a late step of an abandoned rotation', async () => {
    const rotation = new FakeRotation();
    await rotation.run('setSecret');
    rotation.edit(V2, { dbname: 'edited' });
    rotation.server.before = (event) => {
      if (event === 'hold') rotation.secrets.label('AWSPENDING');
    };
    await refusal(rotation.anew().step('setSecret'));
    expect(rotation.server.passwordOf('app')).toBe('new-1');
  });

  it('has nothing written where it is for another host or user', async () => {
    for (const members of [{ host: 'elsewhere' }, { username: 'other' }]) {
      const rotation = new FakeRotation();
      const elsewhere = new FakeServer('elsewhere').role('app', 'new-1');
      rotation.servers.push(elsewhere);
      rotation.server.role('other', 'new-1').role('app', 'unknown');
      rotation.secrets.put(TOKEN, secretText({ password: 'new-1', ...members }));
      expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'PENDING_MISMATCH' });
      expect([elsewhere.events, rotation.server.passwordOf('other')]).toEqual([[], 'new-1']);
    }
  });

  it('says not that AWSCURRENT logs in where it only got as far as the password', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    rotation.edit(V2, { dbname: 'gone' });
    rotation.server.meets = () => ({ withoutSession: failure('DATABASE_NOT_FOUND') });
    const { message } = await refusal(rotation.step('setSecret'));
    expect(message).not.toContain('AWSCURRENT logs in');
  });
});

it('AWSCURRENT whose password alone was edited is what the next attempt uses', async () => {
  const rotation = new FakeRotation();
  await rotation.step('createSecret');
  rotation.server.role('app', 'by hand');
  rotation.edit(V2, { password: 'by hand' });
  await rotation.run();
  expect(rotation.secrets.with('AWSCURRENT')).toBe(TOKEN);
  expect(rotation.secrets.with('AWSPREVIOUS')).toBe(V2);
  expect(rotation.secrets.textOf(V1)).toBeDefined();
  expect(rotation.currentIsAccepted).toBe(true);
});
