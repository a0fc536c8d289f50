import { expect } from 'vitest';
import type { ApplicationProcess } from './installed-client.ts';
import type { TestSecret } from './test-secret.ts';

/** Three rotations, the first of them watched in its middle; each time more statements at once than there are sessions. */
export async function ridesThroughRotations(
  application: ApplicationProcess,
  secret: TestSecret,
  user: string,
): Promise<void> {
  expect(await application.ask('1')).toBe(user);
  const token = await secret.begin();
  await secret.stepsUntil('setSecret', token);
  expect(await application.ask('3')).toBe(user);
  await secret.step('testSecret', token);
  await secret.step('finishSecret', token);
  expect(await application.ask('5')).toBe(user);
  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });
  expect(await application.ask('7')).toBe(user);
  expect(await application.end()).toBe(0);
}
