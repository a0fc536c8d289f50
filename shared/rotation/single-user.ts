import { isSameServer } from '../secrets/database-secret.ts';
import { pendingMismatch } from './credential-errors.ts';
import { RotationError } from './errors.ts';
import { type Credential, type RotationStrategy, type SetSecretContext, UNLABELLED_TO_TRY } from './strategy.ts';

/**
 * Single user: the user's own password is replaced, by the user itself.
 *
 * The current password is tried first, so that a normal rotation leaves no failed login in the server's log. Only a
 * wrong password leads to the next candidate: the pending one (an earlier attempt got as far as the database), the
 * previous one, and the newest versions without a label (the password that an abandoned rotation left behind).
 */
export const singleUser: RotationStrategy = {
  name: 'single-user',

  nextUsername: (current) => Promise.resolve(current.secret.username),

  async applyPending(context) {
    const { current, pending } = context;
    if (!isSameLogin(pending, current)) throw pendingMismatch(pending, current.secret.username);

    const asCurrent = await context.withLogin(current, (roles) => roles.setOwnPassword(pending.secret.password));
    if (asCurrent.accepted) return 'current';

    const asPending = await context.withLogin(onServerOf(current, pending), (roles) => roles.confirmUser());
    if (asPending.accepted) return 'pending';

    return await recover(context);
  },

  whenPendingIsRefused:
    "Applications are refused until this is mended, as AWSCURRENT was replaced: check the role's VALID UNTIL (\\du in psql) and pg_hba.conf, or as an administrator set the password that AWSPENDING holds (\\password {role}); the service then tries again.",

  verify: (roles) => roles.confirmUser(),

  mayLag: () => Promise.resolve(false),
};

async function recover(context: SetSecretContext) {
  const { current, pending } = context;
  for await (const earlier of context.earlier()) {
    if (!isSameLogin(earlier, current)) continue;
    const login = onServerOf(current, earlier);
    const outcome = await context.withLogin(login, (roles) => roles.setOwnPassword(pending.secret.password));
    if (outcome.accepted) return earlier.label;
  }
  const { host, port, username } = current.secret;
  throw new RotationError(
    'NO_WORKING_PASSWORD',
    `A password of ${username} was needed that the server at ${host}:${port} accepts, but it refused those of AWSCURRENT, AWSPENDING, AWSPREVIOUS and the ${UNLABELLED_TO_TRY} newest versions without a label.`,
    {
      remedy: `As an administrator of the database set the password that AWSCURRENT holds: ALTER ROLE {role} PASSWORD '…'; (or \\password {role} in psql), check that its VALID UNTIL is not past (\\du; ALTER ROLE {role} VALID UNTIL 'infinity';), then rotate again.`,
      credential: 'current',
      host,
      port,
      username,
    },
  );
}

/** Same user on the same server: a version for anything else has no part in this rotation. */
function isSameLogin(a: Credential, b: Credential): boolean {
  return a.secret.username === b.secret.username && isSameServer(a.secret, b.secret);
}

/** Another version's password, used where and as securely as the current version says. */
function onServerOf(current: Credential, other: Credential): Credential {
  return { ...other, secret: { ...current.secret, password: other.secret.password } };
}
