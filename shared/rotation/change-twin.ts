/** What an administrator's session does for one of two twin logins. */
import { isSameServer } from '../secret/database-secret.ts';
import { Password } from '../secret/password.ts';
import { isReleased } from './change-own.ts';
import { credentialFacts, passwordNotAccepted, twinNotLinked } from './credential-errors.ts';
import type { Administrator, Credential, RoleSession, TwinChange, UserFacts } from './ports.ts';
import { PROOF_WITHIN, prove } from './proof.ts';
import { TAKE_PENDING_OFF } from './remedies.ts';
import type { Applied, SetSecretContext } from './strategy.ts';
import { actsOtherwise, ownsObjects, superuserIsApplicationUser, twinDiffers } from './twin-errors.ts';

/** What to do where a password that was set this way is refused. */
export const WHEN_REFUSED =
  "AWSCURRENT's password was not touched: let the service try again; if it comes back, check the role's VALID UNTIL (\\du in psql), and that pg_hba.conf lets in what password_encryption makes.";

/**
 * How often the superuser secret is read again where nobody is rotating it, as a read may be a moment behind: for 0.7 to 1.5 s,
 * as chance has it, where it was not waited for before.
 */
const LATE_LOOKS = 4;

const PROTECT = `${TAKE_PENDING_OFF}; then give this secret the "ssl" and "sslhostname" of the superuser secret and rotate again.`;

/**
 * A login shows that somebody knows a password of the very server that the administrator will be logged in to, if it was made
 * as well protected. In clear, or by another name in the certificate, somebody in between may have answered it, for any role:
 * then it is made again by the administrator's way, before that one does anything.
 *
 * @param proven what has logged in.
 */
async function proveLikewise(
  context: SetSecretContext,
  { secret: administrator }: Administrator,
  proven: Credential,
): Promise<void> {
  const { host, port, sslHostname } = administrator;
  // A token is sent by verified TLS only.
  const ssl = administrator.password instanceof Password ? administrator.ssl : true;
  const protection = (said: boolean | undefined) =>
    said === false ? 0 : said === undefined && context.mayFallBack ? 1 : 2;
  if (protection(proven.secret.ssl) >= protection(ssl) && proven.secret.sslHostname === sslHostname) return;
  const likewise = { ...proven, secret: { ...proven.secret, host, port, ssl, sslHostname } };
  const outcome = await context.withLogin(likewise, (roles) => roles.confirmUser());
  if (!outcome.accepted) throw passwordNotAccepted(likewise, PROTECT);
}

/**
 * Logs in with the superuser secret, and with its new version where the one that is read is refused. What passes by itself is
 * waited for: a change whose answer was lost is planned and made anew, and what is in place already needs no statement.
 *
 * @param first what was read.
 * @param proven what has logged in as one of the two.
 */
export async function asAdministrator<T>(
  context: SetSecretContext,
  first: Administrator,
  { base, twin }: TwinChange,
  proven: Credential,
  work: (roles: RoleSession, administrator: Administrator) => Promise<T>,
): Promise<T> {
  let administrator = first;
  for (;;) {
    const now = administrator;
    if ([base, twin].includes(now.secret.username)) throw superuserIsApplicationUser(now);
    const act = async (roles: RoleSession) => {
      await proveLikewise(context, now, proven);
      return await work(roles, now);
    };
    // Of another secret, whose ids may be the same.
    const id = `superuser ${now.versionId}`;
    if (!context.refused.has(id)) {
      const outcome = await context.patiently(() => context.withLogin(now, act));
      if (outcome.accepted) return outcome.value;
      context.refused.add(id);
    }
    administrator = await nextAdministrator(context, now);
  }
}

/**
 * The superuser secret's new version, where the refused one is being replaced: between its own setSecret and finishSecret
 * the server has the new password, and AWSCURRENT the old one. No version is tried twice.
 */
async function nextAdministrator(context: SetSecretContext, refused: Administrator): Promise<Administrator> {
  const { current, superusers } = context;
  let looks = LATE_LOOKS;
  return await context.patiently(
    async () => {
      const read = await superusers.read(current);
      if (read.versionId !== refused.versionId) return read;
      throw passwordNotAccepted(refused, 'Rotate or correct the superuser secret that "masterarn" names.');
    },
    // A rotation that is not under way any more may have ended a moment ago.
    async ({ code }) => code === 'PASSWORD_NOT_ACCEPTED' && ((await superusers.isRotating(current)) || looks-- > 0),
  );
}

/** As the administrator: makes or mends the twin, sets the pending password and proves it, under the base role's lock. */
export async function changeTwin(
  context: SetSecretContext,
  roles: RoleSession,
  administrator: Administrator,
  change: TwinChange,
): Promise<Applied> {
  const role = await roles.twins.lock(change.base, change.password);
  const changed = await role.applyTwin(change, context.guard);
  if (changed.verdict === 'already-current')
    return { outcome: changed.verdict, credential: 'superuser', proven: false };
  const isProven = await provePending(context, roles, administrator, 2 * changed.computing);
  const isHeld = await isReleased(role);
  return {
    outcome: 'done',
    credential: 'superuser',
    proven: isProven && isHeld,
    notice: changed.actsAsItself ? ownsObjects(change.twin, change.base) : undefined,
  };
}

/**
 * By the way that applications take. Where the twin gets no session, the administrator's looks at what one would show. A
 * replica may hear of the new password later: that is left to testSecret, which waits for it.
 *
 * @returns whether the login was made.
 */
async function provePending(
  context: SetSecretContext,
  roles: RoleSession,
  administrator: Administrator,
  computing: number,
): Promise<boolean> {
  const { pending } = context;
  if (!isSameServer(administrator.secret, pending.secret)) return false;
  const left = context.deadline.remaining();
  const { proof } = await prove(
    context,
    pending,
    async (session) => verifyTwin(session, await session.twins.describeUser(), pending),
    {
      // AWSCURRENT is not touched: a slow login may take its time.
      within: Math.min(Math.max(PROOF_WITHIN + computing, left / 2), left),
      address: roles.address,
      whenRefused: WHEN_REFUSED,
    },
  );
  if (proof === 'session') return true;
  await verifyTwin(roles, await roles.twins.describeUser(pending.secret.username), pending);
  return true;
}

/** What the application relies on: the twin acts as the base role, or has at least what the base role has. */
export async function verifyTwin(roles: RoleSession, user: UserFacts, pending: Credential): Promise<void> {
  const { namesake: base, asTwin } = user;
  if (base === null || asTwin === null) return;
  if (asTwin.membership !== 'granted') {
    if (asTwin.setToBase) throw twinNotLinked(base, pending.secret.username, asTwin).with(credentialFacts(pending));
    return;
  }
  // Acting as the same role, it has the same privileges by definition, and there is nothing to compare.
  if (user.actsAs === user.namesakeActsAs) return;
  const missing = await roles.twins.missingPrivileges(base, pending.secret.username);
  if (missing > 0) throw twinDiffers(pending, base, missing);
  // It is set to act as the base role and does not, or acts as a third role that the base role does not act as.
  if (asTwin.setToBase || user.actsAs !== pending.secret.username) throw actsOtherwise(pending, base, user);
}
