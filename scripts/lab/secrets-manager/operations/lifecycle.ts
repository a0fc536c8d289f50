import type { Input } from '../../http/input.ts';
import { identify, replicationStatus, describe as showSecret, versionsToStages } from '../description.ts';
import { checkedKey } from '../encryption-key.ts';
import { exists, invalidParameter, invalidRequest, secretNotFound } from '../errors.ts';
import type { Answer, Operation, OperationCall, OperationTable } from '../operation.ts';
import { epochSeconds } from '../operation.ts';
import { parseReplicaRegions, replicate } from '../replication.ts';
import {
  isReplica,
  newContent,
  putValue,
  refuseChange,
  refuseIfDeleted,
  refuseIfManaged,
  refuseOnReplica,
  type Secret,
} from '../secret.ts';
import { newArn } from '../state.ts';
import { readTags } from '../tags.ts';
import { requiredToken, type SecretValue, sameValue, secretId, secretName, secretValue } from '../validate.ts';

const DAY_MS = 86_400_000;
/** Of a managed external secret; the model gives no limits of its own. */
const PARTNER = { min: 1, max: 256 };
const DEFAULT_RECOVERY_DAYS = 30;

const createSecret: Operation = (input, call) => {
  const token = requiredToken(input);
  const name = secretName(input);
  const value = secretValue(input);
  // An empty one is none (recorded from the service).
  const description = input.text('Description', { max: 2048 }) || undefined;
  const kmsKeyId = keyId(input);
  const partner = input.text('Type', PARTNER);
  const tags = readTags(input);
  const regions = parseReplicaRegions(input, call.region);
  const existing = call.state.find(call.region, name);
  if (existing) return repeatedCreate(existing, token, value);

  const secret: Secret = {
    arn: newArn(call.region, name),
    region: call.region,
    content: { ...newContent(name, call.now), description, partner, tags: tags && new Map(tags) },
    kmsKeyId: kmsKeyId && checkedKey(call.resources, call.region, kmsKeyId),
    lastAccessed: undefined,
    primaryRegion: undefined,
    replicas: new Map(),
  };
  const version = value && write(secret, token, value, call);
  call.state.add(secret);
  const overwrite = input.flag('ForceOverwriteReplicaSecret') ?? false;
  const begun = regions.length > 0 ? replicate(call, secret, regions, overwrite) : undefined;
  return { ...identify(secret), VersionId: version, ReplicationStatus: replicationStatus(secret, begun) };
};

/** The same request again, as when an answer was lost, is answered as the first was. */
function repeatedCreate(existing: Secret, token: string, value: SecretValue | undefined): Answer {
  const { name, deletionDate, versions } = existing.content;
  if (deletionDate) {
    throw invalidRequest(
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  }
  const first = versions.find((version) => version.id === token);
  if (!first?.value || !value) throw exists(`The operation failed because the secret ${name} already exists.`);
  if (sameValue(first.value, value)) return { ...identify(existing), VersionId: token };
  throw exists(
    `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${existing.arn}.`,
  );
}

const describeSecret: Operation = (input, call) => {
  const secret = call.state.get(call.region, secretId(input));
  return {
    ...showSecret(secret),
    VersionIdsToStages: versionsToStages(secret.content),
    ReplicationStatus: replicationStatus(secret),
  };
};

const updateSecret: Operation = (input, call) => {
  const token = requiredToken(input);
  const id = secretId(input);
  const value = secretValue(input);
  const description = input.text('Description', { max: 2048 });
  const kmsKeyId = keyId(input);
  const partner = input.text('Type', PARTNER);
  const secret = call.state.get(call.region, id);
  refuseIfDeleted(secret);
  // A replica's encryption key is its own.
  if (value || description !== undefined) refuseOnReplica(secret);
  if (value) refuseIfManaged(secret);
  const checked = kmsKeyId && checkedKey(call.resources, call.region, kmsKeyId);
  const version = value && write(secret, token, value, call);
  if (version) call.rotations.valueChanged(secret);
  if (description !== undefined) secret.content.description = description || undefined;
  if (partner !== undefined) secret.content.partner = partner;
  if (input.has('KmsKeyId')) secret.kmsKeyId = checked;
  if (!isReplica(secret)) secret.content.lastChanged = call.now;
  return { ...identify(secret), VersionId: version };
};

function write(secret: Secret, token: string, value: SecretValue, call: OperationCall): string {
  const version = putValue(secret, { token, value, stages: undefined }, call.now);
  call.faults.versionWritten(version.id, [secret.arn, secret.content.name]);
  return version.id;
}

/** An empty string names the account's default key, which is not shown. */
const keyId = (input: Input) => input.text('KmsKeyId', { max: 2048 }) || undefined;

const deleteSecret: Operation = (input, call) => {
  const id = secretId(input);
  const days = input.integer('RecoveryWindowInDays');
  const force = input.flag('ForceDeleteWithoutRecovery') ?? false;
  if (force && days !== undefined) {
    throw invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  if (days !== undefined && (days < 7 || days > 30)) {
    throw invalidParameter('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
  }
  const secret = call.state.find(call.region, id);
  if (!secret && force) return { ...named(call.region, id), DeletionDate: epochSeconds(call.now) };
  if (!secret) throw secretNotFound();
  refuseDeletion(secret, force);
  call.rotations.stop(secret);
  const deletionDate = force ? call.now : new Date(call.now.getTime() + (days ?? DEFAULT_RECOVERY_DAYS) * DAY_MS);
  secret.content.deletionDate = deletionDate;
  if (force) call.state.remove(secret);
  return { ...identify(secret), DeletionDate: epochSeconds(deletionDate) };
};

/** A secret that is not there, as if it were: by name, by ARN or by an ARN without its suffix. */
function named(region: string, id: string): Answer {
  const [, resource] = /^arn:(?:[^:]*:){5}(.*)$/.exec(id) ?? [];
  if (resource === undefined) return { ARN: newArn(region, id), Name: id };
  return { ARN: id, Name: resource.replace(/-[A-Za-z0-9]{6}$/, '') };
}

function refuseDeletion(secret: Secret, force: boolean): void {
  if (!force) refuseIfDeleted(secret);
  refuseOnReplica(secret);
  refuseIfManaged(secret);
  if (secret.replicas.size > 0) {
    const regions = [...secret.replicas.keys()].join(', ');
    throw invalidParameter(`You can't delete secret ${secret.arn} that still has replica regions [${regions}].`);
  }
}

const restoreSecret: Operation = (input, call) => {
  const secret = call.state.get(call.region, secretId(input));
  secret.content.deletionDate = undefined;
  refuseChange(secret);
  call.rotations.resume(secret);
  return identify(secret);
};

export const lifecycle: OperationTable = {
  CreateSecret: createSecret,
  DescribeSecret: describeSecret,
  UpdateSecret: updateSecret,
  DeleteSecret: deleteSecret,
  RestoreSecret: restoreSecret,
};
