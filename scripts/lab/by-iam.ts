/** A server as RDS has them, and an application on it whose administrator logs in by IAM. */
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { DEFAULT_REGION, FUNCTION_CREDENTIALS } from './account.ts';
import { createAppRole } from './database/app-role.ts';
import { CertificateAuthority } from './database/certificate-authority.ts';
import { IamFront } from './database/iam-front.ts';
import type { PostgresServer } from './database/server.ts';
import { LAB_ADMINISTRATOR } from './functions/function-role.ts';
import type { LabParts } from './parts.ts';
import { attach, type StoredApplication } from './seed.ts';

const ID = 'lab';
const ENDPOINT = `${ID}.c1a2b3d4e5f6.${DEFAULT_REGION}.rds.amazonaws.com`;
const HOSTS = new URL('./functions/hosts.mjs', import.meta.url).href;

/** The lab's server once more, under an endpoint's name that only the functions find. */
export interface LabEndpoint extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Of a function that is to find it and to trust its certificate. */
  readonly environment: Readonly<Record<string, string>>;
}

export async function startEndpoint(server: PostgresServer): Promise<LabEndpoint> {
  const authority = await CertificateAuthority.create('Lab CA');
  const front = await IamFront.start(server, {
    host: ENDPOINT,
    region: DEFAULT_REGION,
    certificate: await authority.issue([ENDPOINT]),
    keyOf: (id) => (id === FUNCTION_CREDENTIALS.accessKeyId ? FUNCTION_CREDENTIALS : undefined),
  });
  return {
    host: ENDPOINT,
    port: front.port,
    environment: {
      NODE_OPTIONS: `--import=${HOSTS}`,
      HOSTS: JSON.stringify({ [ENDPOINT]: front.host }),
      // Not by a file, which would stay behind where the lab is killed.
      TRUSTED_CA: authority.certificate,
    },
    [Symbol.asyncDispose]: () => front[Symbol.asyncDispose](),
  };
}

/** Makes the administrator and the application, with least privilege, and attaches the application's secret. */
export async function seedByIam(lab: LabParts, { host, port }: LabEndpoint): Promise<StoredApplication> {
  const application = {
    role: 'lab_ledger',
    table: 'lab_entries',
    secretName: 'lab/ledger',
    strategy: 'alternating-users',
    database: 'postgres',
    byIam: true,
  } as const;
  const { database, client, secretsManager } = lab;
  const resource = { resourceId: 'db-LABLABLABLABLAB12', iam: true };
  secretsManager.resources.databases.push({ id: ID, host, port, ...resource });
  const { password } = await createAppRole(database, { name: application.role, table: application.table });
  await database.query(`
    CREATE ROLE ${LAB_ADMINISTRATOR} LOGIN CREATEROLE;
    GRANT rds_iam TO ${LAB_ADMINISTRATOR};
    GRANT ${application.role} TO ${LAB_ADMINISTRATOR} WITH ADMIN OPTION`);
  const store = async (Name: string, members: Readonly<Record<string, unknown>>) => {
    const SecretString = JSON.stringify({ engine: 'postgres', host, port, dbname: application.database, ...members });
    return (await client.send(new CreateSecretCommand({ Name, SecretString }))).ARN ?? '';
  };
  const masterarn = await store('lab/rotator', { username: LAB_ADMINISTRATOR, iam: true });
  const secretArn = await store(application.secretName, { username: application.role, password, masterarn });
  const stored = { ...application, secretArn };
  await attach(lab, stored, { AutomaticallyAfterDays: 30 });
  return stored;
}
