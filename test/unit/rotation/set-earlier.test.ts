import { describe, expect, it } from 'vitest';
import type { Guard } from '../../../shared/rotation/ports.ts';
import { setEarlier } from '../../../shared/rotation/set-earlier.ts';
import { credentialOf, ManualDeadline, only, refusal } from '../../support/fake-rotation.ts';
import { databaseOf, FakeServer, failure } from '../../support/fake-server.ts';

const FROM = credentialOf('current', 'v2', { password: 'now' });
const TO = credentialOf('previous', 'v1', { password: 'before' });

const goAhead: Guard = async () => 'proceed';

/** A rollback on this server. */
const rollBack = (server: FakeServer, guard = goAhead) =>
  setEarlier({ from: FROM, to: TO, database: databaseOf(server), deadline: new ManualDeadline(), guard });

describe('an earlier password', () => {
  it('is set by its user, proven, and only then is the lock let go of', async () => {
    const server = new FakeServer().role('app', 'now');
    let wasLocked = false;
    await rollBack(server, async () => {
      wasLocked = server.isLocked('app') && server.events.at(-1) === 'hold';
      return 'proceed';
    });
    expect(wasLocked).toBe(true);
    expect(server.passwordOf('app')).toBe('before');
    expect(server.events).toEqual([
      ...['login current', 'lock app', 'hold', 'change'],
      ...['login previous', 'confirm', 'release'],
    ]);
  });

  it('is not set where the guard refuses, as late as can be', async () => {
    const server = new FakeServer().role('app', 'now');
    const refusing = () => Promise.reject(failure('LABEL_MOVED'));
    expect(await refusal(rollBack(server, refusing))).toMatchObject({ code: 'LABEL_MOVED' });
    expect(server.passwordOf('app')).toBe('now');
    expect(server.isLocked('app')).toBe(false);
  });

  it.each(['refused', 'fails'] as const)('is taken back where its own login is %s', async (how) => {
    const server = new FakeServer().role('app', 'now');
    server.meets = ({ credential: { source } }) => {
      if (source !== 'previous') return undefined;
      return how === 'refused' ? { refused: true } : { fails: failure('TLS_FAILED') };
    };
    expect(await refusal(rollBack(server))).toMatchObject({
      code: 'PASSWORD_PUT_BACK',
      message: expect.stringMatching(/AWSCURRENT logs in again\.$/),
      remedy: expect.stringMatching(how === 'refused' ? /VALID UNTIL.*pg_hba\.conf/ : /^Mend TLS_FAILED\.$/),
    });
    expect(server.passwordOf('app')).toBe('now');
  });

  it('is not set where what should log in is refused, with how to mend that', async () => {
    const server = new FakeServer().role('app', 'by hand');
    expect(await refusal(rollBack(server))).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      facts: { credential: 'current', username: 'app' },
      remedy: expect.stringContaining('\\password'),
    });
    expect(only(server.events, 'lock')).toEqual([]);
  });

  it('is set after a login under the lock, where the first one was not', async () => {
    const server = new FakeServer().role('app', 'now');
    server.fresh = false;
    await rollBack(server);
    expect(server.events.slice(0, 4)).toEqual(['login current', 'lock app', 'login current', 'hold']);
    expect(server.passwordOf('app')).toBe('before');
  });

  it.each([
    'is refused',
    'gets no session',
  ])('is not set where that login %s: somebody has been faster', async (how) => {
    const server = new FakeServer().role('app', 'now');
    server.fresh = false;
    server.meets = ({ number }) => {
      if (number === 1) return undefined;
      return how === 'is refused' ? { refused: true } : { withoutSession: failure('DATABASE_FULL') };
    };
    expect(await refusal(rollBack(server))).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      remedy: expect.stringContaining('\\password'),
    });
    expect(server.passwordOf('app')).toBe('now');
    expect(only(server.events, 'change')).toEqual([]);
  });

  it('is not taken back where somebody has set another by hand meanwhile, which the look shows', async () => {
    const server = new FakeServer().role('app', 'now');
    let logins = 0;
    server.meets = ({ credential: { source } }) => {
      if (source !== 'previous' || ++logins > 1) return undefined;
      server.role('app', 'by hand');
      return { fails: failure('TLS_FAILED') };
    };
    expect(await refusal(rollBack(server))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(server.passwordOf('app')).toBe('by hand');
  });

  it('is put back as it was stored, as the login under the lock has shown', async () => {
    for (const fresh of [true, false]) {
      const server = new FakeServer().role('app', 'now');
      server.fresh = fresh;
      const salt = server.roles.get('app')?.salt;
      server.meets = ({ credential: { source } }) => (source === 'previous' ? { refused: true } : undefined);
      await refusal(rollBack(server));
      expect(server.roles.get('app')?.salt).toEqual(salt);
    }
  });
});
