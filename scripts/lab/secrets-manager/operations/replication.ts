import { replicationStatus } from '../description.ts';
import { invalidParameter } from '../errors.ts';
import type { Operation, OperationCall, OperationTable } from '../operation.ts';
import { arnIn, parseReplicaRegions, REGION, replicate } from '../replication.ts';
import { isReplica, promoteReplica, refuseChange, refuseIfDeleted, type Secret } from '../secret.ts';
import { secretId } from '../validate.ts';

const replicateSecretToRegions: Operation = (input, call) => {
  const id = secretId(input);
  input.required('AddReplicaRegions');
  const regions = parseReplicaRegions(input, call.region);
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  const begun = replicate(call, secret, regions, input.flag('ForceOverwriteReplicaSecret') ?? false);
  return { ARN: secret.arn, ReplicationStatus: replicationStatus(secret, begun) };
};

const removeRegionsFromReplication: Operation = (input, call) => {
  const id = secretId(input);
  input.required('RemoveReplicaRegions');
  const regions = input.texts('RemoveReplicaRegions', { ...REGION, items: { min: 1 } }) ?? [];
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  if (!regions.every((region) => secret.replicas.has(region))) throw invalidParameter('Invalid replica region.');
  for (const region of regions) removeReplica(call, secret, region);
  return { ARN: secret.arn, ReplicationStatus: replicationStatus(secret) };
};

function removeReplica(call: OperationCall, primary: Secret, region: string): void {
  primary.replicas.delete(region);
  const replica = call.state.find(region, arnIn(primary, region));
  if (replica) call.state.remove(replica);
}

/** Called in the replica's region: the replica becomes a secret of its own. */
const stopReplicationToReplica: Operation = (input, call) => {
  const secret = call.state.get(call.region, secretId(input));
  refuseIfDeleted(secret);
  if (!isReplica(secret)) throw invalidParameter('Operation is permitted only on a replica secret.');
  const primary = call.state.find(secret.primaryRegion ?? '', secret.content.name);
  primary?.replicas.delete(secret.region);
  promoteReplica(secret);
  return { ARN: secret.arn };
};

export const replication: OperationTable = {
  ReplicateSecretToRegions: replicateSecretToRegions,
  RemoveRegionsFromReplication: removeRegionsFromReplication,
  StopReplicationToReplica: stopReplicationToReplica,
};
