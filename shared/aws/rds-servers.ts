import type { DBCluster, DBInstance, RDSClient } from '@aws-sdk/client-rds';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Deadline } from '../deadline.ts';
import { RotationError } from '../errors.ts';
import { isSameHost } from '../secret/host-name.ts';
import { callsWithin } from './secret-store.ts';
import { serviceError, statusOf } from './service-error.ts';

export interface RdsServer {
  readonly host: string;
  readonly port: number;
  /** RDS's name of the engine, such as "postgres" or "aurora-postgresql". */
  readonly engine: string;
}

/** The port to what RDS knows about servers. */
export interface RdsServers {
  /** @param arn of a DB instance or a DB cluster. */
  serverOf(arn: string): Promise<RdsServer>;
  /** Whether `replica` is a read replica, or an Aurora reader, of the server at `primary`. Both are endpoints. */
  isReplica(replica: string, primary: string): Promise<boolean>;
}

/** The last is RDS's answer to what can't be an identifier, such as the first part of an IP address. */
const NOT_KNOWN = ['DBInstanceNotFoundFault', 'DBInstanceNotFound', 'DBClusterNotFoundFault', 'InvalidParameterValue'];

/** RDS's part of the SDK. */
type RdsSdk = typeof import('@aws-sdk/client-rds');

/** Makes the client, of an SDK that is loaded no sooner than at the first question. */
export type RdsClientOf = (rds: RdsSdk) => RDSClient;

/** What is asked of RDS is worth as many tries, by connections that are given up as soon. */
export function asPatientAs({ config: { maxAttempts, retryMode, requestHandler } }: SecretsManagerClient) {
  return { maxAttempts, retryMode, requestHandler };
}

/**
 * RDS through its API. The SDK is loaded at the first question, which most rotations never ask.
 *
 * A claim to be a replica is checked by the endpoint that RDS gives, never by a name that only looks alike.
 */
export function rdsServers(clientOf: RdsClientOf, deadline: Deadline): RdsServers {
  let client: RDSClient | undefined;
  const call = callsWithin(deadline, rdsError);

  async function describe<Found>(
    operation: string,
    ask: (rds: RdsSdk, client: RDSClient, options: { readonly abortSignal: AbortSignal }) => Promise<Found>,
  ) {
    const rds = await import('@aws-sdk/client-rds');
    client ??= clientOf(rds);
    const asked = client;
    return await call(operation, (options) => ask(rds, asked, options), { errors: NOT_KNOWN, value: undefined });
  }
  const instance = (id: string) =>
    describe('DescribeDBInstances', async (rds, client, options): Promise<DBInstance | undefined> => {
      const command = new rds.DescribeDBInstancesCommand({ DBInstanceIdentifier: id });
      return (await client.send(command, options)).DBInstances?.[0];
    });
  const cluster = (id: string) =>
    describe('DescribeDBClusters', async (rds, client, options): Promise<DBCluster | undefined> => {
      const command = new rds.DescribeDBClustersCommand({ DBClusterIdentifier: id });
      return (await client.send(command, options)).DBClusters?.[0];
    });

  return {
    async serverOf(arn) {
      const isCluster = arn.split(':')[5] === 'cluster';
      const found = isCluster ? endpointOfCluster(await cluster(arn)) : endpointOfInstance(await instance(arn));
      if (found === undefined) throw notFound(arn);
      return found;
    },

    async isReplica(replica, primary) {
      const [replicaId = '', primaryId = ''] = [replica, primary].map((host) => host.split('.')[0]);
      const reader = await instance(replicaId);
      if (reader === undefined) {
        const readers = await cluster(replicaId);
        return same(readers?.ReaderEndpoint, replica) && same(readers?.Endpoint, primary);
      }
      if (!same(reader.Endpoint?.Address, replica)) return false;
      if (reader.DBClusterIdentifier !== undefined)
        return same((await cluster(reader.DBClusterIdentifier))?.Endpoint, primary);
      if (!same(reader.ReadReplicaSourceDBInstanceIdentifier, primaryId)) return false;
      return same((await instance(primaryId))?.Endpoint?.Address, primary);
    },
  };
}

function endpointOfInstance(instance: DBInstance | undefined): RdsServer | undefined {
  return server(instance?.Endpoint?.Address, instance?.Endpoint?.Port, instance?.Engine);
}

function endpointOfCluster(cluster: DBCluster | undefined): RdsServer | undefined {
  return server(cluster?.Endpoint, cluster?.Port, cluster?.Engine);
}

function server(host?: string, port?: number, engine?: string): RdsServer | undefined {
  return host === undefined || port === undefined || engine === undefined ? undefined : { host, port, engine };
}

/** Host names and identifiers. */
function same(found: string | undefined, wanted: string): boolean {
  return found !== undefined && isSameHost(found, wanted);
}

function notFound(arn: string): RotationError {
  return new RotationError(
    'SUPERUSER_SECRET_UNUSABLE',
    `RDS must know the server of the superuser secret (${arn}) and its endpoint, and it does not.`,
    {
      remedy: 'Check that the database still exists and is available: aws rds describe-db-instances.',
      key: 'masterarn',
    },
  );
}

/** Silence, throttling and the service's own faults pass by themselves, and say nothing of the secret. */
function rdsError(operation: string, error: unknown, deadlinePassed: boolean): RotationError {
  const { code, message, facts } = serviceError(operation, error, deadlinePassed);
  const { reason = '' } = facts;
  const passes = code === 'SECRETS_MANAGER_FAILED' ? statusOf(error) >= 500 : code.startsWith('SECRETS_MANAGER_');
  if (passes)
    return new RotationError('RDS_UNAVAILABLE', message, {
      remedy:
        "Nothing needs repair: the service tries the rotation again; if it comes back, give the function's subnets a route to RDS's API, and spread the rotation schedules of many secrets.",
      reason,
    });
  return new RotationError(
    'SUPERUSER_SECRET_UNUSABLE',
    `RDS must tell where the superuser secret's server is, and the call failed (${reason}).`,
    {
      remedy:
        "Allow rds:DescribeDBInstances and rds:DescribeDBClusters in the function's role, and give its subnets a route to RDS's API.",
      key: 'masterarn',
      reason,
    },
  );
}
