/** Checks of an administrator that logs in by IAM: the server's setting, the role's policy, the user's membership. */
import type { DBCluster, DBInstance } from '@aws-sdk/client-rds';
import { quotedName, RotationError } from '../../shared/errors.ts';
import type { Environment } from '../../shared/lambda/config.ts';
import type { DatabaseSecret, ServerLogin } from '../../shared/secret/database-secret.ts';
import { isSameHost } from '../../shared/secret/host-name.ts';
import { regionOfRdsEndpoint } from '../../shared/secret/rds-endpoint.ts';
import type { Context } from '../context.ts';
import { asking } from '../failures.ts';
import { ask, simulate } from './aws-facts.ts';
import { broken, type Finding, ok, unknown } from './finding.ts';
import { judgeRole } from './permission-checks.ts';

export interface IamFacts {
  readonly administrator: ServerLogin;
  /** Of the application, whose login looks at the membership; undefined where it does not log in. */
  readonly current: DatabaseSecret | undefined;
  /** The function's; undefined where Lambda does not tell. */
  readonly roleArn: string | undefined;
  readonly environment: Environment;
  readonly caFile: string | undefined;
}

/** What RDS says of a server. */
interface IamServer {
  /** `db-…` or `cluster-…`, which a policy names. */
  readonly resourceId: string;
  readonly arn: string;
  readonly enabled: boolean;
}

export async function checkIamLogin(context: Context, facts: IamFacts): Promise<Finding[]> {
  return [...(await checkServer(context, facts)), await checkMembership(facts)];
}

async function checkServer(context: Context, { administrator, roleArn }: IamFacts): Promise<Finding[]> {
  const { host, username } = administrator;
  const found = await ask(serverAt(context, host));
  const why = 'error' in found ? found.error.message : `RDS knows no server with the endpoint ${host}`;
  if ('error' in found || found.value === undefined)
    return [unknown('IAM authentication', why), unknown('IAM policy', why)];
  const { arn, resourceId, enabled } = found.value;
  const [, partition, , region, account, kind] = arn.split(':');
  const what = kind === 'cluster' ? 'cluster' : 'instance';
  const option = `--enable-iam-database-authentication${kind === 'cluster' ? '' : ' --apply-immediately'}`;
  const setting = enabled
    ? ok('IAM authentication', `it is on at ${arn}`)
    : broken(
        'IAM authentication',
        `it is off at ${arn}`,
        `aws rds modify-db-${what} --db-${what}-identifier ${arn} ${option}`,
      );
  if (roleArn === undefined) return [setting, unknown('IAM policy', 'Lambda does not tell the role of the function')];
  const calls = {
    roleArn,
    actions: ['rds-db:connect'],
    resource: `arn:${partition}:rds-db:${region}:${account}:dbuser:${resourceId}/${username}`,
    context: {},
  };
  return [setting, judgeRole('IAM policy', calls, await ask(simulate(context, calls)))];
}

/** Undefined where RDS has no instance or cluster with this endpoint. Of a cluster's instance the cluster is meant. */
async function serverAt({ aws }: Context, host: string): Promise<IamServer | undefined> {
  const rds = await import('@aws-sdk/client-rds');
  const region = regionOfRdsEndpoint(host);
  const client = new rds.RDSClient({ ...aws.settings, ...(region === undefined ? {} : { region }) });
  const same = (address: string | undefined) => address !== undefined && isSameHost(address, host);
  const cluster = async (id: string): Promise<DBCluster | undefined> => {
    const call = client.send(new rds.DescribeDBClustersCommand({ DBClusterIdentifier: id }));
    return (await asking('rds:DescribeDBClusters', call.catch(none('DBClusterNotFoundFault'))))?.DBClusters?.[0];
  };
  const instance = async (id: string): Promise<DBInstance | undefined> => {
    const call = client.send(new rds.DescribeDBInstancesCommand({ DBInstanceIdentifier: id }));
    return (await asking('rds:DescribeDBInstances', call.catch(none('DBInstanceNotFoundFault', 'DBInstanceNotFound'))))
      ?.DBInstances?.[0];
  };

  const id = host.split('.')[0] ?? '';
  const single = await instance(id);
  if (single !== undefined && same(single.Endpoint?.Address)) {
    if (single.DBClusterIdentifier !== undefined) return ofCluster(await cluster(single.DBClusterIdentifier));
    return server(single.DbiResourceId, single.DBInstanceArn, single.IAMDatabaseAuthenticationEnabled);
  }
  const found = await cluster(id);
  return same(found?.Endpoint) || same(found?.ReaderEndpoint) ? ofCluster(found) : undefined;
}

const none =
  (...names: readonly string[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof Error && names.includes(error.name))) throw error;
  };

const ofCluster = (cluster: DBCluster | undefined) =>
  server(cluster?.DbClusterResourceId, cluster?.DBClusterArn, cluster?.IAMDatabaseAuthenticationEnabled);

function server(resourceId: string | undefined, arn: string | undefined, enabled = false): IamServer | undefined {
  return resourceId === undefined || arn === undefined ? undefined : { resourceId, arn, enabled };
}

async function checkMembership({ administrator, current, environment, caFile }: IamFacts): Promise<Finding> {
  const { username } = administrator;
  if (current === undefined) return unknown('rds_iam', "AWSCURRENT's login comes first, and it was not accepted");
  try {
    const { isInRdsIam } = await import('../database-from-here.ts');
    const isMember = await isInRdsIam(username, { current, environment, caFile });
    if (isMember === undefined) return unknown('rds_iam', "AWSCURRENT's login comes first, and it was not accepted");
    if (isMember) return ok('rds_iam', `${username} is a member`);
    const remedy = `GRANT rds_iam TO ${quotedName(username)};`;
    return broken('rds_iam', `${username} is no member, so the server asks it for a password`, remedy);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    return unknown('rds_iam', error.message);
  }
}
