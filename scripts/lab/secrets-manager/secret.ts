/** A secret as the service keeps it. No I/O; dates come in from the caller. */
import type { RotationRules, RotationWindow } from '../../../shared/schedule/schedule.ts';
import { invalidParameter, invalidRequest, limitExceeded, markedForDeletion, tokenInUse } from './errors.ts';
import { attach, CURRENT, promoteNewValue, type Version, versionById } from './labels.ts';
import { type SecretValue, sameValue } from './validate.ts';

export interface RotationConfig {
  enabled: boolean;
  functionArn: string;
  rules: RotationRules | undefined;
  external: ExternalRotation | undefined;
  /** When the rules were set. */
  configuredAt: Date;
  /** The next one, or the last one for as long as its rotation has not succeeded. */
  window: RotationWindow | undefined;
}

/** What a primary and its replicas have in common: a replica shares it with its primary until it is promoted. */
export interface SecretContent {
  readonly name: string;
  readonly createdAt: Date;
  description: string | undefined;
  /** The Type of a managed external secret. */
  partner: string | undefined;
  /** Absent until the first tag; empty after the last untag. */
  tags: Map<string, string> | undefined;
  policy: string | undefined;
  versions: Version[];
  lastChanged: Date;
  /** When AWSCURRENT last got a new value: day-based schedules count from it. */
  valueChangedAt: Date;
  lastRotated: Date | undefined;
  /** End of the recovery window, where the secret is scheduled for deletion. */
  deletionDate: Date | undefined;
  owningService: string | undefined;
  rotation: RotationConfig | undefined;
}

/** Of a managed external secret: told by RotateSecret, shown by DescribeSecret, and used by nobody in the lab. */
export interface ExternalRotation {
  readonly metadata: readonly { readonly Key: string; readonly Value: string }[] | undefined;
  readonly roleArn: string | undefined;
}

export interface Replication {
  kmsKeyId: string | undefined;
  status: 'InSync' | 'Failed';
  message: string | undefined;
}

export interface Secret {
  readonly arn: string;
  readonly region: string;
  content: SecretContent;
  kmsKeyId: string | undefined;
  /** In this region; midnight of the day of the last read. */
  lastAccessed: Date | undefined;
  /** Set on replicas, and on a primary that is or was replicated. */
  primaryRegion: string | undefined;
  replicas: Map<string, Replication>;
}

const DAY_MS = 86_400_000;
/** Quota of versions (AWS General Reference, "Secrets Manager quotas"). */
const MAX_VERSIONS = 100;

export function newContent(name: string, now: Date): SecretContent {
  return {
    name,
    createdAt: now,
    lastChanged: now,
    valueChangedAt: now,
    versions: [],
    description: undefined,
    partner: undefined,
    tags: undefined,
    policy: undefined,
    lastRotated: undefined,
    deletionDate: undefined,
    owningService: undefined,
    rotation: undefined,
  };
}

export const isReplica = (secret: Secret) =>
  secret.primaryRegion !== undefined && secret.primaryRegion !== secret.region;

export function refuseIfDeleted(secret: Secret): void {
  if (secret.content.deletionDate) throw markedForDeletion();
}

/** @throws where the secret is a replica, scheduled for deletion, or managed by another service. */
export function refuseChange(secret: Secret): void {
  refuseOnReplica(secret);
  refuseIfDeleted(secret);
}

export function refuseOnReplica(secret: Secret): void {
  if (isReplica(secret)) {
    throw invalidParameter(
      "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
    );
  }
}

export function refuseIfManaged(secret: Secret): void {
  const { owningService } = secret.content;
  if (owningService) {
    throw invalidRequest(
      `The secret is managed by another service (${owningService}), and you must use that service to update it.`,
    );
  }
}

export interface NewValue {
  token: string;
  value: SecretValue;
  /** Absent: the value becomes AWSCURRENT. */
  stages: readonly string[] | undefined;
}

/**
 * PutSecretValue, and the value part of CreateSecret and UpdateSecret.
 * @throws ResourceExistsException where the token already names a version with another value.
 */
export function putValue(secret: Secret, { token, value, stages }: NewValue, now: Date): Version {
  const { content } = secret;
  const existing = versionById(content.versions, token);
  if (existing?.value) {
    if (!sameValue(existing.value, value)) throw tokenInUse(token, secret.arn);
    return existing;
  }
  if (!existing) refuseBeyondQuota(content.versions, now);
  const version = existing ?? { id: token, value, stages: new Set<string>(), createdAt: now };
  const isFirst = content.versions.length === 0;
  const versions = existing ? content.versions : [...content.versions, version];
  const labels = stages && isFirst ? [...stages, CURRENT] : stages;
  if (labels) attach(versions, version, labels);
  else promoteNewValue(versions, version);
  version.value = value;
  content.versions = prune(versions, now);
  content.lastChanged = now;
  if (version.stages.has(CURRENT)) content.valueChangedAt = now;
  return version;
}

/** Versions without a label go once there are more than 100, but never within a day of being made. */
function prune(versions: Version[], now: Date): Version[] {
  let excess = versions.length - MAX_VERSIONS;
  return versions.filter((version) => {
    if (excess <= 0 || !mayGo(version, now)) return true;
    excess--;
    return false;
  });
}

const mayGo = ({ stages, createdAt }: Version, now: Date) =>
  stages.size === 0 && now.getTime() - createdAt.getTime() > DAY_MS;

/** @throws LimitExceededException where no version may go for a new one. */
export function refuseBeyondQuota(versions: readonly Version[], now: Date): void {
  if (versions.filter((version) => !mayGo(version, now)).length < MAX_VERSIONS) return;
  throw limitExceeded(`A secret can have at most ${MAX_VERSIONS} versions, and none of the last 24 hours is removed.`);
}

export function recordRead(secret: Secret, version: Version, now: Date): void {
  const day = new Date(Math.floor(now.getTime() / DAY_MS) * DAY_MS);
  secret.lastAccessed = day;
  version.lastAccessed = day;
}

/** A replica standing on its own from now on. */
export function promoteReplica(secret: Secret): void {
  const { content } = secret;
  secret.content = {
    ...content,
    tags: content.tags && new Map(content.tags),
    versions: content.versions.map((version) => ({ ...version, stages: new Set(version.stages) })),
    // The primary keeps rotating its own; a promoted replica has no rotation until it is given one.
    rotation: undefined,
  };
  secret.primaryRegion = undefined;
}
