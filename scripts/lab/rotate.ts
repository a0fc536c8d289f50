import { randomUUID } from 'node:crypto';
import { RotateSecretCommand, type RotateSecretCommandInput } from '@aws-sdk/client-secrets-manager';
import type { LabParts } from './parts.ts';
import { type StepNews, StepReporter } from './step-news.ts';

export interface RotationOutcome {
  readonly versionId: string;
  readonly succeeded: boolean;
  /** Every step that was called, retries included. */
  readonly steps: readonly StepNews[];
  /** From RotateSecret's call to the end of the rotation. */
  readonly ms: number;
  /** How many calls of Secrets Manager the function made. */
  readonly apiCalls: number;
}

/** Rotates as an operator does, and waits for the end. */
export async function rotate(
  lab: Pick<LabParts, 'client' | 'secretsManager'>,
  secretId: string,
  request: Omit<RotateSecretCommandInput, 'SecretId' | 'ClientRequestToken'> = {},
): Promise<RotationOutcome> {
  const { client, secretsManager } = lab;
  const versionId = randomUUID();
  const steps: StepNews[] = [];
  let succeeded = false;
  const reporter = new StepReporter();
  const stop = secretsManager.on((event) => {
    const news = reporter.read(event);
    if (event.type === 'log-line' || event.versionId !== versionId) return;
    if (news !== undefined) steps.push(news);
    if (event.type === 'rotation-succeeded') succeeded = true;
  });
  const callsBefore = callsOfFunctions(lab);
  const startedAt = performance.now();
  try {
    await client.send(new RotateSecretCommand({ SecretId: secretId, ClientRequestToken: versionId, ...request }));
    await secretsManager.settled(secretId);
  } finally {
    stop();
  }
  const ms = performance.now() - startedAt;
  return { versionId, succeeded, steps, ms, apiCalls: callsOfFunctions(lab) - callsBefore };
}

function callsOfFunctions({ secretsManager }: Pick<LabParts, 'secretsManager'>): number {
  return secretsManager.requests.all().filter(({ userAgent }) => userAgent?.includes('exec-env/AWS_Lambda')).length;
}
