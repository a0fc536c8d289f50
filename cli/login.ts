import { roleDatabase } from '../shared/database/database.ts';
import { redshift } from '../shared/database/redshift.ts';
import { trustStore } from '../shared/database/tls.ts';
import { postgresTwins } from '../shared/database/twins.ts';
import { Deadline } from '../shared/deadline.ts';
import { type CredentialSource, RotationError, type RotationErrorCode } from '../shared/errors.ts';
import { type Config, type Environment, readConfig } from '../shared/lambda/config.ts';
import { alternatingUsers } from '../shared/rotation/alternating-users.ts';
import type { Credential, RoleDatabase, RoleSession } from '../shared/rotation/ports.ts';
import type { StrategyName } from '../shared/rotation/strategy.ts';
import type { DatabaseSecret } from '../shared/secret/database-secret.ts';

/** What came of a login from this machine. */
export type LoginProof =
  /** @param unfit what a rotation would refuse all the same, as far as the login shows it. */
  | { readonly outcome: 'accepted'; readonly unfit?: RotationError }
  | { readonly outcome: 'refused' }
  /** It was not the password: the way there, TLS, or the server. */
  | { readonly outcome: 'failed'; readonly error: RotationError };

/** What logins from here may take altogether, in ms. */
export const LOGIN_PATIENCE_MS = 12_000;

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
  return roleDatabase({
    settings: config,
    trust,
    deadline: new Deadline(LOGIN_PATIENCE_MS),
    twins: postgresTwins,
    redshift,
  });
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

export interface LoginTry {
  readonly source: CredentialSource;
  readonly caFile: string | undefined;
  /** Of the function. Default: none of its variables is set. */
  readonly environment?: Environment;
  /** Look at what this strategy would refuse too. Without one it is the login alone that counts. */
  readonly strategy?: StrategyName;
}

/** Logs in, asks the server who that is, and then whether a rotation could begin with it. */
export async function tryLogin(
  secret: DatabaseSecret,
  { source, caFile, environment, strategy }: LoginTry,
): Promise<LoginProof> {
  const credential = { source, versionId: '', secret };
  const database = databaseFromHere(caFile, environment);
  let isOpen = false;
  let loggedIn = false;
  try {
    const { accepted } = await database.withLogin(credential, async (roles) => {
      isOpen = true;
      await roles.confirmUser();
      loggedIn = true;
      if (strategy !== undefined) await examine(roles, credential, strategy, database);
    });
    return { outcome: accepted ? 'accepted' : 'refused' };
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    if (loggedIn) return isOnlyFromHere(error) ? { outcome: 'accepted' } : { outcome: 'accepted', unfit: error };
    // A pooler lets applications in: it opened the session that shows it. An endpoint of RDS Proxy is not even asked.
    if (isOpen && error.code === 'DATABASE_BEHIND_PROXY') return { outcome: 'accepted', unfit: error };
    return { outcome: 'failed', error };
  }
}

/** What a rotation asks of a login: of AWSCURRENT's before it stores anything, of a twin's before it is made current. */
async function examine(
  roles: RoleSession,
  credential: Credential,
  strategy: StrategyName,
  database: RoleDatabase,
): Promise<void> {
  if (strategy === 'single-user') await roles.examineOwn();
  else if (credential.source === 'current') await roles.twins.describeUser();
  else await alternatingUsers.verify(roles, credential, database);
}

/** Whether a failed login says nothing about the secret: another machine, or another moment, may well succeed. */
export function isOnlyFromHere({ code }: RotationError): boolean {
  return NOT_FROM_HERE.includes(code);
}

/** Such as `shop@db.example.com:5432/shop`. */
export function loginName({ username, host, port, dbname }: DatabaseSecret): string {
  return `${username}@${host}:${port}/${dbname}`;
}
