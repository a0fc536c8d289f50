/** The way to a database from this machine. Loaded when somebody logs in: the driver takes longer than what most subcommands do. */
import { escapeLiteral } from 'pg';
import { roleDatabase } from '../shared/database/database.ts';
import { redshift } from '../shared/database/redshift.ts';
import { withSession } from '../shared/database/session.ts';
import { tlsPolicy, trustStore } from '../shared/database/tls.ts';
import { postgresTwins } from '../shared/database/twins.ts';
import { POSTGRES_WIRE } from '../shared/database/wire.ts';
import { Deadline } from '../shared/deadline.ts';
import { RotationError } from '../shared/errors.ts';
import { type Config, type Environment, readConfig } from '../shared/lambda/config.ts';
import type { RoleDatabase } from '../shared/rotation/ports.ts';
import type { DatabaseSecret } from '../shared/secret/database-secret.ts';

/** What logins from here may take altogether, in ms. */
export const LOGIN_PATIENCE_MS = 12_000;

/**
 * Logs in as the rotation function does, with the certificates that this machine trusts.
 *
 * @param environment of the function; one that can't be read counts as none (the doctor has a finding for that).
 */
export function databaseFromHere(caFile: string | undefined, environment: Environment = {}): RoleDatabase {
  const config = { ...readable(environment), ...trustedHere(caFile) };
  const trust = trustStore(config.caFiles);
  const deadline = new Deadline(LOGIN_PATIENCE_MS);
  return roleDatabase({ settings: config, trust, deadline, twins: postgresTwins, redshift });
}

export interface MembershipQuestion {
  /** Whose login asks. */
  readonly current: DatabaseSecret;
  readonly caFile: string | undefined;
  /** Of the function. */
  readonly environment: Environment;
}

/** Whether a role is in rds_iam, directly or not, as pg_hba.conf counts it; undefined where the login is not accepted. */
export async function isInRdsIam(
  username: string,
  { current, caFile, environment }: MembershipQuestion,
): Promise<boolean | undefined> {
  const { host, port, password, dbname: database, sslHostname } = current;
  const config = { ...readable(environment), ...trustedHere(caFile) };
  const tls = tlsPolicy(current.ssl, config.tlsFallback);
  const login = { host, port, username: current.username, password, byToken: false, database, tls, sslHostname };
  const settings = {
    deadline: new Deadline(LOGIN_PATIENCE_MS),
    trust: trustStore(config.caFiles),
    wire: POSTGRES_WIRE,
  };
  const outcome = await withSession(login, settings, (session) =>
    session.query<{ readonly found: boolean }>(
      `WITH RECURSIVE roles(id) AS (
         SELECT oid FROM pg_roles WHERE rolname = ${escapeLiteral(username)}
         UNION SELECT m.roleid FROM pg_auth_members m JOIN roles ON m.member = roles.id)
       SELECT EXISTS (SELECT FROM roles JOIN pg_roles r ON r.oid = roles.id WHERE r.rolname = 'rds_iam') AS found`,
    ),
  );
  return outcome.accepted === true ? outcome.value[0]?.found : undefined;
}

function trustedHere(caFile: string | undefined): Pick<Config, 'caFiles'> {
  const { caFiles } = readConfig({ DB_CA_FILE: caFile });
  return { caFiles };
}

function readable(environment: Environment): Config {
  try {
    return readConfig(environment);
  } catch (error) {
    if (error instanceof RotationError) return readConfig({});
    throw error;
  }
}
