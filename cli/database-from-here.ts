/** The way to a database from this machine. Loaded when somebody logs in: the driver takes longer than what most subcommands do. */
import { roleDatabase } from '../shared/database/database.ts';
import { trustStore } from '../shared/database/tls.ts';
import { postgresTwins } from '../shared/database/twins.ts';
import { Deadline } from '../shared/deadline.ts';
import { RotationError } from '../shared/errors.ts';
import { type Config, type Environment, readConfig } from '../shared/lambda/config.ts';
import type { RoleDatabase } from '../shared/rotation/ports.ts';

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
  return roleDatabase({ settings: config, trust, deadline: new Deadline(LOGIN_PATIENCE_MS), twins: postgresTwins });
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
