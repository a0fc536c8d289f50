import { kindOf, RotationError } from '../errors.ts';

/** The four steps of a rotation, in the order in which Secrets Manager calls them. */
export const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type Step = (typeof STEPS)[number];

/** What Secrets Manager invokes a rotation function with. */
export interface RotationEvent {
  readonly step: Step;
  /** The secret's full ARN (the event's SecretId). */
  readonly secretArn: string;
  /** Of the new version (the event's ClientRequestToken); 32–64 characters. */
  readonly versionId: string;
  /**
   * Sensitive: proves to PutSecretValue that the caller was invoked by the service. 36–256 characters; absent where
   * the caller is not in another account or the service is older. Passed on, never logged.
   */
  readonly rotationToken?: string;
}

/** @throws RotationError INVALID_EVENT, naming the field but never quoting what was found in it. */
export function parseEvent(input: unknown): RotationEvent {
  if (typeof input !== 'object' || input === null)
    throw invalid('event', `an object was needed, found ${kindOf(input)}`);
  const fields = input as Record<string, unknown>;
  const rotationToken = fields.RotationToken;
  const step = text(fields, 'Step', 1, 64);
  if (!isStep(step)) throw invalid('Step', `one of ${STEPS.join(', ')} was needed, found something else`);
  return {
    step,
    secretArn: text(fields, 'SecretId', 1, 2048),
    versionId: text(fields, 'ClientRequestToken', 32, 64),
    ...(rotationToken === undefined || rotationToken === null
      ? {}
      : { rotationToken: text(fields, 'RotationToken', 1, 256) }),
  };
}

function isStep(value: string): value is Step {
  return STEPS.some((step) => step === value);
}

function text(fields: Record<string, unknown>, key: string, min: number, max: number): string {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (typeof value !== 'string') throw invalid(key, `a string was needed, found ${kindOf(value)}`);
  if (value.length < min || value.length > max) {
    throw invalid(key, `${min} to ${max} characters were needed, found ${value.length}`);
  }
  return value;
}

function invalid(key: string, found: string): RotationError {
  return new RotationError('INVALID_EVENT', `The rotation event is not one of Secrets Manager's: ${key}: ${found}.`, {
    remedy:
      'Let Secrets Manager call this function (`aws secretsmanager rotate-secret --secret-id {secretArn}`); do not invoke it by hand.',
    key,
  });
}
