import { type Config, type Environment, readConfig } from '../../shared/config.ts';
import { roleDatabase } from '../../shared/database/database.ts';
import { trustStore } from '../../shared/database/tls.ts';
import { postgresTwins } from '../../shared/database/twins.ts';
import { Deadline } from '../../shared/deadline.ts';
import { type CredentialLabel, RotationError, type RotationErrorCode } from '../../shared/rotation/errors.ts';
import type { RoleDatabase } from '../../shared/rotation/strategy.ts';
import type { DatabaseSecret } from '../../shared/secrets/database-secret.ts';

/** What came of a login from this machine. */
export type LoginProof =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'refused' }
  /** It was not the password: the way there, TLS, or the server. */
  | { readonly outcome: 'failed'; readonly error: RotationError };

const PATIENCE_MS = 12_000;

/** What says only that this machine is not where the function is, or that the server is busy at the moment. */
const NOT_FROM_HERE: readonly RotationErrorCode[] = [
  'DATABASE_HOST_NOT_FOUND',
  'DATABASE_UNREACHABLE',
  'DATABASE_TIMEOUT',
  'DATABASE_CONNECTION_LOST',
  'DATABASE_UNAVAILABLE',
  'DATABASE_FULL',
  'ROLE_CONNECTION_LIMIT',
  'INVALID_ENVIRONMENT',
  'TLS_UNTRUSTED_CERTIFICATE',
];

/**
 * Logs in as the rotation function does, with the certificates that this machine trusts.
 *
 * @param environment of the function; one that can't be read counts as none (the doctor has a finding for that).
 */
export function databaseFromHere(caFile: string | undefined, environment: Environment = {}): RoleDatabase {
  const config = { ...readable(environment), ...trustedHere(caFile) };
  const trust = trustStore(config.caFiles);
  return roleDatabase({ settings: config, trust, deadline: new Deadline(PATIENCE_MS), twins: postgresTwins });
}

function trustedHere(caFile: string | undefined): Pick<Config, 'caFiles'> {
  const { caFiles } = readConfig(caFile === undefined ? {} : { DB_CA_FILE: caFile });
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

/** Logs in and asks the server who that is. */
export async function tryLogin(
  secret: DatabaseSecret,
  label: CredentialLabel,
  caFile: string | undefined,
  environment: Environment = {},
): Promise<LoginProof> {
  try {
    const credential = { label, versionId: '', secret };
    const { accepted } = await databaseFromHere(caFile, environment).withLogin(credential, (roles) =>
      roles.confirmUser(),
    );
    return { outcome: accepted ? 'accepted' : 'refused' };
  } catch (error) {
    if (error instanceof RotationError) return { outcome: 'failed', error };
    throw error;
  }
}

/** Whether a failed login says nothing about the secret: another machine, or another moment, may well succeed. */
export function isOnlyFromHere({ code }: RotationError): boolean {
  return NOT_FROM_HERE.includes(code);
}

/** Such as `shop@db.example.com:5432/shop`. */
export function loginName({ username, host, port, dbname }: DatabaseSecret): string {
  return `${username}@${host}:${port}/${dbname}`;
}
