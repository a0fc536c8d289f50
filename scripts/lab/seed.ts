/** What a lab starts with, and what the demo makes: applications' roles, and their logins as secrets. */
import { CreateSecretCommand, type RotationRulesType } from '@aws-sdk/client-secrets-manager';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { createAppRole, dropRoles, existingRoles } from './database/app-role.ts';
import type { PostgresServer } from './database/server.ts';
import type { LabParts } from './parts.ts';
import { RedshiftStandIn } from './redshift/stand-in.ts';
import { rotate } from './rotate.ts';

/** An application: the role that it logs in as, a table of its own, and the secret that holds its login. */
export interface Application {
  readonly role: string;
  readonly table: string;
  readonly secretName: string;
  readonly strategy: StrategyName;
  /** Whether its administrator logs in by IAM. */
  readonly byIam?: true;
}

export interface StoredApplication extends Application {
  readonly secretArn: string;
  readonly database: string;
}

export interface StoredSuperuser {
  readonly username: string;
  readonly secretName: string;
  readonly secretArn: string;
}

export interface Seed {
  readonly superuser: StoredSuperuser;
  readonly applications: readonly StoredApplication[];
}

const SUPERUSER_SECRET = 'lab/superuser';

const APPLICATIONS: readonly Application[] = [
  { role: 'lab_shop', table: 'lab_orders', secretName: 'lab/shop', strategy: 'single-user' },
  { role: 'lab_billing', table: 'lab_invoices', secretName: 'lab/billing', strategy: 'alternating-users' },
];

/** The second login that alternating users makes of a role (AWS's rule for its name). */
export const twinOf = (role: string) => `${role}_clone`;

/** Nothing is made in the database: this is the login that it has. */
export async function storeSuperuser(lab: LabParts): Promise<StoredSuperuser> {
  const { username, password } = lab.database.superuser;
  const login = { username, password, dbname: await databaseName(lab.database) };
  return { username, secretName: SUPERUSER_SECRET, secretArn: await store(lab, SUPERUSER_SECRET, login) };
}

/** Makes the lab's applications, with their functions attached. */
export async function seedApplications(lab: LabParts, superuser: StoredSuperuser): Promise<Seed> {
  const roles = APPLICATIONS.flatMap(({ role }) => [role, twinOf(role)]);
  const taken = await existingRoles(lab.database, roles);
  if (taken.length > 0) {
    const remedy = taken.map((role) => `DROP OWNED BY ${role}; DROP ROLE ${role};`).join(' ');
    throw new Error(
      `The lab needs to make roles of its own, and the server already has ${taken.join(', ')}: ${remedy} or use --no-seed.`,
    );
  }
  try {
    const applications: StoredApplication[] = [];
    for (const application of APPLICATIONS) {
      applications.push(await createApplication(lab, superuser, application));
    }
    // The schedule is to be seen when time runs faster, and is to stay out of the way when it does not.
    const rules = lab.timeScale > 1 ? { ScheduleExpression: 'rate(4 hours)' } : { AutomaticallyAfterDays: 30 };
    for (const application of applications) await attach(lab, application, rules);
    return { superuser, applications };
  } catch (error) {
    if (lab.database.kind === 'url') await removeApplications(lab.database, APPLICATIONS);
    throw error;
  }
}

/** Redshift's default database. */
const REDSHIFT_DATABASE = 'dev';
const WAREHOUSE: Application = {
  role: 'lab_warehouse',
  table: 'lab_sales',
  secretName: 'lab/warehouse',
  strategy: 'single-user',
};

/** A stand-in for Amazon Redshift before the lab's own server. */
export async function startRedshift(server: PostgresServer): Promise<RedshiftStandIn> {
  await server.query(`CREATE DATABASE ${REDSHIFT_DATABASE}`);
  return await RedshiftStandIn.start(server, [REDSHIFT_DATABASE]);
}

/** Makes a user of Redshift, with the single-user function attached. */
export async function seedRedshift(lab: LabParts, standIn: RedshiftStandIn): Promise<StoredApplication> {
  const { role, table, secretName } = WAREHOUSE;
  const { password } = await createAppRole(lab.database, { name: role, table, database: REDSHIFT_DATABASE });
  await standIn.store(role, password, 'md5');
  const { host, port } = standIn;
  const login = { engine: 'redshift', host, port, username: role, password, dbname: REDSHIFT_DATABASE };
  const secretArn = await store(lab, secretName, login);
  const application = { ...WAREHOUSE, database: REDSHIFT_DATABASE, secretArn };
  await attach(lab, application, { AutomaticallyAfterDays: 30 });
  return application;
}

/** Makes the role and its table, and stores its login as a secret. */
export async function createApplication(
  lab: LabParts,
  superuser: StoredSuperuser,
  application: Application,
): Promise<StoredApplication> {
  const { role, table, secretName, strategy } = application;
  const database = await databaseName(lab.database);
  const { password } = await createAppRole(lab.database, { name: role, table, database });
  const login = { username: role, password, dbname: database };
  const masterarn = strategy === 'alternating-users' ? { masterarn: superuser.secretArn } : {};
  return { ...application, database, secretArn: await store(lab, secretName, { ...login, ...masterarn }) };
}

/** Attaches the strategy's function without rotating: Secrets Manager has it log in with the password there is. */
export async function attach(lab: LabParts, application: StoredApplication, rules: RotationRulesType) {
  const { secretArn, secretName, strategy } = application;
  const outcome = await rotate(lab, secretArn, {
    RotationLambdaARN: lab.functions[strategy],
    RotationRules: rules,
    RotateImmediately: false,
  });
  if (!outcome.succeeded) {
    const failure = outcome.steps.at(-1)?.failure;
    throw new Error(`The function should log in with the secret ${secretName}, and could not: ${failure?.message}`);
  }
  return outcome;
}

/** Drops the applications' roles, twins included, with everything that they own. */
export async function removeApplications(server: PostgresServer, applications: readonly Application[]): Promise<void> {
  // The twin first, which depends on its base role.
  await dropRoles(
    server,
    applications.flatMap(({ role }) => [twinOf(role), role]),
  );
}

async function databaseName(server: PostgresServer): Promise<string> {
  const [row] = await server.pinnedQuery<{ name: string }>('SELECT current_database() AS name');
  return row?.name ?? 'postgres';
}

/** Stores a login as AWS's database secrets do. @returns the secret's ARN. */
async function store(lab: LabParts, name: string, login: Readonly<Record<string, string | number>>): Promise<string> {
  const { database, ssl } = lab;
  const members = { engine: 'postgres', host: database.host, port: database.port, ...login, ssl };
  const { ARN = '' } = await lab.client.send(
    new CreateSecretCommand({ Name: name, SecretString: JSON.stringify(members) }),
  );
  return ARN;
}
