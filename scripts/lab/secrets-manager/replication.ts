/** Replicas of a secret in other regions: they share the primary's content and can only be read. */

import { REGIONS } from '../account.ts';
import type { Input } from '../http/input.ts';
import { invalidParameter } from './errors.ts';
import type { OperationCall } from './operation.ts';
import type { Secret } from './secret.ts';

export const REGION = { min: 1, max: 128, pattern: /^([a-z]+-)+\d+$/ };

export interface ReplicaRegion {
  region: string;
  kmsKeyId: string | undefined;
}

export function parseReplicaRegions(input: Input, primaryRegion: string): ReplicaRegion[] {
  const regions = (input.structures('AddReplicaRegions', { min: 1 }) ?? []).map((entry) => ({
    region: entry.requiredText('Region', REGION),
    kmsKeyId: entry.text('KmsKeyId', { max: 2048 }) || undefined,
  }));
  const names = regions.map(({ region }) => region);
  if (
    names.includes(primaryRegion) ||
    new Set(names).size < names.length ||
    !names.every((name) => REGIONS.has(name))
  ) {
    throw invalidParameter('Invalid replica region.');
  }
  return regions;
}

/**
 * A region that has a secret of this name already fails alone, unless it is to be overwritten; so does one without the key
 * (aws-cloudformation/cloudformation-coverage-roadmap#1459).
 * @returns the regions to which replication begins with this call.
 */
export function replicate(
  { state, resources }: Pick<OperationCall, 'state' | 'resources'>,
  primary: Secret,
  regions: readonly ReplicaRegion[],
  overwrite: boolean,
): string[] {
  primary.primaryRegion = primary.region;
  const begun = regions.filter(({ region }) => primary.replicas.get(region)?.status !== 'InSync');
  for (const { region, kmsKeyId } of begun) {
    const fail = (message: string) => primary.replicas.set(region, { kmsKeyId, status: 'Failed', message });
    if (state.find(region, primary.content.name) && !overwrite) {
      fail('Secret with this name already exists in this region');
    } else if (kmsKeyId !== undefined && resources.findKey(region, kmsKeyId) === undefined) {
      fail('The KMS key does not exist in this region');
    } else {
      primary.replicas.set(region, { kmsKeyId, status: 'InSync', message: 'Replication succeeded' });
      state.add(replicaOf(primary, region, kmsKeyId));
    }
  }
  return begun.map(({ region }) => region);
}

function replicaOf(primary: Secret, region: string, kmsKeyId: string | undefined): Secret {
  return {
    arn: arnIn(primary, region),
    region,
    content: primary.content,
    kmsKeyId,
    lastAccessed: undefined,
    primaryRegion: primary.region,
    replicas: new Map(),
  };
}

/** A replica's ARN is its primary's but for the region, suffix included. */
export const arnIn = ({ arn, region: from }: Secret, to: string) => arn.replace(`:${from}:`, `:${to}:`);
