import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Deadline, stepTime } from '../../shared/deadline.ts';

describe('the deadline of a step', () => {
  it.each([
    [30_000, 28_000],
    [900_000, 898_000],
    [4_000, 2_000],
    [3_000, 1_500],
    [100, 50],
  ])('leaves time to say what was waited for: of %i ms a step may use %i', (remaining, expected) => {
    expect(stepTime(remaining)).toBe(expected);
  });

  it('has passed once the time is over', () => {
    expect(new Deadline(60_000).passed).toBe(false);
    expect(new Deadline(0).passed).toBe(true);
    expect(Deadline.withinInvocation(0).passed).toBe(true);
  });

  it('never leaves less than 1 ms, as timers take 0 for "none"', () => {
    expect(new Deadline(0).remaining()).toBe(1);
    expect(new Deadline(-5_000).remaining()).toBe(1);
  });

  it('aborts a signal when it passes, and not before', async () => {
    const deadline = new Deadline(25);
    const signal = deadline.signal();
    expect(signal.aborted).toBe(false);
    // The timer of a signal keeps no process alive, and here nothing else does.
    const alive = setInterval(() => {}, 1_000);
    await once(signal, 'abort');
    clearInterval(alive);
    expect(deadline.remaining()).toBe(1);
  });
});
