/** Where the benchmarks rotate: a Secrets Manager, a PostgreSQL server, and secrets for roles of its own. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { ACCOUNT_ID, DEFAULT_REGION } from '../lab/account.ts';
import { beginRotation, REGISTERS_ONLY } from '../lab/beginning.ts';
import { createAppRole, dropRoles } from '../lab/database/app-role.ts';
import { CertificateAuthority } from '../lab/database/certificate-authority.ts';
import { type PostgresServer, startPostgres } from '../lab/database/server.ts';
import { type SecretsLab, type SecretsLabOptions, startSecretsManager } from '../lab/secrets-lab.ts';
import type { Address } from '../relays/tcp-server.ts';
import type { StepEvent } from './contender.ts';

/** Of calls to Secrets Manager, the benchmarks' and the functions' alike. */
export interface Caller {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
}

export interface ArenaOptions {
  /** 'embedded' or the URL of a server. Default: embedded, with TLS on offer. */
  readonly postgres?: string;
  /** PEM file of the authority that signed the certificate of a server given by its URL. */
  readonly caFile?: string | undefined;
  /** Another Secrets Manager than the lab's. */
  readonly endpointUrl?: string | undefined;
  /** Who calls it. Default: somebody, for an endpoint that doesn't ask. */
  readonly caller?: Caller | undefined;
  readonly lab?: SecretsLabOptions;
  /** Of the embedded server. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** For ours, for OpenSSL and for libpq. */
const trust = (caFile: string) => ({ DB_CA_FILE: caFile, SSL_CERT_FILE: caFile, PGSSLROOTCERT: caFile });

export interface SecretWish {
  readonly strategy: StrategyName;
  readonly tls: boolean;
  /** Default: the server's own. */
  readonly address?: Address;
  /** It must exist. Default: 'postgres'. */
  readonly database?: string;
}

const CA_FILE = 'ca.pem';
const SOMEBODY: Caller = { accessKeyId: 'bench', secretAccessKey: 'bench', region: DEFAULT_REGION };

export class Arena implements AsyncDisposable {
  readonly server: PostgresServer;
  /** Undefined where another endpoint stands in for it. */
  readonly lab: SecretsLab | undefined;
  readonly client: SecretsManagerClient;
  readonly endpoint: string;
  readonly authority: CertificateAuthority;
  readonly #caller: Caller;
  readonly #caFile: string;
  readonly #folder: string;
  readonly #functionArn: string;
  readonly #superusers = new Map<string, Promise<string>>();
  readonly #roles: string[] = [];

  static async open(options: ArenaOptions = {}): Promise<Arena> {
    const { postgres = 'embedded', endpointUrl, caller = SOMEBODY, caFile, settings = {} } = options;
    const authority = await CertificateAuthority.create('Benchmark CA');
    const folder = await mkdtemp(join(tmpdir(), 'rotation-bench-'));
    await writeFile(join(folder, CA_FILE), authority.certificate);
    const server = await startPostgres({
      source: postgres,
      settings: { max_connections: '400', ...settings },
      ...(postgres === 'embedded' ? { tls: (host: string) => authority.issue([host]) } : {}),
      // The harness's own sessions are not measured.
      superuserTls: caFile === undefined ? false : { rejectUnauthorized: false },
    });
    const lab = endpointUrl === undefined ? await startSecretsManager({ retries: 0, ...options.lab }) : undefined;
    const endpoint = endpointUrl ?? lab?.endpoint ?? '';
    return new Arena({ server, lab, endpoint, caller }, authority, caFile, folder);
  }

  private constructor(
    parts: { server: PostgresServer; lab: SecretsLab | undefined; endpoint: string; caller: Caller },
    authority: CertificateAuthority,
    caFile: string | undefined,
    folder: string,
  ) {
    this.server = parts.server;
    this.lab = parts.lab;
    this.endpoint = parts.endpoint;
    this.#caller = parts.caller;
    this.authority = authority;
    this.#folder = folder;
    this.#caFile = caFile ?? join(folder, CA_FILE);
    this.#functionArn =
      parts.lab?.functions.register({ name: 'registers-only', bundle: REGISTERS_ONLY }) ??
      `arn:aws:lambda:us-east-1:${ACCOUNT_ID}:function:registers-only`;
    const { region, accessKeyId, secretAccessKey, sessionToken } = parts.caller;
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
    this.client = new SecretsManagerClient({ endpoint: parts.endpoint, region, credentials });
  }

  /** What a rotation function finds in its environment. */
  environment(endpoint = this.endpoint): Record<string, string> {
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#caller;
    return {
      SECRETS_MANAGER_ENDPOINT: endpoint,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_LAMBDA_FUNCTION_NAME: 'bench',
      ...trust(this.#caFile),
    };
  }

  /** The part of the environment that says whom to trust, for a server whose certificate is of our authority. */
  ownTrust(): Record<string, string> {
    return trust(join(this.#folder, CA_FILE));
  }

  /** A role that can log in, with a table, and the secret of its login. */
  async newSecret(wish: SecretWish): Promise<BenchSecret> {
    const role = await createAppRole(this.server, {
      name: `bench_${randomUUID().slice(0, 13)}`,
      ...(wish.database === undefined ? {} : { database: wish.database }),
    });
    this.#roles.push(role.name);
    const address = wish.address ?? this.server;
    const arn = await this.#store({
      ...this.#server(address, wish.tls),
      username: role.name,
      password: role.password,
      dbname: role.database,
      ...(wish.strategy === 'alternating-users' ? { masterarn: await this.#superuser(address, wish.tls) } : {}),
    });
    return new BenchSecret(this, arn, role.name, this.#functionArn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy();
    await this.lab?.close();
    if (this.server.kind === 'url') await this.#dropRoles();
    await this.server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** @returns the ARN. */
  async #store(value: object): Promise<string> {
    const name = `bench/${randomUUID()}`;
    const created = await this.client.send(
      new CreateSecretCommand({ Name: name, SecretString: JSON.stringify(value) }),
    );
    return created.ARN ?? '';
  }

  #superuser(address: Address, tls: boolean): Promise<string> {
    const key = `${address.port} ${tls}`;
    const known = this.#superusers.get(key) ?? this.#store({ ...this.#server(address, tls), ...this.server.superuser });
    this.#superusers.set(key, known);
    return known;
  }

  #server({ host, port }: Address, ssl: boolean) {
    return { engine: 'postgres', host, port, ssl };
  }

  async #dropRoles(): Promise<void> {
    // A transaction each: what many of them own at once needs more locks than a server has room for.
    for (const role of this.#roles) await dropRoles(this.server, [`${role}_clone`, role]);
  }
}

export class BenchSecret {
  readonly arn: string;
  readonly role: string;
  readonly #arena: Arena;
  readonly #functionArn: string;

  constructor(arena: Arena, arn: string, role: string, functionArn: string) {
    this.#arena = arena;
    this.arn = arn;
    this.role = role;
    this.#functionArn = functionArn;
  }

  /** Registers a version without a value as AWSPENDING, as the service does before it calls createSecret. */
  async begin(): Promise<Omit<StepEvent, 'Step'>> {
    const { client, lab } = this.#arena;
    const token = randomUUID();
    const beginning = { secretId: this.arn, functionArn: this.#functionArn, token };
    const settled = async (arn: string) => await lab?.settled(arn);
    // moto registers the version and only then finds that it has no such function.
    await beginRotation(client, beginning, settled).catch((error: Error) => {
      if (error.name !== 'ResourceNotFoundException') throw error;
    });
    if ((await this.#versionWith('AWSPENDING')) !== token) {
      throw new Error('RotateSecret was to leave AWSPENDING on the version that it registered, and did not.');
    }
    return { SecretId: this.arn, ClientRequestToken: token };
  }

  /** Checks that the rotation is over and takes AWSPENDING away, as the service does. */
  async end(token: string): Promise<void> {
    if ((await this.#versionWith('AWSCURRENT')) !== token) {
      throw new Error('finishSecret was to move AWSCURRENT to the pending version, and did not.');
    }
    if ((await this.#versionWith('AWSPENDING')) === undefined) return;
    await this.#arena.client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: this.arn,
        VersionStage: 'AWSPENDING',
        RemoveFromVersionId: token,
      }),
    );
  }

  async #versionWith(label: string): Promise<string | undefined> {
    const { VersionIdsToStages = {} } = await this.#arena.client.send(
      new DescribeSecretCommand({ SecretId: this.arn }),
    );
    return Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes(label));
  }
}
