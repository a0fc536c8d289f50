/** EC2's describe calls on the network around a function. Ids that are not there are errors, as in EC2. */
import { ACCOUNT_ID } from '../account.ts';
import { ServiceError } from '../http/service.ts';
import type { SecurityRule, Subnet } from '../resources.ts';
import { type QueryParameters, queryService } from './query-service.ts';
import { members, type XmlElements } from './xml.ts';

const shape = {
  prefix: 'ec2',
  version: '2016-11-15',
  namespace: 'http://ec2.amazonaws.com/doc/2016-11-15/',
  dialect: 'ec2',
} as const;

export const ec2 = queryService(shape, {
  DescribeSubnets: (parameters, { resources }) => {
    const ids = parameters.list('SubnetId', '.');
    const found = byIds(resources.subnets, ids, 'InvalidSubnetID.NotFound', 'subnet');
    const shown = found.map(({ id, vpcId }) => ({ subnetId: id, vpcId, state: 'available', ownerId: ACCOUNT_ID }));
    return { subnetSet: members(shown, 'item') };
  },

  DescribeSecurityGroups: (parameters, { resources }) => {
    const ids = parameters.list('GroupId', '.');
    const found = byIds(resources.securityGroups, ids, 'InvalidGroup.NotFound', 'security group');
    const shown = found.map(({ id, vpcId, ingress = [], egress = [{ cidrs: ['0.0.0.0/0'] }] }) => ({
      groupId: id,
      groupName: id,
      groupDescription: id,
      vpcId,
      ownerId: ACCOUNT_ID,
      ipPermissions: members(ingress.map(showRule), 'item'),
      ipPermissionsEgress: members(egress.map(showRule), 'item'),
    }));
    return { securityGroupInfo: members(shown, 'item') };
  },

  DescribeRouteTables: (parameters, { resources }) => {
    const filters = readFilters(parameters, ['association.subnet-id', 'association.main', 'vpc-id']);
    const fits = (name: string, value: string | undefined) =>
      filters.get(name)?.some((wanted) => wanted === value) ?? true;
    const found = resources.subnets.filter(
      ({ id, vpcId, onMainTable = false }) =>
        fits('vpc-id', vpcId) &&
        fits('association.main', String(onMainTable)) &&
        // Explicit associations only, as in EC2.
        fits('association.subnet-id', onMainTable ? undefined : id),
    );
    return { routeTableSet: members(found.map(showRouteTable), 'item') };
  },

  DescribeVpcEndpoints: (parameters, { resources }) => {
    const filters = readFilters(parameters, ['vpc-id', 'service-name']);
    const found = resources.vpcEndpoints.filter(
      ({ vpcId, service }) =>
        (filters.get('vpc-id')?.includes(vpcId) ?? true) && (filters.get('service-name')?.includes(service) ?? true),
    );
    const shown = found.map(({ id, vpcId, service, state = 'available', privateDns = true, groups = [] }) => ({
      vpcEndpointId: id,
      vpcEndpointType: 'Interface',
      vpcId,
      serviceName: service,
      state,
      privateDnsEnabled: privateDns,
      groupSet: members(
        groups.map((groupId) => ({ groupId })),
        'item',
      ),
    }));
    return { vpcEndpointSet: members(shown, 'item') };
  },
});

function byIds<T extends { readonly id: string }>(all: readonly T[], ids: string[], code: string, what: string): T[] {
  const missing = ids.find((id) => !all.some((each) => each.id === id));
  if (missing !== undefined) throw new ServiceError(code, `The ${what} '${missing}' does not exist`);
  return ids.length === 0 ? [...all] : all.filter(({ id }) => ids.includes(id));
}

function readFilters(parameters: QueryParameters, known: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const filters = new Map<string, readonly string[]>();
  for (let index = 1; ; index++) {
    const name = parameters.text(`Filter.${index}.Name`);
    if (name === undefined) return filters;
    if (!known.includes(name)) throw new ServiceError('InvalidParameterValue', `The filter '${name}' is invalid`);
    filters.set(name, parameters.list(`Filter.${index}.Value`, '.'));
  }
}

function showRule({ ports, groups = [], cidrs = [] }: SecurityRule): XmlElements {
  return {
    ipProtocol: ports === undefined ? '-1' : 'tcp',
    fromPort: ports?.[0],
    toPort: ports?.[1],
    groups: members(
      groups.map((groupId) => ({ groupId, userId: ACCOUNT_ID })),
      'item',
    ),
    ipRanges: members(
      cidrs.map((cidrIp) => ({ cidrIp })),
      'item',
    ),
  };
}

function showRouteTable({ id, vpcId, defaultRoute, onMainTable = false, otherRoutes = [] }: Subnet): XmlElements {
  const routeTableId = onMainTable ? vpcId.replace('vpc-', 'rtb-') : id.replace('subnet-', 'rtb-');
  const routes = [
    { destinationCidrBlock: '10.0.0.0/16', gatewayId: 'local', state: 'active' },
    ...(defaultRoute === undefined ? [] : [showRoute('0.0.0.0/0', defaultRoute)]),
    ...otherRoutes.map((target, index) => showRoute(`172.${16 + index}.0.0/16`, target)),
  ];
  const association = onMainTable ? { main: true } : { subnetId: id, main: false };
  return {
    routeTableId,
    vpcId,
    routeSet: members(routes, 'item'),
    associationSet: members([{ routeTableId, ...association }], 'item'),
  };
}

/** The member that names the target tells its kind. */
function showRoute(destinationCidrBlock: string, target: string): XmlElements {
  const kinds: Readonly<Record<string, string>> = {
    nat: 'natGatewayId',
    tgw: 'transitGatewayId',
    arn: 'coreNetworkArn',
  };
  const member = kinds[target.split(/[-:]/)[0] ?? ''] ?? 'gatewayId';
  return { destinationCidrBlock, [member]: target, state: 'active' };
}
