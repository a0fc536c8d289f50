import { RotationError } from './errors.ts';
import type { Credential } from './strategy.ts';

/** The pending version is not one that createSecret makes of the current one: somebody else wrote one of the two. */
export function pendingMismatch(pending: Credential, neededUsername: string): RotationError {
  const { host, port, username } = pending.secret;
  return new RotationError(
    'PENDING_MISMATCH',
    `The pending version must be for ${neededUsername} on the current version's host and port, and it is for ${username} at ${host}:${port}.`,
    {
      remedy:
        'Take the label off and rotate again: aws secretsmanager update-secret-version-stage --secret-id {secretArn} --version-stage AWSPENDING --remove-from-version-id {versionId}',
      ...credentialFacts(pending),
    },
  );
}

/** The server said "wrong password", and nothing else is wrong. */
export function passwordNotAccepted(credential: Credential, remedy: string): RotationError {
  const { host, port, username } = credential.secret;
  return new RotationError(
    'PASSWORD_NOT_ACCEPTED',
    `The server at ${host}:${port} must accept the ${credential.label} password of ${username}, and it refused it.`,
    { remedy, ...credentialFacts(credential) },
  );
}

/** What an error may tell of a credential. */
export function credentialFacts({ label, secret: { host, port, username } }: Credential) {
  return { credential: label, host, port, username };
}
