import type { RotationError, RotationErrorCode } from '../errors.ts';

/** Takes AWSPENDING off the version that the step was for. */
export const TAKE_PENDING_OFF =
  'aws secretsmanager update-secret-version-stage --secret-id {secretArn} --version-stage AWSPENDING --remove-from-version-id {versionId}';

/** Of AWSPENDING's password, which may be in force: no version for another server is tried by the next rotation. */
export const IF_IN_FORCE =
  'where the database has its password already, undo what was edited or moved instead, and the same rotation goes on; or, as an administrator, set the password that AWSCURRENT holds first';

/** Secrets Manager gives no secret to another function while AWSPENDING is on a version of its own, with a value or without. */
export const TO_SINGLE_USER =
  'attach the secret to the single-user function, AWSPENDING taken off first (rotation doctor --fix does that)';

/** Codes whose remedy may be an edit of the secret that is rotated. */
const EDITED_FOR: ReadonlySet<RotationErrorCode> = new Set([
  'SECRET_MALFORMED',
  'DATABASE_HOST_NOT_FOUND',
  'DATABASE_UNREACHABLE',
  'DATABASE_NOT_FOUND',
  'DATABASE_READ_ONLY',
  'DATABASE_BEHIND_PROXY',
  'TLS_NOT_SUPPORTED',
  'TLS_REQUIRED',
  'TLS_WRONG_HOST',
  'LOGIN_FORBIDDEN',
  'ROLE_MISSING',
  'ROLE_NAME_ENCODING',
  'SUPERUSER_SECRET_MISSING',
  'SUPERUSER_SECRET_UNUSABLE',
  'SUPERUSER_ON_OTHER_SERVER',
  'SUPERUSER_IS_APPLICATION_USER',
]);

/** Whether the remedy has an operator edit AWSCURRENT. The superuser secret may be edited at any time. */
export function editsCurrent({ code, facts }: RotationError): boolean {
  if (code === 'SECRET_HAS_NO_VALUE') return facts.credential === 'current';
  return EDITED_FOR.has(code) && (facts.credential !== 'superuser' || facts.key === 'masterarn');
}

/** Whether the pending version's value is what is wrong, which every further attempt would send again. */
export function needsNewValue({ code }: RotationError): boolean {
  return code === 'PASSWORD_REFUSED_BY_POLICY';
}

/**
 * Once the pending version has a value, an edit of AWSCURRENT alone would leave two versions that don't belong together:
 * the rotation has to be given up first.
 *
 * @param mayBeInForce whether the database may have its password, and AWSCURRENT's no more.
 */
export function givingUpFirst(error: RotationError, mayBeInForce = false): RotationError {
  if (error.template.startsWith(TAKE_PENDING_OFF)) return error;
  return error.withRemedy(
    `${TAKE_PENDING_OFF} (as the pending version has a value already${mayBeInForce ? `; ${IF_IN_FORCE}` : ''}), then: ${error.template} Then rotate again.`,
  );
}
