import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_REGION, FUNCTION_CREDENTIALS } from '../../scripts/lab/account.ts';
import { CertificateAuthority } from '../../scripts/lab/database/certificate-authority.ts';
import { IamFront, type IamFrontOptions } from '../../scripts/lab/database/iam-front.ts';
import type { PostgresServer, ServerCertificate } from '../../scripts/lab/database/server.ts';
import { hostsEnvironment } from './hosts.ts';
import { startTestServer } from './postgres.ts';
import type { TwinOptions } from './twin-options.ts';

/** The endpoint of the tests' instance. */
export const ENDPOINT = `orders.c1a2b3d4e5f6.${DEFAULT_REGION}.rds.amazonaws.com`;

/** A server under the name of an endpoint, as RDS has them, with TLS by an authority of its own, and tokens for members of rds_iam. */
export class RdsEndpoint implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly #authority: CertificateAuthority;
  readonly #folder: string;

  static async of(server: PostgresServer): Promise<RdsEndpoint> {
    const authority = await CertificateAuthority.create();
    const folder = await mkdtemp(join(tmpdir(), 'rds-'));
    await writeFile(join(folder, 'authority.pem'), authority.certificate);
    return new RdsEndpoint(server, authority, folder);
  }

  private constructor(server: PostgresServer, authority: CertificateAuthority, folder: string) {
    this.server = server;
    this.#authority = authority;
    this.#folder = folder;
  }

  /** A front of its own, that knows the functions' key. */
  async front(options: Partial<IamFrontOptions> = {}): Promise<IamFront> {
    const { host = ENDPOINT } = options;
    return await IamFront.start(this.server, {
      host,
      region: DEFAULT_REGION,
      certificate: await this.certificateFor(host),
      keyOf: (id) => (id === FUNCTION_CREDENTIALS.accessKeyId ? FUNCTION_CREDENTIALS : undefined),
      ...options,
    });
  }

  async certificateFor(...names: readonly string[]): Promise<ServerCertificate> {
    return await this.#authority.issue(names);
  }

  /** Of a function that finds the names at the front, and trusts its certificate. */
  environment(...names: readonly string[]): Readonly<Record<string, string>> {
    const hosts = [ENDPOINT, ...names].map((name) => [name, '127.0.0.1']);
    return { ...hostsEnvironment(Object.fromEntries(hosts)), DB_CA_FILE: join(this.#folder, 'authority.pem') };
  }

  /** Twins whose administrator logs in by IAM, as its secret says. */
  byIam({ port }: IamFront, options: TwinOptions = {}): TwinOptions {
    const server = { host: ENDPOINT, port, ssl: undefined };
    return {
      admin: 'admin-option',
      ...options,
      environment: { ...this.environment(), ...options.environment },
      members: { ...server, ...options.members },
      superuserMembers: { ...server, password: undefined, iam: true, ...options.superuserMembers },
    };
  }

  async grantIam({ name }: { readonly name: string }): Promise<void> {
    await this.server.query(`GRANT rds_iam TO "${name}"`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}

/** The same on a server of its own. */
export async function startRdsServer(version?: number): Promise<RdsEndpoint> {
  return await RdsEndpoint.of(await startTestServer(version === undefined ? {} : { version }));
}
