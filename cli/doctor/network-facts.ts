/** What EC2 and RDS tell of the way from a function in a VPC to Secrets Manager and to its database. */
import type { IpPermission, Route, VpcEndpoint } from '@aws-sdk/client-ec2';
import type { Context } from '../context.ts';
import { asking, awsError } from '../failures.ts';
import { type RotationFunction, regionOf } from '../functions.ts';
import { ask } from './aws-facts.ts';

export interface Rule {
  /** Undefined: every port. */
  readonly ports: readonly [from: number, to: number] | undefined;
  readonly groups: readonly string[];
  /** Address ranges, those of IPv6 too, and prefix lists, whose ranges are not looked up. */
  readonly cidrs: readonly string[];
}

export interface Group {
  readonly id: string;
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
}

export interface SubnetFacts {
  readonly id: string;
  readonly defaultRoute: string | undefined;
  /** Whether other routes lead out of the VPC, such as to a transit gateway. */
  readonly otherRoutes: boolean;
}

export interface NetworkFacts {
  readonly subnets: readonly SubnetFacts[];
  readonly functionGroups: readonly Group[];
  /** Of Secrets Manager, in the function's VPC. */
  readonly endpoints: readonly { readonly id: string; readonly usable: boolean; readonly groups: readonly Group[] }[];
  /** Whether the function was told where the endpoint is, so that it needs no private DNS. */
  readonly toldEndpoint: boolean;
  /** Undefined where RDS has no instance or cluster with this endpoint, or did not say. */
  readonly databaseGroups: readonly Group[] | undefined;
  /** Why RDS did not say. */
  readonly unasked?: string;
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
      id: GroupId,
      ingress: rulesOf(IpPermissions),
      egress: rulesOf(IpPermissionsEgress),
    }));
  };
  const routes = async (filters: Readonly<Record<string, string>>): Promise<Route[] | undefined> => {
    const Filters = Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value] }));
    const call = client.send(new ec2.DescribeRouteTablesCommand({ Filters }));
    return (await asking('ec2:DescribeRouteTables', call)).RouteTables?.[0]?.Routes;
  };
  const subnet = async (id: string): Promise<SubnetFacts> => {
    // A subnet that is associated with no table has the VPC's main one.
    const own = await routes({ 'association.subnet-id': id });
    return { id, ...waysOut(own ?? (await routes({ 'vpc-id': VpcId, 'association.main': 'true' })) ?? []) };
  };
  const endpoints = async () => {
    const service = `com.amazonaws.${regionOf(of.arn).region}.secretsmanager`;
    // In China some services' names begin with the country's.
    const services = of.arn.startsWith('arn:aws-cn:') ? [service, `cn.${service}`] : [service];
    const Filters = [
      { Name: 'vpc-id', Values: [VpcId] },
      { Name: 'service-name', Values: services },
    ];
    const call = client.send(new ec2.DescribeVpcEndpointsCommand({ Filters }));
    return (await asking('ec2:DescribeVpcEndpoints', call)).VpcEndpoints ?? [];
  };

  const found = await endpoints();
  const database = await ask(databaseGroupIds(context, of, host));
  const toldEndpoint = of.configuration.Environment?.Variables?.SECRETS_MANAGER_ENDPOINT !== undefined;
  return {
    subnets: await Promise.all(SubnetIds.map(subnet)),
    functionGroups: await groups(SecurityGroupIds),
    endpoints: await Promise.all(
      found.map(async (endpoint: VpcEndpoint) => ({
        id: endpoint.VpcEndpointId ?? '',
        usable: endpoint.State?.toLowerCase() === 'available' && (endpoint.PrivateDnsEnabled === true || toldEndpoint),
        groups: await groups((endpoint.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? [])),
      })),
    ),
    toldEndpoint,
    ...('error' in database
      ? { databaseGroups: undefined, unasked: database.error.message }
      : { databaseGroups: database.value && (await groups(database.value)) }),
  };
}

async function databaseGroupIds({ aws }: Context, { arn }: RotationFunction, host: string) {
  const rds = await import('@aws-sdk/client-rds');
  const client = new rds.RDSClient({ ...aws.settings, ...regionOf(arn) });
  const same = (address: string | undefined) => address?.toLowerCase() === host.toLowerCase();
  const instances = await all(
    'rds:DescribeDBInstances',
    rds.paginateDescribeDBInstances({ client }, {}),
    ({ DBInstances }) => DBInstances,
  );
  const clusters = await all(
    'rds:DescribeDBClusters',
    rds.paginateDescribeDBClusters({ client }, {}),
    ({ DBClusters }) => DBClusters,
  );
  const found =
    instances.find(({ Endpoint }) => same(Endpoint?.Address)) ??
    clusters.find(({ Endpoint, ReaderEndpoint }) => same(Endpoint) || same(ReaderEndpoint));
  return found?.VpcSecurityGroups?.flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []);
}

/** The items of every page. */
async function all<Page, Item>(
  operation: string,
  pages: AsyncIterable<Page>,
  items: (page: Page) => Item[] | undefined,
) {
  const found: Item[] = [];
  try {
    for await (const page of pages) found.push(...(items(page) ?? []));
  } catch (error) {
    throw awsError(operation, error);
  }
  return found;
}

/** Pure. Gateway endpoints (of S3 and DynamoDB) and internet gateways by another route than the default lead nowhere here. */
export function waysOut(routes: readonly Route[]): Pick<SubnetFacts, 'defaultRoute' | 'otherRoutes'> {
  const isDefault = ({ DestinationCidrBlock }: Route) => DestinationCidrBlock === '0.0.0.0/0';
  const others = routes.filter((route) => !isDefault(route)).flatMap((route) => targetOf(route) ?? []);
  return {
    defaultRoute: routes.filter(isDefault).map(targetOf)[0],
    otherRoutes: others.some((target) => !/^(local$|vpce-|igw-)/.test(target)),
  };
}

function targetOf(route: Route): string | undefined {
  const { NatGatewayId, TransitGatewayId, CoreNetworkArn, VpcPeeringConnectionId } = route;
  const { NetworkInterfaceId, GatewayId } = route;
  return (
    NatGatewayId ?? TransitGatewayId ?? CoreNetworkArn ?? VpcPeeringConnectionId ?? NetworkInterfaceId ?? GatewayId
  );
}

/** Those that say something of TCP; pure. */
export function rulesOf(permissions: readonly IpPermission[]): Rule[] {
  return permissions
    .filter(({ IpProtocol = '-1' }) => ['tcp', '6', '-1'].includes(IpProtocol))
    .map(({ IpProtocol, FromPort, ToPort, UserIdGroupPairs = [], ...by }) => ({
      ports: IpProtocol === '-1' || FromPort === undefined || ToPort === undefined ? undefined : [FromPort, ToPort],
      groups: UserIdGroupPairs.flatMap(({ GroupId }) => GroupId ?? []),
      cidrs: [
        ...(by.IpRanges ?? []).flatMap(({ CidrIp }) => CidrIp ?? []),
        ...(by.Ipv6Ranges ?? []).flatMap(({ CidrIpv6 }) => CidrIpv6 ?? []),
        ...(by.PrefixListIds ?? []).flatMap(({ PrefixListId }) => PrefixListId ?? []),
      ],
    }));
}
