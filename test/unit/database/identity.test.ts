import { describe, expect, it } from 'vitest';
import { needDirectSession, needUser } from '../../../shared/database/identity.ts';
import { FakeSession } from '../../support/fake-session.ts';

function judged(identity: { user?: string; pid?: number }, processId: number | null, allowPooler = false) {
  const session = new FakeSession();
  session.processId = processId;
  return () => needDirectSession(session, { user: 'app', pid: 7, ...identity }, { allowPooler });
}

const refused = (code: string) => expect.objectContaining({ code });

describe('a session', () => {
  it('is with the server itself where that names the process that serves it, or none', () => {
    expect(judged({}, 7)()).toBe(false);
    expect(judged({}, null)()).toBe(false);
    expect(judged({}, 7, true)()).toBe(false);
  });

  it("is a pooler's otherwise, which is refused unless it is allowed", () => {
    expect(judged({}, 8)).toThrow(refused('DATABASE_BEHIND_PROXY'));
    expect(judged({}, 0)).toThrow(refused('DATABASE_BEHIND_PROXY'));
    expect(judged({}, 8, true)()).toBe(true);
  });

  it.each(['shop_owner', 'APP', 'app ', ''])('of another user is refused, whoever is between: %j', (user) => {
    expect(judged({ user }, 7)).toThrow(refused('DATABASE_ERROR'));
    expect(judged({ user }, null)).toThrow(refused('DATABASE_ERROR'));
    expect(judged({ user }, 8, true)).toThrow(refused('DATABASE_ERROR'));
    // That a pooler is there explains more.
    expect(judged({ user }, 8)).toThrow(refused('DATABASE_BEHIND_PROXY'));
  });

  it('says what to do, without the name that somebody else has', () => {
    expect(judged({ user: 'shop_owner' }, 7)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('shop_owner') }),
    );
    expect(judged({}, 8)).toThrow(expect.objectContaining({ remedy: expect.stringContaining('ALLOW_POOLER=true') }));
  });

  it('answers a row', () => {
    const session = new FakeSession();
    expect(() => needUser(session, undefined, false)).toThrow(TypeError);
    const row = { user: 'app', pid: 4711, more: 1 };
    expect(needUser(session, row, false)).toBe(row);
  });
});
