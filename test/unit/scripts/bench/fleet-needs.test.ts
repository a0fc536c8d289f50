import { expect, it } from 'vitest';
import { DEFAULT_INPUTS, fleetNeeds, inputsWith } from '../../../../scripts/bench/fleet-needs.ts';

const MEASURED = { apiCalls: 10, wallMs: 400, cpuMs: 0 };

it('spreads two writes a rotation over a quota of fifty a second', () => {
  const { minutesAtQuota, hoursAtFifth } = fleetNeeds(15_000, MEASURED, DEFAULT_INPUTS);
  expect(minutesAtQuota).toBeCloseTo(10);
  expect(hoursAtFifth).toBeCloseTo(50 / 60);
});

it('needs as many invocations at once as begin while one lasts', () => {
  expect(fleetNeeds(1, MEASURED, DEFAULT_INPUTS).concurrency).toBe(10);
});

it('makes the time on the CPU longer by what a small function lacks of a CPU', () => {
  const cpuBound = { apiCalls: 10, wallMs: 400, cpuMs: 400 };
  expect(fleetNeeds(1, cpuBound, { ...DEFAULT_INPUTS, memoryMb: 1769 }).concurrency).toBe(10);
  expect(fleetNeeds(1, cpuBound, { ...DEFAULT_INPUTS, memoryMb: 1769 / 4 }).concurrency).toBe(40);
});

it('adds up a month from list prices', () => {
  const inputs = {
    secret: 0.5,
    apiCallsTenThousand: 1,
    lambdaGbSecond: 0.01,
    lambdaRequestsMillion: 10,
    logsGb: 2,
    rotationsMonth: 2,
    memoryMb: 1024,
    logBytesRotation: 5_000,
  };
  const { dollarsMonth } = fleetNeeds(100_000, MEASURED, inputs);
  expect(dollarsMonth.secrets).toBe(50_000);
  expect(dollarsMonth.api).toBeCloseTo(200);
  expect(dollarsMonth.lambda).toBeCloseTo(200_000 * 0.4 * 0.01 + 0.8 * 10);
  expect(dollarsMonth.logs).toBeCloseTo(2);
  expect(dollarsMonth.rotation).toBeCloseTo(200 + 808 + 2);
});

it('takes other prices by name, and no other names', () => {
  expect(inputsWith({ secret: 0.1 })).toEqual({ ...DEFAULT_INPUTS, secret: 0.1 });
  expect(() => inputsWith({ toString: 1 })).toThrow('--price needs one of secret');
});
