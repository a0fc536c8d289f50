import { type CredentialSource, RotationError, type RotationErrorCode } from '../shared/errors.ts';
import type { Environment } from '../shared/lambda/config.ts';
import { alternatingUsers } from '../shared/rotation/alternating-users.ts';
import type { Administrator, Credential, RoleDatabase, RoleSession } from '../shared/rotation/ports.ts';
import type { StrategyName } from '../shared/rotation/strategy.ts';
import type { DatabaseSecret, ServerLogin } from '../shared/secret/database-secret.ts';

/** What came of a login from this machine. */
export type LoginProof =
  /** @param unfit what a rotation would refuse all the same, as far as the login shows it. */
  | { readonly outcome: 'accepted'; readonly unfit?: RotationError }
  | { readonly outcome: 'refused' }
  /** It was not the password: the way there, TLS, or the server. */
  | { readonly outcome: 'failed'; readonly error: RotationError };

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
  const { databaseFromHere } = await import('./database-from-here.ts');
  const database = databaseFromHere(caFile, environment);
  return await attempt(database, credential, async (roles) => {
    if (strategy !== undefined) await examine(roles, credential, strategy, database);
  });
}

/** The same of an administrator, whose login may be by IAM. */
export async function tryAdministrator(secret: ServerLogin, caFile: string | undefined): Promise<LoginProof> {
  const credential: Administrator = { source: 'superuser', versionId: '', secret };
  const { databaseFromHere } = await import('./database-from-here.ts');
  return await attempt(databaseFromHere(caFile), credential, () => Promise.resolve());
}

async function attempt(
  database: RoleDatabase,
  credential: Administrator,
  look: (roles: RoleSession) => Promise<void>,
): Promise<LoginProof> {
  let isOpen = false;
  let loggedIn = false;
  try {
    const { accepted } = await database.withLogin(credential, async (roles) => {
      isOpen = true;
      await roles.confirmUser();
      loggedIn = true;
      await look(roles);
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
export function loginName({ username, host, port, dbname }: ServerLogin): string {
  return `${username}@${host}:${port}/${dbname}`;
}
