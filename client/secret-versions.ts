import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type DatabaseSecret, parseDatabaseSecret } from '../shared/secrets/database-secret.ts';
import { LoginError } from './errors.ts';
import type { Answer, SecretsManager, Stage } from './secrets-manager.ts';

export interface SecretVersion {
  readonly versionId: string;
  /** When the version was made, in ms since 1970. */
  readonly createdAt: number;
  readonly secret: DatabaseSecret;
}

/** The port to where versions live. */
export interface SecretVersions {
  /** One GetSecretValue. @throws LoginError */
  current(signal: AbortSignal): Promise<SecretVersion>;
  /**
   * One GetSecretValue; undefined where no version has the label, or one without a value, or one that can't be read
   * as a database secret, or where the policy gives this label to others only.
   *
   * @throws LoginError SECRET_UNREADABLE where the service did not answer.
   */
  other(stage: 'AWSPENDING' | 'AWSPREVIOUS', signal: AbortSignal): Promise<SecretVersion | undefined>;
}

/** The SDK's names for "there is none", "it is not for you" and "it has no value yet, or is another by now". */
const NONE = ['ResourceNotFoundException', 'AccessDeniedException', 'InvalidRequestException', 'DecryptionFailure'];

export function secretVersions(client: SecretsManager, secretId: string): SecretVersions {
  const read = async (stage: Stage, abortSignal: AbortSignal): Promise<Answer> =>
    await client.send(new GetSecretValueCommand({ SecretId: secretId, VersionStage: stage }), { abortSignal });

  return {
    async current(signal) {
      let answer: Answer;
      try {
        answer = await read('AWSCURRENT', signal);
      } catch (error) {
        throw unreadable(secretId, error);
      }
      return versionOf(answer);
    },

    async other(stage, signal) {
      let answer: Answer;
      try {
        answer = await read(stage, signal);
      } catch (error) {
        if (NONE.includes(nameOf(error))) return undefined;
        throw unreadable(secretId, error);
      }
      try {
        return versionOf(answer);
      } catch {
        return undefined;
      }
    },
  };
}

/** A client of our own. @param secretId whose region is taken, where it is an ARN and no other is given. */
export function clientFor(secretId: string, region: string | undefined): SecretsManagerClient {
  const where = region ?? regionOf(secretId);
  return new SecretsManagerClient({
    ...(where === undefined ? {} : { region: where }),
    // A lost packet costs one retry, not the login.
    requestHandler: { connectionTimeout: 1_500, requestTimeout: 3_000, throwOnRequestTimeout: true },
  });
}

/** `arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/shop-AbCdEf`, in any of AWS's partitions. */
export function regionOf(secretId: string): string | undefined {
  return /^arn:[^:]+:secretsmanager:([a-z0-9-]+):/.exec(secretId)?.[1];
}

/** @throws LoginError SECRET_MALFORMED, naming the key and quoting no value. */
function versionOf({ VersionId = '', SecretString, CreatedDate }: Answer): SecretVersion {
  try {
    const secret = parseDatabaseSecret(SecretString);
    return { versionId: VersionId, createdAt: CreatedDate?.getTime() ?? 0, secret };
  } catch (error) {
    throw new LoginError('SECRET_MALFORMED', error instanceof Error ? error.message : 'The secret could not be read.');
  }
}

function unreadable(secretId: string, error: unknown): LoginError {
  const name = nameOf(error);
  const needed = `AWSCURRENT of the secret ${secretId} was needed, but`;
  if (name === 'ResourceNotFoundException')
    return new LoginError('SECRET_NOT_FOUND', `${needed} it was not found.`, name);
  if (/^(AccessDenied|DecryptionFailure|UnrecognizedClient|ExpiredToken)/.test(name))
    return new LoginError('SECRET_ACCESS_DENIED', `${needed} access was denied.`, name);
  return new LoginError('SECRET_UNREADABLE', `${needed} Secrets Manager gave no answer that could be used.`, name);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
