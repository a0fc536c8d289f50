import { describe, expect, it } from 'vitest';
import { startClock } from '../../../../scripts/lab/clock.ts';

const START = new Date('2026-01-01T00:00:00Z');
const HOUR = 3_600_000;

describe('a clock', () => {
  it('runs faster by its scale from where it starts', async () => {
    const clock = startClock({ timeScale: 36_000, start: START });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const passed = clock.now().getTime() - START.getTime();
    expect(passed).toBeGreaterThanOrEqual(1.9 * HOUR);
  });

  it('calls back when it reads the time asked for, not before', async () => {
    const clock = startClock({ timeScale: 36_000, start: START });
    const at = new Date(START.getTime() + HOUR);
    const readAt = await new Promise<Date>((resolve) => clock.callAt(at, () => resolve(clock.now())));
    expect(readAt.getTime()).toBeGreaterThanOrEqual(at.getTime());
  });

  it('calls back at once for a time that has passed, and never after it was cancelled', async () => {
    const clock = startClock({ start: START });
    const calls: string[] = [];
    clock.callAt(START, () => calls.push('cancelled')).cancel();
    await new Promise<void>((resolve) => clock.callAt(START, resolve));
    expect(calls).toEqual([]);
  });

  it('waits for dates further away than a timer can count', async () => {
    const clock = startClock({ start: START });
    const calls: string[] = [];
    const alarm = clock.callAt(new Date(START.getTime() + 60 * 24 * HOUR), () => calls.push('early'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    alarm.cancel();
    expect(calls).toEqual([]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the scale %d', (timeScale) => {
    expect(() => startClock({ timeScale })).toThrow(RangeError);
  });
});
