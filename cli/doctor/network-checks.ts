/** Checks of the way from the function to Secrets Manager and to the database: pure, as far as groups and routes tell. */
import { broken, type Finding, ok, unknown } from './finding.ts';
import type { Group, NetworkFacts, Rule } from './network-facts.ts';

const HTTPS = 443;

export function judgeNetwork(facts: NetworkFacts, host: string, port: number): Finding[] {
  return [judgeWayToSecretsManager(facts), judgeWayToDatabase(facts, host, port)];
}

function judgeWayToSecretsManager({ endpoints, subnets, functionGroups, toldEndpoint }: NetworkFacts): Finding {
  const check = 'way to Secrets Manager';
  const usable = endpoints.find((endpoint) => endpoint.usable);
  if (usable !== undefined) {
    const refusal = refusalBetween(functionGroups, usable.groups, HTTPS);
    if (refusal?.certain) {
      return broken(check, `the VPC endpoint ${usable.id} is there, but ${refusal.what}`, refusal.remedy);
    }
    if (refusal !== undefined) return unknown(check, refusal.what);
    return ok(check, `through the VPC endpoint ${usable.id}`);
  }
  const shut = endpoints[0];
  if (shut !== undefined && !toldEndpoint) {
    const remedy = `aws ec2 modify-vpc-endpoint --vpc-endpoint-id ${shut.id} --private-dns-enabled, or set SECRETS_MANAGER_ENDPOINT`;
    return broken(check, `the VPC endpoint ${shut.id} is not available or has no private DNS name`, remedy);
  }
  const inside = subnets.filter(({ defaultRoute }) => defaultRoute === undefined || defaultRoute.startsWith('igw-'));
  const toldElsewhere = toldEndpoint && endpoints.length === 0;
  const stranded = inside.find(({ otherRoutes }) => !otherRoutes && !toldElsewhere);
  if (stranded !== undefined) {
    const why =
      stranded.defaultRoute === undefined
        ? 'has no route out of the VPC'
        : 'leads to an internet gateway, which a function has no address for';
    const remedy = 'Make a VPC endpoint for Secrets Manager in the VPC, or give the subnet a route to a NAT gateway.';
    return broken(check, `there is no VPC endpoint, and the subnet ${stranded.id} ${why}`, remedy);
  }
  if (inside.length > 0) {
    return unknown(check, `there is no VPC endpoint in the VPC of ${inside[0]?.id}, and there may be one elsewhere`);
  }
  return ok(check, `out of the VPC, by ${[...new Set(subnets.map(({ defaultRoute }) => defaultRoute))].join(', ')}`);
}

function judgeWayToDatabase(
  { functionGroups, databaseGroups, unasked }: NetworkFacts,
  host: string,
  port: number,
): Finding {
  const check = 'security groups';
  if (databaseGroups === undefined) {
    return unknown(check, unasked ?? `RDS has no instance or cluster with the endpoint ${host}`);
  }
  const refusal = refusalBetween(functionGroups, databaseGroups, port);
  if (refusal === undefined) return ok(check, `those of the database admit the function on port ${port}`);
  return refusal.certain ? broken(check, refusal.what, refusal.remedy) : unknown(check, refusal.what);
}

interface Refusal {
  readonly what: string;
  readonly remedy: string;
  /** False where addresses decide, which groups alone do not tell. */
  readonly certain: boolean;
}

/** Why no connection is possible from members of one set of groups to members of the other; undefined where one is. */
function refusalBetween(from: readonly Group[], to: readonly Group[], port: number): Refusal | undefined {
  const fromIds = from.map(({ id }) => id);
  const toIds = to.map(({ id }) => id);
  const out = verdict(
    from.flatMap(({ egress }) => egress),
    toIds,
    port,
  );
  const into = verdict(
    to.flatMap(({ ingress }) => ingress),
    fromIds,
    port,
  );
  if (out === 'no') {
    return {
      what: `the function's security groups (${fromIds.join(', ')}) let nothing out to port ${port}`,
      remedy: `aws ec2 authorize-security-group-egress --group-id ${fromIds[0]} --protocol tcp --port ${port} --source-group ${toIds[0]}`,
      certain: true,
    };
  }
  if (into === 'no') {
    return {
      what: `the security groups ${toIds.join(', ')} let ${fromIds.join(', ')} in on no rule for port ${port}`,
      remedy: `aws ec2 authorize-security-group-ingress --group-id ${toIds[0]} --protocol tcp --port ${port} --source-group ${fromIds[0]}`,
      certain: true,
    };
  }
  if (out === 'yes' && into === 'yes') return undefined;
  return { what: `rules by address range or prefix list decide about port ${port}`, remedy: '', certain: false };
}

function verdict(rules: readonly Rule[], others: readonly string[], port: number): 'yes' | 'no' | 'by-address' {
  const fitting = rules.filter(({ ports }) => ports === undefined || (ports[0] <= port && port <= ports[1]));
  const admits = ({ groups, cidrs }: Rule) => groups.some((id) => others.includes(id)) || cidrs.includes('0.0.0.0/0');
  if (fitting.some(admits)) return 'yes';
  return fitting.some(({ cidrs }) => cidrs.length > 0) ? 'by-address' : 'no';
}
