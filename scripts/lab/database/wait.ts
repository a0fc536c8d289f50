import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls until `probe` gives something other than undefined.
 * @throws Error naming `what`, after `timeoutMs`.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  { timeoutMs = 30_000, intervalMs = 25 }: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${what}, which did not happen.`);
    await sleep(intervalMs);
  }
}
