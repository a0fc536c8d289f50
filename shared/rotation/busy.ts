import { setTimeout as sleep } from 'node:timers/promises';
import { RotationError } from '../errors.ts';
import type { StrategyContext } from './strategy.ts';

/** How often a role that somebody else is changing is tried again, from the login on. */
const BUSY_RETRIES = 5;
/** What of a step's time, in ms, another try must leave. */
const LEAST_TIME = 8_000;

/** Tries again, a bounded few times and with pauses, what another session's change of the role prevented. */
export async function whileRoleBusy<T>(
  { deadline }: Pick<StrategyContext, 'deadline'>,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const busy = error instanceof RotationError && error.code === 'ROLE_BUSY';
      if (!busy || attempt > BUSY_RETRIES || deadline.remaining() < LEAST_TIME) throw error;
    }
    await sleep(Math.random() * 100 * attempt);
  }
}
