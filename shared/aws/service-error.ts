import { RotationError, type RotationErrorCode } from '../errors.ts';

interface ServiceErrorMeaning {
  readonly code: RotationErrorCode;
  readonly what: string;
  readonly remedy: string;
}

/** What an error of Secrets Manager or of its SDK means, by the error's name. Sources: the API reference's lists. */
const MEANINGS: Readonly<Record<string, ServiceErrorMeaning>> = {
  ResourceNotFoundException: {
    code: 'SECRET_NOT_FOUND',
    what: 'the secret was not found',
    remedy:
      'Check that the secret exists in this account and region: aws secretsmanager describe-secret --secret-id {secretArn}',
  },
  AccessDeniedException: {
    code: 'SECRET_ACCESS_DENIED',
    what: 'access was denied',
    remedy:
      "Allow the call in the function's role and the secret's resource policy; on a customer-managed key allow kms:Decrypt and kms:GenerateDataKey too.",
  },
  DecryptionFailure: keyUnusable('decrypted'),
  EncryptionFailure: keyUnusable('encrypted'),
  InvalidRequestException: {
    code: 'SECRET_IN_WRONG_STATE',
    what: "the secret's state does not allow it",
    remedy:
      'Check that the secret is not marked for deletion nor managed by another service: aws secretsmanager describe-secret --secret-id {secretArn}',
  },
  LimitExceededException: {
    code: 'SECRET_LIMIT_EXCEEDED',
    what: 'a quota of the service was reached',
    remedy: 'Remove staging labels that are no longer used, or ask for a higher quota.',
  },
};

/** Of GetSecretValue by id and label, which is asked for the pending version only. */
const LABEL_LOST: ServiceErrorMeaning = {
  code: 'VERSION_NOT_PENDING',
  what: 'the version to rotate to is not labelled AWSPENDING',
  remedy:
    'This rotation was cancelled or replaced; start another with `aws secretsmanager rotate-secret --secret-id {secretArn}`.',
};
const THROTTLED: ServiceErrorMeaning = {
  code: 'SECRETS_MANAGER_THROTTLED',
  what: 'the service throttled the call, retries included',
  remedy: 'Nothing needs repair: the service tries the rotation again; spread the rotation schedules of many secrets.',
};
const TIMEOUT: ServiceErrorMeaning = {
  code: 'SECRETS_MANAGER_TIMEOUT',
  what: 'no answer came before the invocation had to end',
  remedy:
    "Give the function's subnets a route to Secrets Manager (a VPC endpoint or NAT) and a time-out of at least 30 s; where many secrets rotate at once, spread their schedules.",
};
const UNREACHABLE: ServiceErrorMeaning = {
  code: 'SECRETS_MANAGER_UNREACHABLE',
  what: 'the service could not be reached',
  remedy:
    "Give the function's subnets a route to Secrets Manager (a VPC endpoint or NAT), and check SECRETS_MANAGER_ENDPOINT.",
};
/** Who is between may have handed the request on. */
const ANSWERED_BY_ANOTHER: ServiceErrorMeaning = { ...UNREACHABLE, what: 'the answer was none of the service' };
const FAILED: ServiceErrorMeaning = {
  code: 'SECRETS_MANAGER_FAILED',
  what: 'the service answered with an error',
  remedy: 'Look up the error name in `reason`; the service tries the rotation again.',
};

/** Errors whose message the service words itself and that help an operator. Others might quote what was sent. */
const QUOTABLE = ['AccessDeniedException', 'InvalidRequestException', 'DecryptionFailure', 'EncryptionFailure'];

/** Turns whatever the SDK threw into a RotationError; pure. */
export function serviceError(operation: string, error: unknown, deadlinePassed: boolean): RotationError {
  const name = nameOf(error);
  const meaning = meaningOf(error, name, deadlinePassed);
  const said = error instanceof Error && QUOTABLE.includes(name) ? ` (${error.message})` : '';
  return new RotationError(meaning.code, `${operation} was needed, but ${meaning.what}${said}.`, {
    remedy: meaning.remedy,
    reason: isOfAnother(error, name) ? `HTTP ${statusOf(error)}` : name,
  });
}

export function isNamed(error: unknown, names: readonly string[]): boolean {
  return names.includes(nameOf(error));
}

/** Whether it answers a repetition: what came of the tries before is not known. */
export function isRepetition(error: unknown): boolean {
  return Number(field(field(error, '$metadata'), 'attempts')) > 1;
}

function meaningOf(error: unknown, name: string, deadlinePassed: boolean): ServiceErrorMeaning {
  if (deadlinePassed || name === 'AbortError') return TIMEOUT;
  if (isThrottling(error, name)) return THROTTLED;
  if (isNetwork(error, name)) return UNREACHABLE;
  if (isOfAnother(error, name)) return ANSWERED_BY_ANOTHER;
  if (isDisagreement(error, name)) return LABEL_LOST;
  return Object.hasOwn(MEANINGS, name) ? (MEANINGS[name] ?? FAILED) : FAILED;
}

function isThrottling(error: unknown, name: string): boolean {
  return /throttl|TooManyRequests|RequestLimitExceeded/i.test(name) || statusOf(error) === 429;
}

/** A failure without the name that each of the service's has, such as a load balancer's or a proxy's: the SDK makes one up. */
function isOfAnother(error: unknown, name: string): boolean {
  return statusOf(error) >= 500 && ['Unknown', 'SyntaxError', 'Error'].includes(name);
}

/** "You provided a VersionStage that is not associated to the provided VersionId." Only its words tell it from others. */
function isDisagreement(error: unknown, name: string): boolean {
  return name === 'InvalidRequestException' && /\bVersionStage\b.*\bVersionId\b/.test(String(field(error, 'message')));
}

/** Node's system errors have an upper-case code; the SDK's own connection time-out is a TimeoutError. */
function isNetwork(error: unknown, name: string): boolean {
  return (
    name === 'TimeoutError' || /^(E[A-Z]+|CERT_\w+|ERR_TLS\w+|UNABLE_TO_\w+)$/.test(String(field(error, 'code') ?? ''))
  );
}

function nameOf(error: unknown): string {
  const name = field(error, 'name');
  return typeof name === 'string' ? name : typeof error;
}

/** An answer's HTTP status; 0 where there was none. */
export function statusOf(error: unknown): number {
  return Number(field(field(error, '$metadata'), 'httpStatusCode') ?? 0);
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function keyUnusable(verb: string): ServiceErrorMeaning {
  return {
    code: 'SECRET_KEY_UNUSABLE',
    what: `the value could not be ${verb} with the secret's KMS key`,
    remedy:
      "Check that the KMS key is enabled and that the function's role may use it (kms:Decrypt, kms:GenerateDataKey).",
  };
}
