/** Sets a password that a user had before, as that user itself: what a rollback of single user does. */
import type { Deadline } from '../deadline.ts';
import { changeVerified } from './change-own.ts';
import { passwordNotAccepted } from './credential-errors.ts';
import type { Credential, Guard, Origin, RoleDatabase, RoleSession } from './ports.ts';

export interface EarlierPassword {
  /** What logs in now. */
  readonly from: Credential;
  /** For the same user on the same server. */
  readonly to: Credential;
  readonly database: RoleDatabase;
  readonly deadline: Deadline;
  /** Asked under the lock and the role's row, as late as can be. */
  readonly guard: Guard;
}

const WHEN_REFUSED = "Check the role's VALID UNTIL (\\du in psql) and pg_hba.conf.";
const NOT_FROM = 'As an administrator set the password that AWSCURRENT holds, in psql: \\password {role}';

/**
 * Logs in as `from`, sets the password of `to`, proves it by a login, and puts the former back where that fails.
 *
 * @throws RotationError PASSWORD_PUT_BACK where it does not log in; others where nothing was changed.
 */
export async function setEarlier({ from, to, database, deadline, guard }: EarlierPassword): Promise<void> {
  const { tryPassword } = database;
  // No rotation is under way whose versions could have moved on; the guard has looked.
  const whereabouts = () => Promise.resolve({ promoted: false, isMoved: false, others: [] });
  const context = { pending: to, guard, promote: undefined, whereabouts, tryPassword, deadline };
  const outcome = await database.withLogin(from, async (roles) => {
    const role = await roles.lockOwn(to.secret.password);
    const origin = role.fresh ? { credential: from, request: roles.request } : await loginAnew(database, from);
    return await changeVerified(context, { roles, role, origin, whenRefused: WHEN_REFUSED });
  });
  if (!outcome.accepted) throw passwordNotAccepted(from, NOT_FROM);
}

/** Who had to wait for the lock looks whether the password was changed meanwhile. */
async function loginAnew({ tryPassword }: RoleDatabase, from: Credential): Promise<Origin> {
  const requestOf = (roles: RoleSession) => Promise.resolve(roles.request);
  const outcome = await tryPassword(from, requestOf);
  if (outcome.accepted !== true) throw passwordNotAccepted(from, NOT_FROM);
  return { credential: from, request: outcome.value };
}
