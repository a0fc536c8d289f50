/** RDS, as far as DescribeDBInstances and DescribeDBClusters. */
import { ACCOUNT_ID } from '../account.ts';
import { ServiceError } from '../http/service.ts';
import type { DatabaseCluster, DatabaseInstance } from '../resources.ts';
import { type QueryParameters, queryService } from './query-service.ts';
import { members, type XmlElements } from './xml.ts';

const shape = { prefix: 'rds', version: '2014-10-31', namespace: 'http://rds.amazonaws.com/doc/2014-10-31/' };

export const rds = queryService(shape, {
  DescribeDBInstances: (parameters, { resources }, region) => {
    const wanted = parameters.text('DBInstanceIdentifier');
    const found = select(resources.databases, wanted, 'DBInstanceIdentifier', `${arnPrefix(region)}:db:`);
    if (found === undefined) throw new ServiceError('DBInstanceNotFound', `DBInstance ${wanted} not found.`, 404);
    const { items, Marker } = page(found, parameters);
    const shown = items.map((each) => showInstance(each, region));
    return { DBInstances: members(shown, 'DBInstance'), Marker };
  },

  DescribeDBClusters: (parameters, { resources }, region) => {
    const wanted = parameters.text('DBClusterIdentifier');
    const found = select(resources.databaseClusters, wanted, 'DBClusterIdentifier', `${arnPrefix(region)}:cluster:`);
    if (found === undefined) throw new ServiceError('DBClusterNotFoundFault', `DBCluster ${wanted} not found.`, 404);
    const { items, Marker } = page(found, parameters);
    const shown = items.map((each) => showCluster(each, region));
    return { DBClusters: members(shown, 'DBCluster'), Marker };
  },
});

/** Smaller than RDS's (100), so that who forgets to page is found out. */
const PAGE = 5;

function page<T>(found: readonly T[], parameters: QueryParameters) {
  const start = Number(parameters.text('Marker') ?? 0);
  if (!Number.isInteger(start) || start < 0)
    throw new ServiceError('InvalidParameterValue', 'The Marker is not valid.');
  const end = start + PAGE;
  return { items: found.slice(start, end), Marker: end < found.length ? String(end) : undefined };
}

const arnPrefix = (region: string) => `arn:aws:rds:${region}:${ACCOUNT_ID}`;

/** By id, in any case, or ARN; all where none is wanted; undefined where there is none of them. */
function select<T extends { readonly id: string }>(
  all: readonly T[],
  wanted: string | undefined,
  parameter: string,
  arn: string,
): readonly T[] | undefined {
  if (wanted === undefined) return all;
  if (!wanted.startsWith('arn:')) checkIdentifier(wanted, parameter);
  const found = all.filter(({ id }) => wanted === arn + id || wanted.toLowerCase() === id);
  return found.length > 0 ? found : undefined;
}

function checkIdentifier(identifier: string, parameter: string): void {
  if (/^[a-z](-?[a-z0-9])*$/i.test(identifier)) return;
  throw new ServiceError(
    'InvalidParameterValue',
    `The parameter ${parameter} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.`,
  );
}

function showInstance(instance: DatabaseInstance, region: string): XmlElements {
  const { id, host, port, engine = 'postgres', replicaOf, clusterId, vpcId, groups = [], resourceId, iam } = instance;
  const shownGroups = groups.map((VpcSecurityGroupId) => ({ VpcSecurityGroupId, Status: 'active' }));
  return {
    DBInstanceIdentifier: id,
    DBInstanceArn: `${arnPrefix(region)}:db:${id}`,
    Engine: engine,
    DBInstanceStatus: 'available',
    Endpoint: { Address: host, Port: port },
    ReadReplicaSourceDBInstanceIdentifier: replicaOf,
    DBClusterIdentifier: clusterId,
    DbiResourceId: resourceId,
    IAMDatabaseAuthenticationEnabled: iam === true ? 'true' : 'false',
    VpcSecurityGroups: members(shownGroups, 'VpcSecurityGroupMembership'),
    DBSubnetGroup: vpcId === undefined ? undefined : { VpcId: vpcId },
  };
}

function showCluster(cluster: DatabaseCluster, region: string): XmlElements {
  const { id, host, readerHost, port, engine = 'aurora-postgresql', resourceId, iam } = cluster;
  return {
    DBClusterIdentifier: id,
    DBClusterArn: `${arnPrefix(region)}:cluster:${id}`,
    Engine: engine,
    Status: 'available',
    Endpoint: host,
    ReaderEndpoint: readerHost,
    DbClusterResourceId: resourceId,
    IAMDatabaseAuthenticationEnabled: iam === true ? 'true' : 'false',
    Port: port,
  };
}
