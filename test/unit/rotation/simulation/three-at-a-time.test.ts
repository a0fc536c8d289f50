import { vi } from 'vitest';
import { playEvery, simulateTime } from '../../../support/simulation/run.ts';

vi.mock('node:timers/promises', async () => ({
  setTimeout: (await import('../../../support/simulation/time.ts')).time.sleep,
}));
simulateTime();

playEvery('single-user', 'three');
playEvery('alternating-users', 'three');
