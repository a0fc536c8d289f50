import { expect, it } from 'vitest';
import { Faults } from '../../../../scripts/lab/faults.ts';
import { enforceQuotas, TokenBucket } from '../../../../scripts/lab/quotas.ts';

it('gives as many tokens as a second holds, and then as time brings', () => {
  let now = 0;
  const bucket = new TokenBucket(10, () => now);
  const taken = () => Array.from({ length: 30 }, () => bucket.take()).filter(Boolean).length;
  expect(taken()).toBe(10);
  now = 500;
  expect(taken()).toBe(5);
  now = 60_000;
  expect(taken()).toBe(10);
});

it('throttles an operation by the quota that it shares, and no other', () => {
  const faults = new Faults();
  const throttled = enforceQuotas(faults, [
    { operations: ['PutSecretValue', 'UpdateSecretVersionStage'], perSecond: 2 },
    { operations: ['DescribeSecret'], perSecond: 5 },
  ]);
  const refused = (operation: string) => {
    const request = {
      operation,
      region: '',
      secretId: undefined,
      versionId: undefined,
      versionStage: undefined,
      token: undefined,
      userAgent: undefined,
    };
    return faults.interruptionBefore({ request, secretNames: [] }) !== undefined;
  };

  expect(['PutSecretValue', 'UpdateSecretVersionStage', 'PutSecretValue'].map(refused)).toEqual([false, false, true]);
  expect(['DescribeSecret', 'ListSecrets', 'ListSecrets'].map(refused)).toEqual([false, false, false]);
  expect(throttled.hits).toBe(1);
});
