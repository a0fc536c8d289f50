/** Short calls of Secrets Manager for the tests of what others recorded from it. */
import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { freshName } from './secrets-lab-client.ts';

/** An id of a secret as an answer has it: the SDK's types let it be absent. */
type Id = string | undefined;

/** @param client is asked for at each call, so that it may be made later. */
export function recordedCalls(client: () => SecretsManagerClient) {
  return {
    create: (input: Partial<CreateSecretCommandInput> = {}) =>
      client().send(new CreateSecretCommand({ Name: freshName('recorded'), SecretString: 'my_secret', ...input })),
    read: (SecretId: Id, more: { VersionId?: string; VersionStage?: string } = {}) =>
      client().send(new GetSecretValueCommand({ SecretId, ...more })),
    describeSecret: (SecretId: Id) => client().send(new DescribeSecretCommand({ SecretId })),
    put: (SecretId: Id, SecretString: string, VersionStages?: string[]) =>
      client().send(new PutSecretValueCommand({ SecretId, SecretString, VersionStages })),
    remove: (SecretId: Id) => client().send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true })),
    moveStage: (SecretId: Id, VersionStage: string, to?: string, from?: string) =>
      client().send(
        new UpdateSecretVersionStageCommand({ SecretId, VersionStage, MoveToVersionId: to, RemoveFromVersionId: from }),
      ),
    /** Labels by version, in the order of the versions; undefined where a version has none. */
    labels: async (SecretId: Id, IncludeDeprecated?: boolean) => {
      const answer = await client().send(new ListSecretVersionIdsCommand({ SecretId, IncludeDeprecated }));
      return (answer.Versions ?? []).map(({ VersionId, VersionStages }) => [VersionId, VersionStages]);
    },
  };
}

/** An answer without what the SDK adds, dates as 'date'. */
export function shown(answer: object): Record<string, unknown> {
  const members = Object.entries(answer).filter(([name, value]) => name !== '$metadata' && value !== undefined);
  return Object.fromEntries(members.map(([name, value]) => [name, value instanceof Date ? 'date' : value]));
}
