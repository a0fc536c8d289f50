import { STEPS, type Step } from '../../shared/rotation/event.ts';
import type { BenchSecret } from './arena.ts';
import type { Contender } from './contender.ts';
import { sum } from './statistics.ts';

export type BySteps = Readonly<Record<Step, number>>;

/** One rotation, ms by step. */
export interface Sample {
  readonly wall: BySteps;
  readonly cpu: BySteps;
}

/** What was not measured. */
export const NOTHING: BySteps = {
  createSecret: Number.NaN,
  setSecret: Number.NaN,
  testSecret: Number.NaN,
  finishSecret: Number.NaN,
};

export async function timeRotation(secret: BenchSecret, contender: Contender): Promise<Sample> {
  const version = await secret.begin();
  const wall = { ...NOTHING };
  const cpu = { ...NOTHING };
  let before = contender.cpu();
  for (const Step of STEPS) {
    wall[Step] = await contender.run({ ...version, Step });
    const after = contender.cpu();
    cpu[Step] = after - before;
    before = after;
  }
  await secret.end(version.ClientRequestToken);
  return { wall, cpu };
}

export function total(steps: BySteps): number {
  return sum(STEPS.map((step) => steps[step]));
}

export function wholeOf({ wall, cpu }: Sample): { readonly wall: number; readonly cpu: number } {
  return { wall: total(wall), cpu: total(cpu) };
}
