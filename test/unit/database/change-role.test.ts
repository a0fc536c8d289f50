import { describe, expect, it } from 'vitest';
import { changeRole, type RoleChange } from '../../../shared/database/change-role.ts';
import type { ServerTraits } from '../../../shared/database/server-traits.ts';
import { failure } from '../../support/fake-server.ts';
import { FakeSession, type Sent } from '../../support/fake-session.ts';
import { USUAL_SERVER } from '../../support/opened-role.ts';

const SERVER: ServerTraits = { ...USUAL_SERVER, iterations: null };

interface Given {
  readonly change?: Partial<RoleChange>;
  readonly server?: Partial<ServerTraits>;
  /** What a message fails with. */
  readonly refuses?: (sent: Sent) => string | undefined;
}

/** What happens in which order as a twin's password is changed, and what comes of it. */
async function changed({ change, server, refuses = () => undefined }: Given = {}) {
  const session = new FakeSession();
  const order: string[] = [];
  const waited: number[] = [];
  session.deadline.onBusy = (since) => void waited.push(since);
  session.rows = (sent) => {
    const holds = sent.text.includes('PASSWORD NULL') ? ', holds the row' : '';
    order.push(`${sent.how}${holds}`);
    const code = refuses(sent);
    if (code !== undefined) throw failure(code as 'PERMISSION_DENIED');
    return [];
  };
  const outcome = await changeRole(
    session,
    { ...SERVER, ...server },
    {
      locked: 'app',
      opening: 'SET LOCAL lock_timeout = 900;',
      plan: async () => {
        await Promise.resolve();
        order.push('plan');
        return ['GRANT app TO app_clone', 'ALTER ROLE app_clone INHERIT'];
      },
      alter: 'ALTER ROLE "app_clone"',
      stored: ['SCRAM-SHA-256$verifier'],
      isWanted: async () => {
        order.push('guard');
        return true;
      },
      ...change,
    },
  ).catch((error: unknown) => error);
  return { order, outcome, waited, sent: session.sent };
}

describe("a twin's password", () => {
  it('is set with the row held from the beginning, and the guard asked before anything is looked at', async () => {
    const { order, outcome, sent } = await changed();
    expect(order).toEqual(['begin, holds the row', 'guard', 'plan', 'proceed', 'copy', 'commit']);
    expect(outcome).toBe(true);
    expect(sent[1]?.text).toBe('GRANT app TO app_clone;\nALTER ROLE app_clone INHERIT');
  });

  it('is not committed where that is refused at the very end, when everything else is done', async () => {
    const beforeCommit = () => {
      throw failure('DATABASE_TIMEOUT');
    };
    const { order, outcome } = await changed({ change: { beforeCommit } });
    expect(order).toEqual(['begin, holds the row', 'guard', 'plan', 'proceed', 'copy', 'rollback']);
    expect(outcome).toMatchObject({ code: 'DATABASE_TIMEOUT' });
  });

  it('is set without a message of its own for a plan that has nothing to do', async () => {
    const plan = () => Promise.resolve([]);
    expect((await changed({ change: { plan } })).order).toEqual(['begin, holds the row', 'guard', 'copy', 'commit']);
  });

  it('waits for the plan that makes the role, whose row is held after that', async () => {
    const { order } = await changed({ change: { exists: false } });
    expect(order).toEqual(['begin', 'plan', 'proceed, holds the row', 'guard', 'copy', 'commit']);
  });

  it('waits for the plan where the row may not be held yet: that knows why, or mends it first', async () => {
    const refuses = ({ how, text }: Sent) =>
      how === 'begin' && text.includes('NULL') ? 'PERMISSION_DENIED' : undefined;
    const { order, outcome } = await changed({ refuses });
    expect(order).toEqual([
      'begin, holds the row',
      'rollback',
      'begin',
      'plan',
      'proceed, holds the row',
      'guard',
      'copy',
      'commit',
    ]);
    expect(outcome).toBe(true);

    const plan = () => Promise.reject(failure('TWIN_NOT_LINKED'));
    const refused = await changed({ refuses, change: { plan } });
    expect(refused.outcome).toMatchObject({ code: 'TWIN_NOT_LINKED' });
    expect(refused.order.at(-1)).toBe('rollback');
    expect(refused.order).not.toContain('guard');
  });

  it('is nothing to plan for while another session has the row', async () => {
    const refuses = ({ how }: Sent) => (how === 'begin' ? 'ROLE_BUSY' : undefined);
    const { order, outcome } = await changed({ refuses });
    expect(outcome).toMatchObject({ code: 'ROLE_BUSY' });
    expect(order).not.toContain('plan');
  });

  it('is rolled back where the guard says so, whatever the plan has come to', async () => {
    const isWanted = () => Promise.resolve(false);
    const done = await changed({ change: { isWanted } });
    expect([done.outcome, done.order.at(-1)]).toEqual([false, 'rollback']);
    const plan = () => Promise.reject(failure('TWIN_NOT_LINKED'));
    const refused = await changed({ change: { isWanted, plan } });
    expect([refused.outcome, refused.order.at(-1)]).toEqual([false, 'rollback']);
  });
});

describe('somebody else who has the row', () => {
  it.each([
    ['ROLE_BUSY', 1],
    ['PERMISSION_DENIED', 0],
  ])('is told as a wait, and nothing else that fails is: %s', async (code, waits) => {
    const refuses = ({ how }: Sent) => (how === 'commit' ? code : undefined);
    const { outcome, waited } = await changed({ refuses });
    expect(outcome).toMatchObject({ code });
    expect(waited).toHaveLength(waits);
  });
});
