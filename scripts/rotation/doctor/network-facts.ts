/** What EC2 and RDS tell of the way from a function in a VPC to Secrets Manager and to its database. */
import type { IpPermission, Route, VpcEndpoint } from '@aws-sdk/client-ec2';
import type { Context } from '../context.ts';
import { asking } from '../failures.ts';
import { type RotationFunction, regionOf } from '../functions.ts';

export interface Rule {
  /** Undefined: every port. */
  readonly ports: readonly [from: number, to: number] | undefined;
  readonly groups: readonly string[];
  readonly cidrs: readonly string[];
}

export interface Group {
  readonly id: string;
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
}

export interface NetworkFacts {
  readonly subnets: readonly { readonly id: string; readonly defaultRoute: string | undefined }[];
  readonly functionGroups: readonly Group[];
  /** Of Secrets Manager, in the function's VPC. */
  readonly endpoints: readonly { readonly id: string; readonly usable: boolean; readonly groups: readonly Group[] }[];
  /** Whether the function was told where the endpoint is, so that it needs no private DNS. */
  readonly toldEndpoint: boolean;
  /** Undefined where RDS has no instance or cluster with this endpoint. */
  readonly databaseGroups: readonly Group[] | undefined;
}

export async function networkOf(context: Context, of: RotationFunction, host: string): Promise<NetworkFacts> {
  const ec2 = await import('@aws-sdk/client-ec2');
  const client = new ec2.EC2Client({ ...context.aws.settings, ...regionOf(of.arn) });
  const { SubnetIds = [], SecurityGroupIds = [], VpcId = '' } = of.configuration.VpcConfig ?? {};

  const groups = async (ids: readonly string[]): Promise<Group[]> => {
    if (ids.length === 0) return [];
    const call = client.send(new ec2.DescribeSecurityGroupsCommand({ GroupIds: [...ids] }));
    const { SecurityGroups = [] } = await asking('ec2:DescribeSecurityGroups', call);
    return SecurityGroups.map(({ GroupId = '', IpPermissions = [], IpPermissionsEgress = [] }) => ({
      ...{ id: GroupId, ingress: IpPermissions.map(ruleOf), egress: IpPermissionsEgress.map(ruleOf) },
    }));
  };
  const defaultRoute = async (subnetId: string): Promise<string | undefined> => {
    const own = { Name: 'association.subnet-id', Values: [subnetId] };
    const call = client.send(new ec2.DescribeRouteTablesCommand({ Filters: [own] }));
    const { RouteTables = [] } = await asking('ec2:DescribeRouteTables', call);
    return RouteTables.flatMap(({ Routes = [] }) => Routes)
      .map(targetOutside)
      .find((target) => target !== undefined);
  };
  const endpoints = async () => {
    const service = `com.amazonaws.${regionOf(of.arn).region}.secretsmanager`;
    const Filters = [
      { Name: 'vpc-id', Values: [VpcId] },
      { Name: 'service-name', Values: [service] },
    ];
    const call = client.send(new ec2.DescribeVpcEndpointsCommand({ Filters }));
    return (await asking('ec2:DescribeVpcEndpoints', call)).VpcEndpoints ?? [];
  };

  const found = await endpoints();
  const database = await databaseGroupIds(context, host);
  const toldEndpoint = of.configuration.Environment?.Variables?.SECRETS_MANAGER_ENDPOINT !== undefined;
  return {
    subnets: await Promise.all(SubnetIds.map(async (id) => ({ id, defaultRoute: await defaultRoute(id) }))),
    functionGroups: await groups(SecurityGroupIds),
    endpoints: await Promise.all(
      found.map(async (endpoint: VpcEndpoint) => ({
        id: endpoint.VpcEndpointId ?? '',
        usable: endpoint.State?.toLowerCase() === 'available' && (endpoint.PrivateDnsEnabled === true || toldEndpoint),
        groups: await groups((endpoint.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? [])),
      })),
    ),
    toldEndpoint,
    databaseGroups: database && (await groups(database)),
  };
}

async function databaseGroupIds({ aws }: Context, host: string): Promise<string[] | undefined> {
  const rds = await import('@aws-sdk/client-rds');
  const client = new rds.RDSClient(aws.settings);
  const same = (address: string | undefined) => address?.toLowerCase() === host.toLowerCase();
  const { DBInstances = [] } = await asking(
    'rds:DescribeDBInstances',
    client.send(new rds.DescribeDBInstancesCommand({})),
  );
  const { DBClusters = [] } = await asking(
    'rds:DescribeDBClusters',
    client.send(new rds.DescribeDBClustersCommand({})),
  );
  const found =
    DBInstances.find(({ Endpoint }) => same(Endpoint?.Address)) ??
    DBClusters.find(({ Endpoint, ReaderEndpoint }) => same(Endpoint) || same(ReaderEndpoint));
  return found?.VpcSecurityGroups?.flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []);
}

function targetOutside({ DestinationCidrBlock, NatGatewayId, TransitGatewayId, GatewayId, NetworkInterfaceId }: Route) {
  if (DestinationCidrBlock !== '0.0.0.0/0') return undefined;
  return NatGatewayId ?? TransitGatewayId ?? NetworkInterfaceId ?? GatewayId;
}

function ruleOf({ IpProtocol, FromPort, ToPort, UserIdGroupPairs = [], IpRanges = [] }: IpPermission): Rule {
  const everything = IpProtocol === '-1' || FromPort === undefined || ToPort === undefined;
  return {
    ports: everything ? undefined : [FromPort, ToPort],
    groups: UserIdGroupPairs.flatMap(({ GroupId }) => GroupId ?? []),
    cidrs: IpRanges.flatMap(({ CidrIp }) => CidrIp ?? []),
  };
}
