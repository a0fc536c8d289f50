/** How DescribeSecret and ListSecrets show a secret. */
import { nextRotationDate } from '../../../shared/schedule/schedule.ts';
import { sortedStages } from './labels.ts';
import { type Answer, epochSeconds } from './operation.ts';
import type { RotationConfig, Secret, SecretContent } from './secret.ts';

const DAY_MS = 86_400_000;

export function describe(secret: Secret): Answer {
  const { content } = secret;
  return {
    ARN: secret.arn,
    Name: content.name,
    Type: content.partner,
    Description: content.description,
    KmsKeyId: secret.kmsKeyId,
    ...describeRotation(content),
    LastRotatedDate: epochSeconds(content.lastRotated),
    LastChangedDate: epochSeconds(content.lastChanged),
    LastAccessedDate: epochSeconds(secret.lastAccessed),
    DeletedDate: epochSeconds(content.deletionDate),
    Tags: content.tags && tagList(content.tags),
    OwningService: content.owningService,
    CreatedDate: epochSeconds(content.createdAt),
    PrimaryRegion: secret.primaryRegion,
  };
}

function describeRotation({ rotation, lastRotated }: SecretContent): Answer {
  if (!rotation) return {};
  return {
    RotationEnabled: rotation.enabled,
    RotationLambdaARN: rotation.functionArn,
    RotationRules: describeRules(rotation, lastRotated),
    ExternalSecretRotationMetadata: rotation.external?.metadata,
    ExternalSecretRotationRoleArn: rotation.external?.roleArn,
    NextRotationDate: rotation.window && epochSeconds(nextRotationDate(rotation.window)),
  };
}

/** After a rotation that succeeded, a schedule's rules tell the days up to the next one too (the API's RotationRulesType). */
function describeRules(
  { rules, window, configuredAt }: RotationConfig,
  lastRotated: Date | undefined,
): Answer | undefined {
  const expression = rules?.ScheduleExpression;
  if (expression === undefined || window === undefined || !lastRotated || lastRotated < configuredAt)
    return rules && { ...rules };
  const days = Math.floor(window.start.getTime() / DAY_MS) - Math.floor(lastRotated.getTime() / DAY_MS);
  return { ...rules, AutomaticallyAfterDays: Math.max(days, 1) };
}

/** Versions without a label are deprecated and left out; with none labelled the member is absent. */
export function versionsToStages({ versions }: SecretContent): Record<string, string[]> | undefined {
  const labelled = versions.filter((version) => version.stages.size > 0);
  if (labelled.length === 0) return undefined;
  return Object.fromEntries(labelled.map((version) => [version.id, sortedStages(version)]));
}

const tagList = (tags: ReadonlyMap<string, string>) => [...tags].map(([Key, Value]) => ({ Key, Value }));

export const identify = (secret: Secret) => ({ ARN: secret.arn, Name: secret.content.name });

/**
 * Only where the secret is, or was, replicated.
 * @param begun regions that this very call replicates to: its answer does not know yet how that ends (CLI reference,
 *   replicate-secret-to-regions).
 */
export function replicationStatus(secret: Secret, begun: readonly string[] = []): Answer[] | undefined {
  if (secret.primaryRegion !== secret.region) return undefined;
  return [...secret.replicas].map(([Region, { kmsKeyId = 'alias/aws/secretsmanager', status, message }]) =>
    begun.includes(Region)
      ? { Region, KmsKeyId: kmsKeyId, Status: 'InProgress' }
      : { Region, KmsKeyId: kmsKeyId, Status: status, StatusMessage: message },
  );
}
