import { quotedName, quotedText, RotationError } from '../errors.ts';
import type { Administrator, Credential, TwinLink } from './ports.ts';
import { editsCurrent, givingUpFirst, IF_IN_FORCE, TAKE_PENDING_OFF, TO_SINGLE_USER } from './remedies.ts';

/**
 * The pending version is not one that createSecret makes of the current one: somebody else wrote one of the two.
 *
 * @param needed completes "The pending version must be …".
 * @param currentWorks whether AWSCURRENT has just logged in; undefined where that was not tried.
 */
export function pendingMismatch(pending: Credential, needed: string, currentWorks?: boolean): RotationError {
  const { host, port, username } = pending.secret;
  const current =
    currentWorks === undefined ? '' : currentWorks ? '; AWSCURRENT logs in' : '; AWSCURRENT does not log in now';
  return new RotationError(
    'PENDING_MISMATCH',
    `The pending version must be ${needed}, and it is another for ${username} at ${host}:${port}${current}.`,
    {
      remedy: `${TAKE_PENDING_OFF}${currentWorks === false ? ` (${IF_IN_FORCE})` : ''}; then rotate again: the next rotation begins with AWSCURRENT as it is now. How to change a password by hand: docs/what-can-go-wrong.md.`,
      ...credentialFacts(pending),
    },
  );
}

/** The server said "wrong password", and nothing else is wrong. */
export function passwordNotAccepted(credential: Administrator, remedy: string): RotationError {
  const { host, port, username } = credential.secret;
  return new RotationError(
    'PASSWORD_NOT_ACCEPTED',
    `The server at ${host}:${port} must accept the ${credential.source} password of ${username}, and it refused it.`,
    { remedy: inWordsOf(credential, remedy), ...credentialFacts(credential) },
  );
}

/** What PostgreSQL's remedies name, Redshift has not. */
function inWordsOf({ source, secret }: Administrator, remedy: string): string {
  return secret.engine === 'redshift' ? onRedshift(NAMES[source] ?? source) : remedy;
}

/** @param wanted the version whose password is to be set. */
const onRedshift = (wanted: string) =>
  `As a superuser check that the user exists, that its VALID UNTIL is not past (SELECT usename, valuntil FROM pg_user_info;) and that its password is not disabled, or set the password that ${wanted} holds: ALTER USER {role} PASSWORD …; then rotate again.`;

/**
 * @param tried what the server has refused.
 * @param denied whether not all versions could be listed and read.
 */
export function noWorkingPassword(current: Credential, tried: readonly Credential[], denied: boolean): RotationError {
  const { host, port, username } = current.secret;
  const count = (source: string) => tried.filter((credential) => credential.source === source).length;
  const names = [
    ...(count('current') > 0 ? ['AWSCURRENT'] : []),
    ...(count('pending') > 0 ? ['AWSPENDING'] : []),
    ...(count('previous') > 0 ? ['AWSPREVIOUS'] : []),
    ...(count('unlabelled') > 0 ? [`${count('unlabelled')} without a label`] : []),
  ];
  const list = denied
    ? ' Not every version could be read: allow secretsmanager:ListSecretVersionIds and GetSecretValue in the role of the function, and kms:Decrypt on the keys of earlier versions.'
    : '';
  return new RotationError(
    'NO_WORKING_PASSWORD',
    `A password of ${username} was needed that the server at ${host}:${port} accepts, and it refused all that the secret has for it: ${names.join(', ')}.`,
    {
      remedy: `${inWordsOf(current, "As an administrator of the database set the password that AWSCURRENT holds (in psql: \\password {role}), check that the role exists and that its VALID UNTIL is not past (\\du; ALTER ROLE {role} VALID UNTIL 'infinity';), or undo an edit of AWSCURRENT's host, port, engine, dbname, ssl, sslhostname or connection strings (what says otherwise is not tried), then rotate again.")}${list}`,
      ...credentialFacts(current),
    },
  );
}

/**
 * The new password could not be used by the way that applications take, and the former one is accepted again.
 *
 * @param cause what the login with the new password has met.
 * @param works what the server said to the former password after that.
 * @param needed of the new password.
 */
export function passwordPutBack(
  cause: RotationError,
  former: Credential,
  works: 'accepted' | 'refused' | 'unknown',
  needed: Needed = 'usable',
): RotationError {
  const source = NAMES[former.source] ?? former.source;
  const again = {
    accepted: `${source} logs in again`,
    refused: `but the server refuses ${source}`,
    unknown: `whether ${source} logs in could not be seen`,
  }[works];
  return new RotationError(
    'PASSWORD_PUT_BACK',
    `${NEEDED[needed]} (${cause.code}: ${trimmed(cause)}); the former one was put back, ${again}.`,
    {
      ...cause.facts,
      remedy: cause.code === 'DATABASE_TIMEOUT' ? WHEN_BUSY : remedyOf(cause),
      reason: cause.facts.reason ?? cause.code,
      cause: cause.code,
    },
  );
}

/** Of a server that had taken a session from here a moment before. */
const WHEN_BUSY =
  'The server gave a second login no answer in time, or the name leads to another host too: rotate when the server has less to do; the service then tries again.';

/** The same, but that the former password is not accepted (any more). @param why it could not be put back. */
export function passwordNotPutBack(
  cause: RotationError,
  former: Credential,
  why: string,
  needed: Needed = 'usable',
): RotationError {
  const source = NAMES[former.source] ?? former.source;
  return new RotationError(
    'PASSWORD_NOT_PUT_BACK',
    `${NEEDED[needed]} (${cause.code}: ${trimmed(cause)}); that of ${source} could not be put back (${why.replace(/\.$/, '')}).`,
    {
      ...cause.facts,
      // First what is in force: of the cause alone, "nothing needs repair" may be true.
      remedy: `The database has the password of AWSPENDING: the service tries the rotation again; to end it now, as an administrator set the password that AWSCURRENT holds (${former.secret.engine === 'redshift' ? 'ALTER USER {role} PASSWORD …' : 'in psql: \\password {role}'}). As to the cause: ${remedyOf(cause)}`,
      reason: cause.facts.reason ?? cause.code,
      cause: cause.code,
    },
  );
}

/** Whether AWSCURRENT was moved to the new password is not known, so the former one was not put back. */
export function promotionUnseen(cause: RotationError, former: Credential): RotationError {
  return passwordNotPutBack(cause, former, 'as AWSCURRENT may be on the new one, which could not be seen', 'current');
}

type Needed = keyof typeof NEEDED;
const NEEDED = {
  usable: 'The new password had to be one that applications can use, and it was not',
  current: 'AWSCURRENT had to be moved to the new password at once, and that failed',
} as const;

const NAMES: Readonly<Record<string, string>> = {
  current: 'AWSCURRENT',
  previous: 'AWSPREVIOUS',
  pending: 'AWSPENDING',
  unlabelled: 'the version without a label that had logged in',
};

/** The pending version has a value by then. */
const remedyOf = (cause: RotationError) => (editsCurrent(cause) ? givingUpFirst(cause) : cause).template;

const trimmed = ({ message }: RotationError) => message.replace(/\.$/, '');

/**
 * Two roles are not known to be twins. A membership alone proves nothing: who may create roles can make a base role for
 * anybody's login. Neither does the setting, which the login can give itself.
 */
export function twinNotLinked(base: string, twin: string, link: TwinLink): RotationError {
  const { membership, setToBase, ownsObjects, members } = link;
  const [quotedBase, quotedTwin] = [quotedName(base), quotedName(twin)];
  if (link.superuser) {
    const message = `A twin that is no superuser was needed, and ${quotedTwin} is one.`;
    const remedy = `Rename that role, or ALTER ROLE ${quotedTwin} NOSUPERUSER;`;
    return new RotationError('TWIN_IS_SUPERUSER', message, { remedy, username: twin });
  }
  const grant = `GRANT ${quotedBase} TO ${quotedTwin}`;
  const [found, statements] = {
    none: [setToBase ? 'it is set to act as it and is no member of it' : 'it is no member of it', `${grant}; `],
    own: [`${quotedBase} itself made it a member`, `REVOKE ${quotedBase} FROM ${quotedTwin}; ${grant}; `],
    granted: link.maySet
      ? ['it neither acts as it by a setting nor logs in with a password of the secret', '']
      : ['it is a member without SET and logs in with no password of the secret', `${grant} WITH SET TRUE; `],
  }[membership];
  const handOver = ownsObjects ? 'first hand over what it owns (docs/adopting-aws-clones.md), then ' : '';
  const also =
    members.length === 0 ? '' : `, and its members ${members.map(quotedName).join(', ')} may act as ${quotedBase}`;
  return new RotationError(
    'TWIN_NOT_LINKED',
    `The role ${quotedTwin} must be known to be the twin of ${quotedBase}, and ${found}.`,
    {
      remedy: `If it is the twin${also}, as an administrator: ${handOver}${statements}ALTER ROLE ${quotedTwin} SET role = ${quotedText(base)}; Otherwise rename one of the two.`,
      username: twin,
    },
  );
}

/** What an error may tell of a credential. */
export function credentialFacts({ source, secret: { host, port, username } }: Administrator) {
  return { credential: source, host, port, username };
}

/** @param misspelt keys of the secret that have no effect as they are written. */
export function superuserSecretMissing(misspelt: readonly string[]): RotationError {
  const written = misspelt.find((key) => key.toLowerCase() === 'masterarn');
  const found =
    written === undefined ? 'no "masterarn"' : `"${written}" instead of "masterarn" (keys are case-sensitive)`;
  return new RotationError(
    'SUPERUSER_SECRET_MISSING',
    `The secret must name its superuser secret, and it has ${found}.`,
    {
      remedy: `Add "masterarn" with the ARN of the superuser secret, or ${TO_SINGLE_USER}.`,
      key: 'masterarn',
    },
  );
}

/** Somebody else has moved on meanwhile: what was read is to be read again. */
export function labelMoved(): RotationError {
  return new RotationError(
    'LABEL_MOVED',
    'AWSCURRENT was needed where it was when the step began, and it was moved meanwhile.',
    {
      remedy: 'Nothing needs repair: the service tries the rotation again with the version that is current now.',
    },
  );
}

/** Somebody has set a password by hand while this rotation was setting its own: theirs stays. */
export function passwordReplaced(pending: Credential): RotationError {
  const { host, port, username } = pending.secret;
  return new RotationError(
    'PASSWORD_NOT_ACCEPTED',
    `The server at ${host}:${port} must accept the pending password of ${username}, and somebody has set another one meanwhile, which was left as it is.`,
    {
      remedy: `${TAKE_PENDING_OFF}; then store the password that the database has as AWSCURRENT and rotate again.`,
      ...credentialFacts(pending),
    },
  );
}
