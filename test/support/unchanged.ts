import { ResourceNotFoundException } from '@aws-sdk/client-secrets-manager';
import { expect } from 'vitest';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import type { TestSecret } from './test-secret.ts';
import { rolesNamed } from './twins.ts';

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
