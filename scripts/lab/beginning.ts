/** A rotation at its very beginning: AWSPENDING is on a version that has no value, and no step is taken. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { RotateSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

/** Bundle of a rotation function that fails at once, so that RotateSecret does no more than register a version. */
export const REGISTERS_ONLY = fileURLToPath(new URL('./functions/registers-only.mjs', import.meta.url));

export interface Beginning {
  /** Name or ARN. */
  readonly secretId: string;
  /** Of a function that only registers. */
  readonly functionArn: string;
  readonly token?: string;
}

/**
 * Registers a version as the service does before the first step.
 * @param settled resolves once the function has failed, for good.
 * @returns the version's id.
 */
export async function beginRotation(
  client: SecretsManagerClient,
  { secretId, functionArn, token = randomUUID() }: Beginning,
  settled: (secretId: string) => Promise<void>,
): Promise<string> {
  await client.send(
    new RotateSecretCommand({
      SecretId: secretId,
      ClientRequestToken: token,
      RotationLambdaARN: functionArn,
      RotationRules: { AutomaticallyAfterDays: 30 },
    }),
  );
  await settled(secretId);
  return token;
}
