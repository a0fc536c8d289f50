import { isSameServer } from '../secrets/database-secret.ts';
import { credentialFacts, passwordNotAccepted, pendingMismatch } from './credential-errors.ts';
import { quotedName, RotationError } from './errors.ts';
import type { Credential, RoleSession, RotationStrategy, StrategyContext, UserFacts } from './strategy.ts';

/** AWS's rule for the name of the second login. */
const SUFFIX = '_clone';
/** PostgreSQL cuts longer names (NAMEDATALEN − 1), which would make the twin the user itself. */
const MAX_NAME_BYTES = 63;

/**
 * Alternating users: two twin logins of one identity take turns, so that the credential that applications hold keeps
 * working while the other one gets its new password.
 *
 * The superuser's login is used only after the current credential has been proven by a login: who can write the secret
 * but doesn't know a password of its database can't have the superuser do anything.
 */
export const alternatingUsers: RotationStrategy = {
  name: 'alternating-users',

  async nextUsername(current, context) {
    const user = await proveCurrent(current, context);
    const { username } = current.secret;
    if (isTwin(user, current)) return username.slice(0, -SUFFIX.length);

    const bytes = Buffer.byteLength(username + SUFFIX);
    if (bytes > MAX_NAME_BYTES) throw nameTooLong(current, bytes);
    return username + SUFFIX;
  },

  async applyPending(context) {
    const { current, pending, proven } = context;
    const { base, twin } = twinsOf(current, pending);
    // Read meanwhile, used only after the proof.
    const reading = context.superusers.read(current);
    reading.catch(() => {});
    const { scram } = proven.get(current) ?? (await proveCurrent(current, context));
    const superuser = await reading;
    const { username, password } = pending.secret;
    if ([base, twin].includes(superuser.secret.username)) throw superuserIsApplicationUser(superuser);
    const outcome = await context.withLogin(superuser, (roles) =>
      roles.applyTwin({ base, twin, username, password, scram }),
    );
    if (!outcome.accepted)
      throw passwordNotAccepted(superuser, 'Rotate or correct the superuser secret that "masterarn" names.');
    return 'superuser';
  },

  whenPendingIsRefused:
    "Nothing is lost, AWSCURRENT still works: let the service try again; if it comes back, check the role's VALID UNTIL (\\du in psql), and that pg_hba.conf lets in what password_encryption makes.",

  async verify(roles, pending) {
    const user = await roles.describeUser();
    if (isTwin(user, pending)) await verifyTwin(roles, user, pending);
  },

  async mayLag(pending, { superusers }) {
    if (pending.secret.superuserSecretArn === undefined) return false;
    const superuser = await superusers.read(pending);
    return !isSameServer(superuser.secret, pending.secret);
  },
};

async function proveCurrent(current: Credential, context: StrategyContext): Promise<UserFacts> {
  const outcome = await context.withLogin(current, (roles) => roles.describeUser());
  if (!outcome.accepted) {
    throw passwordNotAccepted(
      current,
      "As an administrator set the password that AWSCURRENT holds (in psql: \\password {role}), check the role's VALID UNTIL (\\du), then rotate again.",
    );
  }
  if (outcome.value.superuser) throw isSuperuser(current);
  context.proven.add(current, outcome.value);
  return outcome.value;
}

/** Is `x_clone` the twin of `x`, or a user whose own name just ends so? Its membership in `x` tells. */
function isTwin(user: UserFacts, credential: Credential): boolean {
  if (user.setToNamesake && !user.memberOfNamesake) throw membershipRevoked(credential, user);
  return user.memberOfNamesake;
}

/** Which of the two is the base role follows from the names; that they are twins is checked again in the database. */
function twinsOf(current: Credential, pending: Credential): { readonly base: string; readonly twin: string } {
  const now = current.secret.username;
  const next = pending.secret.username;
  if (isSameServer(current.secret, pending.secret)) {
    if (next === now + SUFFIX) return { base: now, twin: next };
    if (now === next + SUFFIX) return { base: next, twin: now };
  }
  throw pendingMismatch(pending, `the twin of ${now}`);
}

/** What the application relies on: it acts as the base role, or has at least what the base role has. */
async function verifyTwin(roles: RoleSession, user: UserFacts, pending: Credential): Promise<void> {
  // Acting as the same role, it has the same privileges by definition, and there is nothing to compare.
  if (user.actsAs === user.namesakeActsAs) return;
  const base = user.namesake ?? '';
  const missing = await roles.missingPrivileges(base);
  if (missing > 0) throw twinDiffers(pending, base, missing);
  if (user.setToNamesake) throw twinDiffers(pending, base, 0);
}

function isSuperuser(current: Credential): RotationError {
  return new RotationError(
    'APPLICATION_USER_IS_SUPERUSER',
    `An application user that is no superuser was needed, and ${current.secret.username} is one.`,
    {
      remedy: 'Rotate a superuser with the single-user strategy, or ALTER ROLE {role} NOSUPERUSER;',
      ...credentialFacts(current),
    },
  );
}

function superuserIsApplicationUser(superuser: Credential): RotationError {
  return new RotationError(
    'SUPERUSER_IS_APPLICATION_USER',
    `The superuser secret must be for a user other than the application's two logins, and it is for ${superuser.secret.username}.`,
    { remedy: 'Put the ARN of an administrator\'s secret into "masterarn".', ...credentialFacts(superuser) },
  );
}

function nameTooLong(current: Credential, bytes: number): RotationError {
  return new RotationError(
    'TWIN_NAME_TOO_LONG',
    `A twin's name (${SUFFIX} appended) of at most ${MAX_NAME_BYTES} bytes was needed, and it would have ${bytes}.`,
    {
      remedy: `Rename the user to at most ${MAX_NAME_BYTES - SUFFIX.length} bytes, or use the single-user strategy.`,
      ...credentialFacts(current),
    },
  );
}

function membershipRevoked(credential: Credential, user: UserFacts): RotationError {
  const { username } = credential.secret;
  const base = quotedName(user.namesake ?? '');
  return new RotationError(
    'TWIN_NOT_LINKED',
    `${username} is set to act as ${user.namesake} and must have been made a member of it by an administrator, and it was not.`,
    {
      remedy: `As an administrator: REVOKE ${base} FROM {role}; GRANT ${base} TO {role};`,
      ...credentialFacts(credential),
    },
  );
}

function twinDiffers(pending: Credential, base: string, missing: number): RotationError {
  const { username } = pending.secret;
  const found = missing > 0 ? `it lacks ${missing} privileges on tables or schemas` : 'it acts as another role';
  return new RotationError('TWIN_DIFFERS', `${username} must be able to do what ${base} can, and ${found}.`, {
    remedy: `GRANT ${quotedName(base)} TO {role}; then rotate again; AWSCURRENT still stands.`,
    ...credentialFacts(pending),
  });
}
