/** What alternating users are refused for besides what all rotations are. */
import { quotedName, RotationError } from '../errors.ts';
import { type DatabaseSecret, ENGINE_RULES, TWIN_SUFFIX } from '../secret/database-secret.ts';
import { credentialFacts } from './credential-errors.ts';
import type { Administrator, Credential, UserFacts } from './ports.ts';
import { TO_SINGLE_USER } from './remedies.ts';

/** PostgreSQL cuts longer names (NAMEDATALEN − 1), which would make the twin the user itself. */
export const MAX_NAME_BYTES = ENGINE_RULES.postgres.nameBytes;

/** For the log: what an operator should do, though nothing fails. */
export function ownsObjects(twin: string, base: string): string {
  return `${twin} owns objects, so it acts as itself and not as ${base}, as AWS's function made it; docs/adopting-aws-clones.md hands them over.`;
}

/** @returns the current version's secret, once its server has roles. @throws RotationError ENGINE_UNSUPPORTED */
export function needRoles({ secret }: Credential): DatabaseSecret {
  if (secret.engine === 'redshift') throw needsRoles(secret);
  return secret;
}

/** Alternating users are for servers that have roles. @param login where it was to be. */
export function needsRoles({
  host,
  port,
  username,
}: Pick<DatabaseSecret, 'host' | 'port' | 'username'>): RotationError {
  return new RotationError(
    'ENGINE_UNSUPPORTED',
    "Alternating users need logins that can act as one another, and those of Amazon Redshift can't.",
    { remedy: `Rotate a single user: ${TO_SINGLE_USER}.`, key: 'engine', host, port, username },
  );
}

export function isSuperuser(current: Credential): RotationError {
  return new RotationError(
    'APPLICATION_USER_IS_SUPERUSER',
    `An application user that is no superuser was needed, and ${current.secret.username} is one.`,
    {
      remedy: `ALTER ROLE {role} NOSUPERUSER; or ${TO_SINGLE_USER}.`,
      ...credentialFacts(current),
    },
  );
}

export function superuserIsApplicationUser(administrator: Administrator): RotationError {
  return new RotationError(
    'SUPERUSER_IS_APPLICATION_USER',
    `The superuser secret must be for a user other than the application's two logins, and it is for ${administrator.secret.username}.`,
    {
      remedy: 'Put the ARN of an administrator\'s secret into "masterarn".',
      key: 'masterarn',
      ...credentialFacts(administrator),
    },
  );
}

export function nameTooLong(current: Credential, bytes: number): RotationError {
  return new RotationError(
    'TWIN_NAME_TOO_LONG',
    `A twin's name (${TWIN_SUFFIX} appended) of at most ${MAX_NAME_BYTES} bytes was needed, and it would have ${bytes}.`,
    {
      remedy: `Rename the user to at most ${MAX_NAME_BYTES - TWIN_SUFFIX.length} bytes, or ${TO_SINGLE_USER}.`,
      ...credentialFacts(current),
    },
  );
}

export function twinDiffers(pending: Credential, base: string, missing: number): RotationError {
  const { username } = pending.secret;
  return new RotationError(
    'TWIN_DIFFERS',
    `${username} must be able to do what ${base} can, and it lacks ${missing} privileges on tables or schemas.`,
    {
      remedy: `GRANT ${quotedName(base)} TO {role}; then rotate again; AWSCURRENT's password was not touched.`,
      ...credentialFacts(pending),
    },
  );
}

/** Minor versions that ignore ALTER ROLE … SET role (PostgreSQL's release notes of the minor versions that follow them). */
const IGNORE_SET_ROLE = ['14.14', '15.9', '16.5', '17.1'];

export function actsOtherwise(pending: Credential, base: string, { actsAs, serverVersion }: UserFacts): RotationError {
  const { username } = pending.secret;
  const version = IGNORE_SET_ROLE.find((each) => `${serverVersion} `.startsWith(`${each} `));
  const found = `The login ${username} must act as ${base} does, and it acts as ${actsAs}`;
  if (version !== undefined) {
    return new RotationError('TWIN_DIFFERS', `${found}, as PostgreSQL ${version} ignores ALTER ROLE … SET role.`, {
      remedy: `Update the server to a later minor version, or set ALTERNATING_SET_ROLE=false; AWSCURRENT's password was not touched.`,
      ...credentialFacts(pending),
    });
  }
  return new RotationError('TWIN_DIFFERS', `${found}.`, {
    remedy: `Look for settings of the role in \\drds (psql), of the roles and of the database: ALTER DATABASE {database} RESET role; or ALTER ROLE {role} IN DATABASE {database} RESET role; then rotate again; AWSCURRENT's password was not touched.`,
    ...credentialFacts(pending),
    database: pending.secret.dbname,
  });
}
