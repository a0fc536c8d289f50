/** Replicas of a secret in other regions: they share the primary's content and can only be read. */

import type { Input } from '../http/input.ts';
import { invalidParameter } from './errors.ts';
import type { Secret } from './secret.ts';
import type { SecretsState } from './state.ts';

export const REGION = { min: 1, max: 128, pattern: /^([a-z]+-)+\d+$/ };

export interface ReplicaRegion {
  region: string;
  kmsKeyId: string | undefined;
}

export function parseReplicaRegions(input: Input, primaryRegion: string): ReplicaRegion[] {
  const regions = (input.structures('AddReplicaRegions', { min: 1 }) ?? []).map((entry) => ({
    region: entry.requiredText('Region', REGION),
    kmsKeyId: entry.text('KmsKeyId', { max: 2048 }),
  }));
  const names = regions.map(({ region }) => region);
  if (names.includes(primaryRegion) || new Set(names).size < names.length) {
    throw invalidParameter('Invalid replica region.');
  }
  return regions;
}

/** A region that has a secret of this name already fails alone, unless it is to be overwritten. */
export function replicate(
  state: SecretsState,
  primary: Secret,
  regions: readonly ReplicaRegion[],
  overwrite: boolean,
): void {
  primary.primaryRegion = primary.region;
  for (const { region, kmsKeyId } of regions) {
    if (primary.replicas.get(region)?.status === 'InSync') continue;
    if (state.find(region, primary.content.name) && !overwrite) {
      const message = `Secret with this name already exists in this region`;
      primary.replicas.set(region, { kmsKeyId, status: 'Failed', message });
      continue;
    }
    primary.replicas.set(region, { kmsKeyId, status: 'InSync', message: 'Replication succeeded' });
    state.add(replicaOf(primary, region, kmsKeyId));
  }
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
