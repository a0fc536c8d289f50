/** What ends a rotation besides a step's own failure. */
import type { FunctionError } from '../events.ts';
import { ServiceError } from '../http/service.ts';
import { CURRENT, PENDING, versionAt, versionById } from './labels.ts';
import type { Run } from './rotation-run.ts';

export const LABEL_TAKEN = 'AWSPENDING was taken off the version.';

export function reasonToAbandon({ secret, versionId, abort }: Run): string | undefined {
  if (abort.signal.aborted) return 'The rotation was cancelled.';
  const version = versionById(secret.content.versions, versionId);
  const isLabelled = version?.stages.has(PENDING) || version?.stages.has(CURRENT);
  return isLabelled ? undefined : LABEL_TAKEN;
}

export function asFunctionError(error: unknown): FunctionError {
  if (error instanceof ServiceError) return { errorType: error.type, errorMessage: error.message };
  return { errorType: 'InternalServiceError', errorMessage: error instanceof Error ? error.message : String(error) };
}

/** The service goes by the label, not by what the function answered. */
export function notFinished({ secret, versionId }: Run): FunctionError | undefined {
  if (versionAt(secret.content.versions, CURRENT)?.id === versionId) return undefined;
  return { errorType: 'NotFinished', errorMessage: 'finishSecret succeeded without moving AWSCURRENT to the version.' };
}
