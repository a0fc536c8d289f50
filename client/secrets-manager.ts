import type { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';

/** The labels under which a login may be found. */
export type Stage = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

/** What is needed of the SDK's SecretsManagerClient, which may be of another copy of the SDK than ours. */
export interface SecretsManager {
  send(command: GetSecretValueCommand, options: { abortSignal: AbortSignal }): Promise<Answer>;
}

/** What is needed of an answer to GetSecretValue. */
export interface Answer {
  readonly VersionId?: string | undefined;
  readonly SecretString?: string | undefined;
  readonly CreatedDate?: Date | undefined;
}
