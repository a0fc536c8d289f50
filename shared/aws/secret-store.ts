import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  paginateListSecretVersionIds,
  SecretsManagerClient,
  type SecretVersionsListEntry,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { Deadline } from '../deadline.ts';
import type { RotationEvent } from '../rotation/event.ts';
import type { SecretStore, StoredVersion, WhichVersion } from '../rotation/ports.ts';
import { isNamed, serviceError } from './service-error.ts';

/**
 * How long to wait before each new look at a version that is not there yet, in ms. Right after createSecret a read of
 * AWSPENDING has been seen to find nothing (aws/aws-sdk-js-v3 issue 7701).
 */
const NOT_VISIBLE_YET = [50, 100, 200, 400, 800];

export interface ServiceOptions {
  /** Undefined leaves the choice to the AWS SDK. */
  readonly secretsManagerEndpoint: string | undefined;
  /** Tries of one API call, the first included. */
  readonly maxAttempts: number;
}

/** One client for the life of the instance, so that its connections are kept alive between steps. */
export function secretsManagerClient(options: ServiceOptions): SecretsManagerClient {
  return new SecretsManagerClient({
    ...(options.secretsManagerEndpoint === undefined ? {} : { endpoint: options.secretsManagerEndpoint }),
    maxAttempts: options.maxAttempts,
    // A lost packet costs one retry, not the invocation.
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 6_000, throwOnRequestTimeout: true },
  });
}

/** The Secrets Manager adapter, for one rotation step. */
export function secretStore(
  client: SecretsManagerClient,
  { secretId, token, rotationToken }: Pick<RotationEvent, 'secretId' | 'token' | 'rotationToken'>,
  deadline: Deadline,
): SecretStore {
  /** Sends commands of one kind (retried by the SDK); an error that `expected` names is answered by its value. */
  async function call<Result, Expected = never>(
    operation: string,
    send: (options: { abortSignal: AbortSignal }) => Promise<Result>,
    expected?: { readonly errors: readonly string[]; readonly value: Expected },
  ): Promise<Result | Expected> {
    const abortSignal = deadline.signal();
    try {
      return await Promise.race([send({ abortSignal }), aborted(abortSignal)]);
    } catch (error) {
      if (expected !== undefined && isNamed(error, expected.errors)) return expected.value;
      // Not only by the clock: the signal's timer may fire a fraction of a millisecond before `passed` turns true.
      throw serviceError(operation, error, abortSignal.aborted || deadline.passed);
    }
  }

  const notFound = { errors: ['ResourceNotFoundException'], value: undefined };
  const ahead = new Map<string, Promise<StoredVersion | undefined>>();

  async function getSecretValue(which: WhichVersion): Promise<StoredVersion | undefined> {
    const request = { SecretId: secretId, VersionId: which.versionId, VersionStage: which.stage };
    const answer = await call(
      'GetSecretValue',
      (options) => client.send(new GetSecretValueCommand(request), options),
      notFound,
    );
    return answer === undefined ? undefined : { versionId: answer.VersionId ?? '', text: answer.SecretString };
  }

  /** The SDK's paginator knows when a list ends: at no NextToken, at an empty one (moto's), at the same one again. */
  async function listVersions(options: { abortSignal: AbortSignal }): Promise<SecretVersionsListEntry[]> {
    const paging = { client, pageSize: 100, stopOnSameToken: true };
    const versions: SecretVersionsListEntry[] = [];
    const pages = paginateListSecretVersionIds(paging, { SecretId: secretId, IncludeDeprecated: true }, options);
    for await (const { Versions = [] } of pages) versions.push(...Versions);
    return versions;
  }

  const store: SecretStore = {
    async describe() {
      const answer = await call('DescribeSecret', (options) =>
        client.send(new DescribeSecretCommand({ SecretId: secretId }), options),
      );
      const tags = (answer.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]);
      return {
        rotationEnabled: answer.RotationEnabled,
        stages: answer.VersionIdsToStages ?? {},
        tags: Object.fromEntries(tags),
      };
    },

    read(which) {
      const key = keyOf(which);
      const sent = ahead.get(key);
      ahead.delete(key);
      return sent ?? getSecretValue(which);
    },

    async readAhead(all) {
      for (const which of all) ahead.set(keyOf(which), getSecretValue(which));
      await Promise.allSettled(ahead.values());
    },

    async readPending() {
      for (const pause of [...NOT_VISIBLE_YET, undefined]) {
        const version = await store.read({ versionId: token, stage: 'AWSPENDING' });
        if (version !== undefined || pause === undefined || deadline.remaining() < pause) return version;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
      return undefined;
    },

    async putPending(text) {
      const answer = await call(
        'PutSecretValue',
        (options) =>
          client.send(
            new PutSecretValueCommand({
              SecretId: secretId,
              ClientRequestToken: token,
              SecretString: text,
              VersionStages: ['AWSPENDING'],
              RotationToken: rotationToken,
            }),
            options,
          ),
        { errors: ['ResourceExistsException'], value: 'already-stored' as const },
      );
      return answer === 'already-stored' ? answer : 'stored';
    },

    async promotePending(from) {
      const answer = await call(
        'UpdateSecretVersionStage',
        (options) =>
          client.send(
            new UpdateSecretVersionStageCommand({
              SecretId: secretId,
              VersionStage: 'AWSCURRENT',
              MoveToVersionId: token,
              RemoveFromVersionId: from,
            }),
            options,
          ),
        { errors: ['InvalidParameterException'], value: 'label-moved' as const },
      );
      return answer === 'label-moved' ? answer : 'promoted';
    },

    async unlabelledVersions() {
      const listed = await call('ListSecretVersionIds', listVersions, {
        errors: ['AccessDeniedException'],
        value: 'denied' as const,
      });
      if (listed === 'denied') return { versionIds: [], denied: true };
      const versionIds = listed
        .filter((version) => (version.VersionStages ?? []).length === 0)
        .sort((a, b) => (b.CreatedDate?.getTime() ?? 0) - (a.CreatedDate?.getTime() ?? 0))
        .flatMap((version) => version.VersionId ?? []);
      return { versionIds, denied: false };
    },
  };
  return store;
}

function keyOf({ versionId = '', stage = '' }: WhichVersion): string {
  return `${versionId} ${stage}`;
}

/** Rejects when the signal aborts. The SDK heeds the signal too, but not while it waits before a retry. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
