import { describe, expect, it, vi } from 'vitest';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import { moveLabel, promoteNow } from '../../../shared/rotation/promote-early.ts';
import type { Whereabouts } from '../../../shared/rotation/strategy.ts';
import { failure } from '../../support/fake-server.ts';

/** What a look at the labels finds. */
const seeing = (promoted: boolean) => ({
  guard: () => Promise.resolve('proceed' as const),
  whereabouts: (): Promise<Whereabouts> => Promise.resolve({ promoted, isMoved: promoted, others: [] }),
});
const done = () => Promise.resolve('promoted' as const);
const never = () => new Promise<never>(() => {});

describe('a look at the rotation, then the move of its label', () => {
  it('is one', async () => {
    expect(await promoteNow(seeing(false), done, 1_000)).toEqual({ moved: 'promoted' });
  });

  it('has nothing to move where the rotation is over', async () => {
    const guard = () => Promise.resolve('already-current' as const);
    expect(await promoteNow({ ...seeing(true), guard }, never, 1_000)).toEqual({ moved: 'already-current' });
  });

  it.each([
    'LABEL_MOVED',
    'SECRETS_MANAGER_TIMEOUT',
  ] as const)('sends nothing after a look that fails: %s', async (code) => {
    const failed = failure(code);
    const guard = () => Promise.reject(failed);
    expect(await promoteNow({ ...seeing(false), guard }, never, 1_000)).toEqual({ failed, sent: 'no' });
  });

  it('gives the move the rest of the time, and no more', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    const looking = seeing(false);
    const guard = () => {
      clock.mockReturnValue(40);
      return looking.guard();
    };
    const moved = await promoteNow({ ...looking, guard }, never, 100);
    clock.mockRestore();
    expect(moved).toMatchObject({
      failed: {
        code: 'SECRETS_MANAGER_TIMEOUT',
        message: 'An answer of Secrets Manager was needed within 60 ms, and none came.',
        remedy: expect.stringMatching(/^Nothing needs repair/),
      },
      sent: 'open',
    });
  });
});

describe('the move of the label', () => {
  it.each<RotationErrorCode>([
    'SECRETS_MANAGER_TIMEOUT',
    'SECRETS_MANAGER_UNREACHABLE',
  ])('is seen or still open where its answer is lost: %s', async (code) => {
    const failed = failure(code);
    const lost = () => Promise.reject(failed);
    expect(await moveLabel(seeing(true), lost, 1_000)).toEqual({ moved: 'promoted' });
    expect(await moveLabel(seeing(false), lost, 1_000)).toEqual({ failed, sent: 'open' });
    const blind = { whereabouts: () => Promise.reject(failure('SECRETS_MANAGER_THROTTLED')) };
    expect(await moveLabel(blind, lost, 1_000)).toEqual({ failed, sent: 'open' });
  });

  it('was answered where it was refused, or came too late', async () => {
    const failed = failure('SECRET_ACCESS_DENIED');
    expect(await moveLabel(seeing(false), () => Promise.reject(failed), 1_000)).toEqual({ failed, sent: 'answered' });
    expect(await moveLabel(seeing(false), () => Promise.resolve('label-moved'), 1_000)).toMatchObject({
      failed: { code: 'LABEL_MOVED' },
      sent: 'elsewhere',
    });
  });

  it('is looked for again where the look is a moment behind', async () => {
    let looks = 0;
    const whereabouts = () => Promise.resolve({ promoted: ++looks > 2, isMoved: looks > 2, others: [] });
    expect(await moveLabel({ whereabouts }, () => Promise.resolve('moved-before'), 1_000)).toEqual({
      moved: 'promoted',
    });
    expect(looks).toBe(3);
  });

  it('is looked for once where the look takes its time', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    let looks = 0;
    const whereabouts = () => {
      looks++;
      clock.mockReturnValue(450);
      return seeing(false).whereabouts();
    };
    const moved = await moveLabel({ whereabouts }, () => Promise.resolve('moved-before'), 1_000);
    clock.mockRestore();
    expect(moved).toMatchObject({ failed: { code: 'LABEL_MOVED' }, sent: 'elsewhere' });
    expect(looks).toBe(1);
  });

  it('is given up once nobody waits for it', async () => {
    let signal: AbortSignal | undefined;
    const hangs = (givenUp?: AbortSignal) => {
      signal = givenUp;
      return never();
    };
    expect(await moveLabel(seeing(false), hangs, 10)).toMatchObject({ sent: 'open' });
    expect(signal?.aborted).toBe(true);
  });

  it('leaves no timer behind that would keep the process', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const before = timers();
    await moveLabel(seeing(true), done, 60_000);
    expect(timers()).toBe(before);
  });
});
