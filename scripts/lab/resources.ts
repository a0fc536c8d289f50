/**
 * What the lab's account holds besides secrets and functions, as far as the operator's command asks for it. It is plain
 * data, put here by whoever runs the lab; the services beside only tell it.
 */
import { ACCOUNT_ID } from './account.ts';

/** An execution role and its policies, the inline and the attached alike. */
export interface Role {
  readonly arn: string;
  readonly policies: readonly PolicyDocument[];
}

/** Of the identity kind. The evaluator knows the elements and operators that this project's template uses. */
export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface Stack {
  readonly name: string;
  readonly status?: string;
  readonly outputs: Readonly<Record<string, string>>;
}

export interface Key {
  readonly id: string;
  /** Names with their prefix, such as "alias/payments". */
  readonly aliases?: readonly string[];
  readonly state?: 'Enabled' | 'Disabled' | 'PendingDeletion';
  /** Default: every region. */
  readonly region?: string;
  readonly description?: string;
  /** Whether it is AWS's own, which nobody has to make. */
  readonly managedByAws?: boolean;
}

/** Of Secrets Manager, in every account and region. */
const DEFAULT_KEY: Key = {
  id: '0d990263-018e-4e65-a703-eff731de951e',
  aliases: ['alias/aws/secretsmanager'],
  description: 'Default key that protects my Secrets Manager data when no other key is defined',
  managedByAws: true,
};

export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  /** Where its default route leads, such as "nat-0a1b…" or "igw-0a1b…"; absent: nowhere outside the VPC. */
  readonly defaultRoute?: string;
  /** Whether it has the VPC's main route table, as one that is associated with none does. */
  readonly onMainTable?: boolean;
  /** Targets of routes to other networks, such as "tgw-0a1b…". */
  readonly otherRoutes?: readonly string[];
}

export interface SecurityGroup {
  readonly id: string;
  readonly vpcId: string;
  readonly ingress?: readonly SecurityRule[];
  /** Default: everything, as EC2 makes them. */
  readonly egress?: readonly SecurityRule[];
}

export interface SecurityRule {
  /** Both ends; absent: all traffic. */
  readonly ports?: readonly [from: number, to: number];
  readonly groups?: readonly string[];
  readonly cidrs?: readonly string[];
}

export interface VpcEndpoint {
  readonly id: string;
  readonly vpcId: string;
  /** Such as "com.amazonaws.us-east-1.secretsmanager". */
  readonly service: string;
  readonly state?: string;
  readonly privateDns?: boolean;
  readonly groups?: readonly string[];
}

export interface DatabaseInstance {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly engine?: string;
  /** The id of the instance that it replicates, or of the cluster that it belongs to. */
  readonly replicaOf?: string;
  readonly clusterId?: string;
  /** Such as "db-ABCDEFGHIJKL01234". */
  readonly resourceId?: string;
  /** Whether logins by IAM are on. */
  readonly iam?: boolean;
  readonly vpcId?: string;
  readonly groups?: readonly string[];
}

export interface DatabaseCluster {
  readonly id: string;
  /** Of the writer. */
  readonly host: string;
  readonly readerHost?: string;
  /** Such as "cluster-ABCDEFGHIJKL01234". */
  readonly resourceId?: string;
  /** Whether logins by IAM are on. */
  readonly iam?: boolean;
  readonly port: number;
  readonly engine?: string;
}

export class AccountResources {
  /** By ARN. */
  readonly roles = new Map<string, Role>();
  /** By name. */
  readonly stacks = new Map<string, Stack>();
  readonly keys: Key[] = [DEFAULT_KEY];
  readonly subnets: Subnet[] = [];
  readonly securityGroups: SecurityGroup[] = [];
  readonly vpcEndpoints: VpcEndpoint[] = [];
  readonly databases: DatabaseInstance[] = [];
  readonly databaseClusters: DatabaseCluster[] = [];
  /** Milliseconds until a line that a function wrote can be read: CloudWatch Logs takes some seconds. */
  logDelayMs = 0;
  readonly #refused = new Set<string>();
  readonly #calls = new Map<string, number>();

  /** From now on the caller is not allowed this call, such as "logs:FilterLogEvents". @returns how to allow it again. */
  refuse(action: string): () => void {
    this.#refused.add(action);
    return () => this.#refused.delete(action);
  }

  keysIn(region: string): readonly Key[] {
    return this.keys.filter((key) => (key.region ?? region) === region);
  }

  /** @param id of a key, its ARN, an alias or an alias's ARN. */
  findKey(region: string, id: string): Key | undefined {
    const prefix = `arn:aws:kms:${region}:${ACCOUNT_ID}:`;
    const local = id.startsWith(prefix) ? id.slice(prefix.length) : id;
    return this.keysIn(region).find((key) => [key.id, `key/${key.id}`, ...(key.aliases ?? [])].includes(local));
  }

  noteCall(action: string): void {
    this.#calls.set(action, this.calls(action) + 1);
  }

  /** How often the account's services were asked for this, such as "rds:DescribeDBInstances". */
  calls(action: string): number {
    return this.#calls.get(action) ?? 0;
  }

  /** Each that was asked for. */
  get called(): readonly string[] {
    return [...this.#calls.keys()];
  }

  isRefused(action: string): boolean {
    return this.#refused.has(action);
  }
}
