/** AWSCURRENT of alternating users came to be on the login whose password a rotation under way has replaced. */
import { isSameServer } from '../secret/database-secret.ts';
import { isAscii } from '../secret/password.ts';
import { isReleased } from './change-own.ts';
import { asAdministrator } from './change-twin.ts';
import type { Credential, Guard, TwinChange } from './ports.ts';
import { onServerOf } from './recovery.ts';
import { setBack } from './set-back.ts';
import { stillLogsIn } from './still-logs-in.ts';
import type { SetSecretContext } from './strategy.ts';
import { isLinked, nameOfOther, provenByLogin } from './twin-link.ts';

/**
 * The label was moved late by a finishSecret whose rotation had been given up, or by hand: the server has AWSPENDING's
 * password of that very login, and refuses AWSCURRENT's. As the administrator sets the one that AWSCURRENT holds.
 *
 * The administrator is used only once AWSPENDING has logged in, so that nobody gets done by it what that login could not
 * do itself; and on the server of AWSCURRENT, for one of two proven twins, as in setSecret. Where there is no twin yet, a
 * rotation of a single user was half-way when the secret got this function: then it is that login that does it.
 */
export async function healCurrent(context: SetSecretContext): Promise<void> {
  const { current, superusers } = context;
  const pending = onServerOf(current, context.pending);
  const isOfCurrent = context.pending.secret.username === current.secret.username;
  // What is not ASCII would have to be sent in clear.
  if (
    !isOfCurrent ||
    !isSameServer(context.pending.secret, current.secret) ||
    !isAscii(current.secret.password.reveal())
  )
    return;
  const change = await changeFor(context, pending);
  if (change === undefined) return;
  if (change === 'no-twin') {
    await context.patiently(() => context.withLogin(pending, (roles) => setBack({ ...context, pending }, roles)));
    return;
  }
  const administrator = await superusers.read(current);
  if (!isSameServer(administrator.secret, current.secret)) return;
  // Asked with the role's row held: nobody has set another password since.
  const guard: Guard = async () => {
    const verdict = await context.guard();
    return verdict === 'proceed' && !(await stillLogsIn(context, pending)) ? 'already-current' : verdict;
  };
  await asAdministrator(context, administrator, change, pending, async (roles) => {
    const role = await roles.twins.lock(change.base, change.password);
    await role.applyTwin(change, guard);
    await isReleased(role);
  });
}

/** @returns undefined where AWSPENDING does not log in, or the two are not proven to be twins. */
async function changeFor(context: SetSecretContext, pending: Credential): Promise<TwinChange | 'no-twin' | undefined> {
  const { current } = context;
  const { username, password, dbname: database } = current.secret;
  const outcome = await context.patiently(() => context.withLogin(pending, (roles) => roles.twins.describeUser()));
  if (!outcome.accepted || outcome.value.superuser) return undefined;
  const user = outcome.value;
  const other = nameOfOther(current, user);
  const isTwin = other.length < username.length;
  const link = isTwin ? user.asTwin : user.twin;
  if (link === null) return 'no-twin';
  if (!(await isLinked(link, current, other, context))) return undefined;
  const [base, twin] = isTwin ? [other, username] : [username, other];
  return {
    base,
    twin,
    username,
    database,
    password,
    scram: user.scram,
    proven: provenByLogin(current, other, context),
  };
}
