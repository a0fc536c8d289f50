import { ResourceNotFoundException } from '@aws-sdk/client-secrets-manager';
import { expect } from 'vitest';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import type { StepResult, TestSecret } from './test-secret.ts';
import { rolesNamed } from './twins.ts';

export async function expectRotated(secret: TestSecret): Promise<void> {
  const { outcome, steps } = await secret.rotate();
  expect(steps.filter((step) => step.outcome === 'failed' || step.outcome === 'crashed')).toEqual([]);
  expect(outcome).toBe('succeeded');
}

/** The first step refuses, and nothing is stored. @returns how it ended. */
export async function expectRefusedAtOnce(secret: TestSecret, code: string): Promise<StepResult> {
  const current = await secret.text();
  const failure = (await secret.rotate()).steps.at(-1);
  if (failure === undefined) throw new Error('A rotation should have steps.');
  expect(failure).toMatchObject({ step: 'createSecret', outcome: 'failed', error_code: code });
  await expectNoPendingValue(secret);
  expect(await secret.text()).toBe(current);
  return failure;
}

/** A first step that refuses leaves its version without a value: a corrected AWSCURRENT is what the next attempt uses. */
export async function expectNoPendingValue(secret: TestSecret): Promise<void> {
  expect(await secret.labels()).toHaveProperty('AWSPENDING');
  await expect(secret.text({ label: 'AWSPENDING' })).rejects.toThrow(ResourceNotFoundException);
}

/** @returns a check that the server knows of these roles what it does now, passwords included. */
export async function rolesStay(server: PostgresServer, ...names: readonly string[]): Promise<() => Promise<void>> {
  const before = await rolesNamed(server, names);
  return async () => expect(await rolesNamed(server, names)).toEqual(before);
}
