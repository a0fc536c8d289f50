import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  PutSecretValueCommand,
  paginateListSecretVersionIds,
  SecretsManagerClient,
  type SecretVersionsListEntry,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { Deadline } from '../deadline.ts';
import type { RotationEvent } from '../rotation/event.ts';
import { askAgain } from '../rotation/patience.ts';
import type { SecretReader, SecretStore } from '../rotation/ports.ts';
import { NO_ANSWER_AFTER } from '../rotation/promote-early.ts';
import { NOT_VISIBLE_YET } from '../rotation/version-read.ts';
import { isNamed, isRepetition, serviceError } from './service-error.ts';

/** Labels that lead to a version by themselves. Any other is somebody's own, and says nothing of what the version is worth. */
const OF_ROTATIONS = ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'];

export interface ServiceOptions {
  /** Undefined leaves the choice to the AWS SDK. */
  readonly secretsManagerEndpoint: string | undefined;
  /** Tries of one API call, the first included. */
  readonly maxAttempts: number;
}

/** One client for the life of the instance, so that its connections are kept alive between steps. */
export function secretsManagerClient({ secretsManagerEndpoint, maxAttempts }: ServiceOptions): SecretsManagerClient {
  const client = new SecretsManagerClient({
    ...(secretsManagerEndpoint === undefined ? {} : { endpoint: secretsManagerEndpoint }),
    maxAttempts,
    // Adaptive mode (AWS_RETRY_MODE) may hold a call back for longer than the step has.
    retryMode: 'standard',
    // A lost packet costs one retry, not the invocation.
    requestHandler: { connectionTimeout: 3_000, requestTimeout: NO_ANSWER_AFTER, throwOnRequestTimeout: true },
  });
  // It would go through every answer for a logger that there is not.
  client.middlewareStack.remove('loggerMiddleware');
  // The SDK goes by the HTTP status, of which the service's own fault may come with any.
  client.middlewareStack.add(
    (next) => async (request) => {
      try {
        return await next(request);
      } catch (error) {
        if (error instanceof Error && error.name === 'InternalServiceError') Object.assign(error, { $retryable: {} });
        throw error;
      }
    },
    // Behind the SDK's own retries.
    { step: 'finalizeRequest', priority: 'low' },
  );
  return client;
}

type Send<Result> = (options: { readonly abortSignal: AbortSignal }) => Promise<Result>;

/** Sends commands of one kind (retried by the SDK); an error that `expected` names is answered by its value. */
type Call = <Result, Expected = never>(
  operation: string,
  send: Send<Result>,
  expected?: { readonly errors: readonly string[]; readonly value: Expected },
) => Promise<Result | Expected>;

/** @param failure what an error that nobody expected is told as. */
export function callsWithin(deadline: Deadline, failure = serviceError): Call {
  return async (operation, send, expected) => {
    const abortSignal = deadline.signal();
    try {
      return await Promise.race([send({ abortSignal }), aborted(abortSignal)]);
    } catch (error) {
      if (expected !== undefined && isNamed(error, expected.errors)) return expected.value;
      // Not only by the clock: the signal's timer may fire a fraction of a millisecond before `passed` turns true.
      throw failure(operation, error, abortSignal.aborted || deadline.passed);
    }
  };
}

/** Of what has to be there: what is not found is asked for again for a moment. */
function insisting<Result>(deadline: Deadline, send: Send<Result>): Send<Result> {
  const mayPass = (error: unknown, pause: number) =>
    isNamed(error, ['ResourceNotFoundException']) && deadline.remaining() >= pause;
  return (options) => askAgain(NOT_VISIBLE_YET, () => send(options), mayPass, sleep);
}

/** What Secrets Manager has of one secret. */
export function secretReader(client: SecretsManagerClient, secretArn: string, deadline: Deadline): SecretReader {
  const call = callsWithin(deadline);

  /** The SDK's paginator knows when a list ends: at no NextToken, at an empty one (moto's), at the same one again. */
  async function listVersions(options: { abortSignal: AbortSignal }): Promise<SecretVersionsListEntry[]> {
    const paging = { client, pageSize: 100, stopOnSameToken: true };
    const versions: SecretVersionsListEntry[] = [];
    const pages = paginateListSecretVersionIds(paging, { SecretId: secretArn, IncludeDeprecated: true }, options);
    for await (const { Versions = [] } of pages) versions.push(...Versions);
    return versions;
  }

  return {
    async describe() {
      const answer = await call(
        'DescribeSecret',
        insisting(deadline, (options) => client.send(new DescribeSecretCommand({ SecretId: secretArn }), options)),
      );
      const tags = (answer.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]);
      return {
        rotationEnabled: answer.RotationEnabled,
        stages: answer.VersionIdsToStages ?? {},
        isMarkedForDeletion: answer.DeletedDate !== undefined,
        tags: Object.fromEntries(tags),
      };
    },

    async read({ versionId, stage }) {
      const request = { SecretId: secretArn, VersionId: versionId, VersionStage: stage };
      const send: Send<GetSecretValueCommandOutput> = (options) =>
        client.send(new GetSecretValueCommand(request), options);
      const answer = await call(
        'GetSecretValue',
        // Any other version may well be absent.
        stage === 'AWSCURRENT' ? insisting(deadline, send) : send,
        { errors: ['ResourceNotFoundException'], value: undefined },
      );
      if (answer === undefined) return undefined;
      const { VersionId = '', SecretString, CreatedDate } = answer;
      return { versionId: VersionId, text: SecretString, createdAt: CreatedDate?.getTime() };
    },

    async unlabelledVersions() {
      const listed = await call('ListSecretVersionIds', listVersions, {
        errors: ['AccessDeniedException'],
        value: 'denied' as const,
      });
      if (listed === 'denied') return { versionIds: [], denied: true };
      const versionIds = listed
        .filter((version) => !version.VersionStages?.some((label) => OF_ROTATIONS.includes(label)))
        .sort((a, b) => (b.CreatedDate?.getTime() ?? 0) - (a.CreatedDate?.getTime() ?? 0))
        .flatMap((version) => version.VersionId ?? []);
      return { versionIds, denied: false };
    },
  };
}

/** The Secrets Manager adapter, for one rotation step. */
export function secretStore(
  client: SecretsManagerClient,
  { secretArn, versionId, rotationToken }: Pick<RotationEvent, 'secretArn' | 'versionId' | 'rotationToken'>,
  deadline: Deadline,
): SecretStore {
  const call = callsWithin(deadline);
  return {
    ...secretReader(client, secretArn, deadline),

    async putPending(text) {
      const answer = await call(
        'PutSecretValue',
        insisting(deadline, (options) =>
          client.send(
            new PutSecretValueCommand({
              SecretId: secretArn,
              ClientRequestToken: versionId,
              SecretString: text,
              VersionStages: ['AWSPENDING'],
              RotationToken: rotationToken,
            }),
            options,
          ),
        ),
        { errors: ['ResourceExistsException'], value: 'already-stored' as const },
      );
      return answer === 'already-stored' ? answer : 'stored';
    },

    async promotePending(from, givenUp) {
      const input = {
        SecretId: secretArn,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: versionId,
        RemoveFromVersionId: from,
      };
      const send = insisting(deadline, (options) => client.send(new UpdateSecretVersionStageCommand(input), options));
      return await call('UpdateSecretVersionStage', async ({ abortSignal }) => {
        try {
          await send({ abortSignal: givenUp === undefined ? abortSignal : AbortSignal.any([abortSignal, givenUp]) });
          return 'promoted';
        } catch (error) {
          if (!isNamed(error, ['InvalidParameterException'])) throw error;
          return isRepetition(error) ? 'moved-before' : 'label-moved';
        }
      });
    },
  };
}

/** Rejects when the signal aborts. The SDK heeds the signal too, but not while it waits before a retry. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
