import { identify } from '../description.ts';
import { CURRENT, moveStage, PENDING, sortedStages, versionAt } from '../labels.ts';
import { epochSeconds, type Operation, type OperationTable } from '../operation.ts';
import { page } from '../paging.ts';
import { refuseChange, refuseIfManaged } from '../secret.ts';
import { secretId, versionId } from '../validate.ts';

// The service shows the account's default key under this name.
const DEFAULT_KEY = 'DefaultEncryptionKey';

const listSecretVersionIds: Operation = (input, call) => {
  const id = secretId(input);
  const withDeprecated = input.flag('IncludeDeprecated') ?? false;
  const secret = call.state.get(call.region, id);
  const shown = secret.content.versions.filter((version) => withDeprecated || version.stages.size > 0);
  const { items, NextToken } = page(input, 'ListSecretVersionIds', shown, 100);
  const Versions = items.map((version) => ({
    VersionId: version.id,
    VersionStages: version.stages.size > 0 ? sortedStages(version) : undefined,
    LastAccessedDate: epochSeconds(version.lastAccessed),
    CreatedDate: epochSeconds(version.createdAt),
    KmsKeyIds: [secret.kmsKeyId ?? DEFAULT_KEY],
  }));
  return { ...identify(secret), Versions, NextToken };
};

const updateSecretVersionStage: Operation = (input, call) => {
  const id = secretId(input);
  const stage = input.requiredText('VersionStage', { min: 1, max: 256 });
  const move = {
    stage,
    moveTo: versionId(input, 'MoveToVersionId'),
    removeFrom: versionId(input, 'RemoveFromVersionId'),
  };
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  refuseIfManaged(secret);
  const { versions } = secret.content;
  const pending = versionAt(versions, PENDING);
  moveStage(versions, move);
  // Under way, and then given up: not where AWSPENDING was left on the version that is current.
  if (pending && pending !== versionAt(versions, CURRENT) && versionAt(versions, PENDING) === undefined) {
    call.rotations.pendingTaken(secret, pending.id);
  }
  secret.content.lastChanged = call.now;
  return identify(secret);
};

export const versions: OperationTable = {
  ListSecretVersionIds: listSecretVersionIds,
  UpdateSecretVersionStage: updateSecretVersionStage,
};
