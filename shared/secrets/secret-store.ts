import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  type SecretVersionsListEntry,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { Config } from '../config.ts';
import type { Deadline } from '../deadline.ts';
import type { RotationEvent } from '../rotation/event.ts';
import type { RotationState } from '../rotation/version-stage.ts';
import { isNamed, serviceError } from './service-error.ts';

/** A version's value; `text` is undefined where it is SecretBinary. */
export interface StoredVersion {
  readonly versionId: string;
  readonly text: string | undefined;
}

export type WhichVersion = { readonly stage: string } | { readonly versionId: string };

export interface SecretDescription extends RotationState {
  readonly tags: Readonly<Record<string, string>>;
}

/** The port to where versions live. Every call is bounded by a deadline and fails as a RotationError only. */
export interface SecretStore {
  /** One DescribeSecret. */
  describe(): Promise<SecretDescription>;
  /** One GetSecretValue; undefined where the secret has no such version, or one without a value. */
  read(which: WhichVersion): Promise<StoredVersion | undefined>;
  /**
   * Sends reads before their answers are wanted: the next `read` of each takes that answer (or failure) and sends
   * nothing. Resolves once all have been answered, and never rejects.
   */
  readAhead(which: readonly WhichVersion[]): Promise<void>;
  /** The pending version of this rotation, waited for a moment where it is not visible yet. */
  readPending(): Promise<StoredVersion | undefined>;
  /** One PutSecretValue. 'already-stored' where the version has a value, which it then keeps. */
  putPending(text: string): Promise<'stored' | 'already-stored'>;
  /** One UpdateSecretVersionStage: AWSCURRENT to the pending version. 'label-moved' where `from` hasn't got it (any more). */
  promotePending(from: string | undefined): Promise<'promoted' | 'label-moved'>;
  /** Ids of versions without any staging label, newest first. */
  unlabelledVersions(): Promise<readonly string[]>;
}

/**
 * How long to wait before each new look at a version that is not there yet, in ms. Right after createSecret a read of
 * AWSPENDING has been seen to find nothing (aws/aws-sdk-js-v3 issue 7701).
 */
const NOT_VISIBLE_YET = [50, 100, 200, 400, 800];

/** One client for the life of the instance, so that its connections are kept alive between steps. */
export function secretsManagerClient(config: Config): SecretsManagerClient {
  return new SecretsManagerClient({
    ...(config.secretsManagerEndpoint === undefined ? {} : { endpoint: config.secretsManagerEndpoint }),
    maxAttempts: config.maxAttempts,
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
  /** Sends one command (retried by the SDK); an error that `expected` names is answered by its value. */
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
    const selector = 'stage' in which ? { VersionStage: which.stage } : { VersionId: which.versionId };
    const answer = await call(
      'GetSecretValue',
      (options) => client.send(new GetSecretValueCommand({ SecretId: secretId, ...selector }), options),
      notFound,
    );
    return answer === undefined ? undefined : { versionId: answer.VersionId ?? '', text: answer.SecretString };
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
      const key = JSON.stringify(which);
      const sent = ahead.get(key);
      ahead.delete(key);
      return sent ?? getSecretValue(which);
    },

    async readAhead(all) {
      for (const which of all) ahead.set(JSON.stringify(which), getSecretValue(which));
      await Promise.allSettled(ahead.values());
    },

    async readPending() {
      for (const pause of [...NOT_VISIBLE_YET, undefined]) {
        const version = await store.read({ versionId: token });
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
              ...(rotationToken === undefined ? {} : { RotationToken: rotationToken }),
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
              ...(from === undefined ? {} : { RemoveFromVersionId: from }),
            }),
            options,
          ),
        { errors: ['InvalidParameterException'], value: 'label-moved' as const },
      );
      return answer === 'label-moved' ? answer : 'promoted';
    },

    async unlabelledVersions() {
      const versions: SecretVersionsListEntry[] = [];
      let page: string | undefined;
      do {
        const answer = await call('ListSecretVersionIds', (options) =>
          client.send(
            new ListSecretVersionIdsCommand({
              SecretId: secretId,
              IncludeDeprecated: true,
              MaxResults: 100,
              ...(page === undefined ? {} : { NextToken: page }),
            }),
            options,
          ),
        );
        versions.push(...(answer.Versions ?? []));
        page = answer.NextToken;
      } while (page !== undefined);
      return versions
        .filter((version) => (version.VersionStages ?? []).length === 0)
        .sort((a, b) => (b.CreatedDate?.getTime() ?? 0) - (a.CreatedDate?.getTime() ?? 0))
        .flatMap((version) => version.VersionId ?? []);
    },
  };
  return store;
}

/** Rejects when the signal aborts. The SDK heeds the signal too, but not while it waits before a retry. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
