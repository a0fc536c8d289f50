import { expect, it } from 'vitest';
import { parseStat } from '../../../../scripts/bench/process-cpu.ts';

it("finds group and CPU time after a command's name that holds anything", () => {
  const line = '42 (a) b (c) S 1 4242 1662 0 -1 4194304 99 0 0 0 10 20 3 4 20 0 1 0 270275 3133440 381';
  expect(parseStat(line)).toEqual({ group: 4242, ticks: 37 });
});
