import { afterEach, describe, expect, it, vi } from 'vitest';
import { openRole } from '../../../shared/database/role-lock.ts';
import { refusal } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';
import { FakeSession } from '../../support/fake-session.ts';
import { USUAL_SERVER } from '../../support/opened-role.ts';

const OPENING = {
  user: 'app',
  pid: 4711,
  traits: USUAL_SERVER,
  full: false,
  locked: true,
  acting: 'none',
  twins: null,
};

interface Given {
  readonly opening?: Partial<Omit<typeof OPENING, 'locked'>> & { readonly locked?: boolean | null };
  readonly allowPooler?: boolean;
  readonly session?: FakeSession;
  /** Null: the session answers nothing. */
  readonly released?: boolean | null;
  /** Whether another instance of ours logged in before the last commit. */
  readonly crowded?: boolean;
  readonly purpose?: 'change' | 'look';
  /** Whether the wait for the lock ends without it, and who has it then. */
  readonly busy?: readonly object[];
}

async function open({
  opening,
  allowPooler = false,
  session = new FakeSession(),
  released = true,
  crowded = false,
  purpose,
  busy,
}: Given = {}) {
  session.rows = ({ text }) => {
    if (text.includes('pg_try_advisory_lock')) return [{ ...OPENING, ...opening }];
    if (text.includes('pg_advisory_unlock')) {
      if (released === null) return [];
      return text.includes('crowded') ? [{ crowded, released: crowded ? null : released }] : [{ released }];
    }
    if (text.includes('pg_locks')) return busy ?? [];
    if (text.includes('pg_advisory_lock(') && busy !== undefined) throw failure('ROLE_BUSY', 'The role is busy.');
    return [];
  };
  const role = await openRole(session, 'app', 'session_user', { allowPooler }, purpose);
  return { role, session };
}

afterEach(() => void vi.restoreAllMocks());

describe('a role that is opened', () => {
  it('takes one message where nothing is in the way', async () => {
    const { role, session } = await open();
    expect(session.sent).toHaveLength(1);
    expect(role).toMatchObject({ fresh: true, pooled: false, server: USUAL_SERVER });
  });

  it('is fresh only where the lock was free and the login began a moment ago', async () => {
    const old = new FakeSession();
    old.beganAt = performance.now() - 1_000;
    expect((await open({ session: old })).role.fresh).toBe(false);
    expect((await open({ opening: { locked: false } })).role.fresh).toBe(false);
  });

  it('has a lock of its own, which is the same for each who takes it, waits for it, or looks who has it', async () => {
    const keyOf = (text = '') => /hashtextextended\('postgres-secret-rotation:' \|\| '(\w+)', 0\)/.exec(text)?.[1];
    const { session } = await open();
    expect(session.sent.map(({ text }) => keyOf(text))).toEqual(['app']);
    const waiting = new FakeSession();
    await open({ session: waiting, opening: { locked: false }, busy: [] }).catch(() => {});
    expect(waiting.sent.map(({ text }) => keyOf(text))).toEqual(['app', 'app', 'app']);
    const other = new FakeSession();
    other.rows = () => [OPENING];
    await openRole(other, 'shop', 'session_user', { allowPooler: false });
    expect(other.sent.map(({ text }) => keyOf(text))).toEqual(['shop']);
  });

  it('is waited for, and most of the time that is left is for that', async () => {
    const { session } = await open({ opening: { locked: false } });
    expect(session.sent[1]?.text).toMatch(/^SET LOCAL lock_timeout = 22000; SELECT pg_advisory_lock\(/);
    expect(session.sent).toHaveLength(2);
  });

  it('waits for at least a millisecond, as 0 would be for ever', async () => {
    const session = new FakeSession();
    session.deadline.left = 100;
    await open({ session, opening: { locked: false } });
    expect(session.sent[1]?.text).toContain('lock_timeout = 1;');
  });

  it('that is not to be had tells who has it, and how to end that', async () => {
    const holder = { pid: 99, user: 'we"ird', database: 'shop' };
    const error = await refusal(open({ opening: { locked: false }, busy: [holder] }));
    expect(error).toMatchObject({
      code: 'ROLE_BUSY',
      message: 'The role is busy: process 99 of "we""ird" in "shop" holds it.',
      remedy: expect.stringContaining('SELECT pg_terminate_backend(99);'),
    });
    const unseen = await refusal(open({ opening: { locked: false }, busy: [{ pid: 99, user: null, database: null }] }));
    expect(unseen.message).toBe('The role is busy: process 99 holds it.');
    expect((await refusal(open({ opening: { locked: false }, busy: [] }))).message).toBe('The role is busy.');
  });

  it.each([
    {},
    { busy: [] },
  ])('tells how long it was waited for, whether or not it was to be had: %o', async (given) => {
    const session = new FakeSession();
    const waits: number[] = [];
    session.deadline.onBusy = (since) => void waits.push(performance.now() - since);
    let now = 1_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const { query } = session;
    session.query = async <Row extends object>(text: string) => {
      if (text.includes('pg_advisory_lock(')) now += 4_000;
      return await query<Row>(text);
    };
    await open({ session, opening: { locked: false }, ...given }).catch(() => {});
    expect(waits).toEqual([4_000]);
    await open({ session });
    expect(waits).toHaveLength(1);
  });

  it('asks who has it, in a transaction of its own', async () => {
    const session = new FakeSession();
    await refusal(open({ session, opening: { locked: false }, busy: [{ pid: 99, user: null, database: null }] }));
    expect(session.sent.map(({ how }) => how)).toEqual(['query', 'query', 'query']);
  });

  it.each([
    ['DATABASE_READ_ONLY', { traits: { ...USUAL_SERVER, standby: true } }],
    ['DATABASE_FULL', { full: true }],
    ['DATABASE_BEHIND_PROXY', { pid: 1, locked: null }],
    ['DATABASE_ERROR', { user: 'shop_owner', locked: null }],
  ] as const)('is refused with %s before it is waited for', async (code, opening) => {
    const session = new FakeSession();
    expect(await refusal(open({ session, opening: { locked: false, ...opening } }))).toMatchObject({ code });
    expect(session.sent).toHaveLength(1);
  });

  it('in order to look at it may be one of a standby, or of a server that is full', async () => {
    const opening = { traits: { ...USUAL_SERVER, standby: true }, full: true };
    expect((await open({ opening, purpose: 'look' })).role.fresh).toBe(true);
    expect(await refusal(open({ opening: { ...opening, pid: 1, locked: null }, purpose: 'look' }))).toMatchObject({
      code: 'DATABASE_BEHIND_PROXY',
    });
  });

  it("has nothing set for a session that is not the expected one: it may be a pooler's", async () => {
    const { session } = await open();
    const [{ text } = { text: '' }] = session.sent;
    const guarded = text.match(/CASE WHEN session_user = 'app' AND pg_backend_pid\(\) = 4711 THEN/g) ?? [];
    expect(guarded).toHaveLength(3);
    for (const set of ['pg_try_advisory_lock', 'set_config'])
      for (const before of text.split(set).slice(0, -1)) expect(before).toMatch(/THEN\s+$/);
  });
});

describe('letting go of it', () => {
  it.each([true, false, null])('tells whether it was still held: %s', async (released) => {
    const { role, session } = await open({ released });
    expect(await role.release()).toBe(released === true);
    expect(session.sent.at(-1)?.text).toMatch(/RESET idle_session_timeout; RESET idle_in_transaction_session_timeout$/);
  });

  it.each([
    true,
    false,
  ])('waits until no login from before the last commit is fresh any more (still held: %s)', async (released) => {
    const { role, session } = await open({ crowded: true, released });
    session.committedAt = performance.now() - 50;
    const unlocks: number[] = [];
    const { rows } = session;
    session.rows = (sent) => {
      if (sent.text.includes('pg_advisory_unlock')) unlocks.push(performance.now() - session.committedAt);
      return rows(sent);
    };
    expect(await role.release()).toBe(released);
    expect(unlocks).toHaveLength(2);
    // A login that began before the commit is older than 150 ms then, which `fresh` asks of it.
    expect(unlocks[1]).toBeGreaterThanOrEqual(150);
    const late = new FakeSession();
    late.beganAt = performance.now() - (unlocks[1] ?? 0) - 1;
    expect((await open({ session: late })).role.fresh).toBe(false);
  });

  it('does not wait where nobody has logged in before the last commit, nor long after it', async () => {
    for (const [crowded, ago, messages] of [
      [false, 0, 1],
      [true, 10_000, 2],
    ] as const) {
      const { role, session } = await open({ crowded });
      session.committedAt = performance.now() - ago;
      const began = performance.now();
      expect(await role.release()).toBe(true);
      expect(performance.now() - began).toBeLessThan(100);
      expect(session.sent.slice(1)).toHaveLength(messages);
      const [, since = ''] = /backend_start < now\(\) - ([\d.e+-]+) \* '1 ms'/.exec(session.sent[1]?.text ?? '') ?? [];
      expect(Number(since)).toBeGreaterThanOrEqual(ago);
    }
  });

  it('is nothing behind a pooler, where no proof counts as made under it', async () => {
    const { role, session } = await open({ opening: { pid: 1, locked: null }, allowPooler: true });
    expect(role.pooled).toBe(true);
    expect(await role.release()).toBe(false);
    expect(session.sent).toHaveLength(1);
  });
});
