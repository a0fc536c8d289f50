import { isSameServer } from '../secret/database-secret.ts';
import { changeVerified, isReleased } from './change-own.ts';
import { noWorkingPassword, passwordNotPutBack } from './credential-errors.ts';
import { isServiceAway, passesByItself } from './patience.ts';
import type { Credential, LoginOutcome, Origin, RoleSession } from './ports.ts';
import { LOOK_WITHIN, moveLabel } from './promote-early.ts';
import { isNoRoom, PROOF_WITHIN } from './proof.ts';
import { storedForScram } from './recent-logins.ts';
import { candidates, isSamePassword, mayBeUsed, onServerOf, refusedLast } from './recovery.ts';
import { setBack } from './set-back.ts';
import { stillLogsIn } from './still-logs-in.ts';
import type { Applied, RotationStrategy, SetSecretContext, StrategyContext } from './strategy.ts';

const WHEN_REFUSED =
  "Check the role's VALID UNTIL (\\du in psql) and that pg_hba.conf lets in what password_encryption makes; the service then tries again.";

/**
 * Single user: the user's own password is replaced, by the user itself.
 *
 * The current password is tried first, so that a normal rotation leaves no failed login in the server's log. Only a
 * wrong password leads to the next candidate: the pending one (an earlier attempt got as far as the database), the
 * previous one, and the newest versions without a label (the password that an abandoned rotation left behind).
 */
export const singleUser: RotationStrategy = {
  name: 'single-user',

  async nextUsername(current, context) {
    const tried: Credential[] = [];
    for await (const candidate of refusedLast(mayLogIn(current, context, tried), context)) {
      const examine = async (roles: RoleSession) => {
        await roles.examineOwn();
        return storedForScram(roles.request);
      };
      const outcome = await context.patiently(() => context.withLogin(candidate, examine));
      if (!outcome.accepted) {
        context.recentLogins.remove(candidate);
        context.refused.add(candidate.versionId);
        continue;
      }
      context.recentLogins.add(candidate, { scram: outcome.value });
      return current.secret.username;
    }
    throw noWorkingPassword(current, tried, context.earlier.denied);
  },

  pendingUserNeeded(current, pending) {
    if (isSameLogin(pending, current)) return undefined;
    return `for ${current.secret.username} on the current version's host and port`;
  },

  /** Begun anew, it finds out what the database has by now: an earlier try may have set the password without hearing so. */
  async applyPending(context) {
    const tries: Tries = { wasPutBack: false, hasCommitted: false };
    return await context.patiently(
      () => {
        tries.hasCommitted = false;
        return setOwn(context, tries);
      },
      (error) => {
        const isPutBack = error.code === 'PASSWORD_PUT_BACK';
        if ((isPutBack && tries.wasPutBack) || !passesByItself(error)) return false;
        tries.wasPutBack ||= isPutBack;
        const isKnown = isPutBack || error.code === 'PASSWORD_NOT_PUT_BACK';
        return isKnown || !tries.hasCommitted || 'in-doubt';
      },
    );
  },

  /** By AWSPENDING's own way to the server, which is the one that the password was set by. */
  async keepCurrentWorking(context) {
    const { current, pending } = context;
    if (!isSameLogin(pending, current)) return;
    await context.patiently(() => context.withLogin(pending, (roles) => setBack(context, roles)));
  },

  whenPendingIsRefused:
    "If setSecret has replaced the password that AWSCURRENT holds, applications are refused until this is mended: check the role's VALID UNTIL (\\du in psql) and pg_hba.conf, or as an administrator set the password that AWSPENDING holds (in psql: \\password {role}); the service then tries again.",

  /** Under the lock: who has it may be about to put another password back. */
  async verify(roles, pending, database) {
    const role = await roles.awaitOwn();
    // What could not be seen counts for nothing: the other one may have put its own back, and that is not promoted.
    const holds = role.fresh || (await stillLogsIn(database, pending));
    await isReleased(role);
    return holds;
  },

  mayLag: () => Promise.resolve(false),
};

/** Same user on the same server: a version for anything else has no part in this rotation. */
function isSameLogin(a: Credential, b: Credential): boolean {
  return a.secret.username === b.secret.username && isSameServer(a.secret, b.secret);
}

/** Of one step's tries to set the password. */
interface Tries {
  /**
   * Whether one had set it, and put the former one back because the server was too busy for the proof: before another
   * change, a login has to be all that the proof was not.
   */
  wasPutBack: boolean;
  /** Whether the last one may have set it. */
  hasCommitted: boolean;
}

async function setOwn(context: SetSecretContext, tries: Tries): Promise<Applied> {
  const { current, pending } = context;
  const { wasPutBack } = tries;
  const tried: Credential[] = [];
  for await (const candidate of refusedLast(mayLogInToSet(context, tried), context)) {
    const outcome = await logIn(context, candidate, async (roles) => {
      const role = await roles.lockOwn(pending.secret.password);
      // What is not AWSCURRENT, or is pending already, has been set by somebody of late, who may be putting it back.
      const isUsual = !wasPutBack && candidate === current && !isSamePassword(current, pending);
      const origin =
        role.fresh && isUsual ? { credential: candidate, request: roles.request } : await loginAnew(context, tries);
      if (!isSamePassword(origin.credential, pending))
        return await changeVerified(context, {
          roles,
          role,
          origin,
          whenRefused: WHEN_REFUSED,
          leastProof: wasPutBack ? PROOF_WITHIN : undefined,
          onCommit: () => {
            tries.hasCommitted = true;
          },
        });
      const { source } = origin.credential;
      const verdict = await context.guard();
      const promoted = verdict === 'proceed' && (await promoteFound(context));
      return {
        outcome: verdict === 'already-current' ? verdict : ('already-done' as const),
        credential: source,
        promoted: promoted || undefined,
        proven: await isReleased(role),
      };
    });
    if (outcome.accepted) return outcome.value;
    context.refused.add(candidate.versionId);
  }
  throw noWorkingPassword(current, tried, context.earlier.denied);
}

/** The new password was in force already, and has logged in under the lock: nothing is put back, and a failure says so. */
async function promoteFound(context: SetSecretContext): Promise<boolean> {
  if (context.promote === undefined) return false;
  const promotion = await moveLabel(context, context.promote, Math.max(1, context.deadline.remaining() - LOOK_WITHIN));
  if (!('failed' in promotion)) return true;
  const { failed } = promotion;
  // What the step begins anew for is told as it is.
  if (failed.code === 'LABEL_MOVED' || isServiceAway(failed)) throw failed;
  throw passwordNotPutBack(failed, context.current, 'as the new one was in force already', 'current');
}

/** Tries again to log in with this one, before any other is tried; what fails in the session is another matter. */
async function logIn<T>(
  context: SetSecretContext,
  credential: Credential,
  work: (roles: RoleSession) => Promise<T>,
): Promise<LoginOutcome<T>> {
  let isLoggedIn = false;
  const noting = (roles: RoleSession) => {
    isLoggedIn = true;
    return work(roles);
  };
  return await context.patiently(
    () => context.withLogin(credential, noting),
    (error) => !isLoggedIn && passesByItself(error),
  );
}

/**
 * Whoever had to wait for the lock logs in anew while holding it: what had logged it in may have been replaced meanwhile,
 * and putting that back would undo what somebody else has proven.
 *
 * @param tries where a password was put back, no less of a login with it will do than what a proof of the new one asks for.
 */
async function loginAnew(context: SetSecretContext, tries: Tries): Promise<Origin> {
  const { wasPutBack: likeProof } = tries;
  const tried: Credential[] = [];
  for await (const credential of refusedLast(mayLogInToSet(context, tried), context)) {
    const look = async (roles: RoleSession) => {
      if (likeProof) await roles.confirmUser();
      return roles.request;
    };
    const isPending = isSamePassword(credential, context.pending);
    const outcome = await context.tryPassword(credential, look, likeProof && !isPending ? PROOF_WITHIN : undefined);
    if (outcome.accepted === true) return { credential, request: outcome.value };
    if (outcome.accepted === false) context.refused.add(credential.versionId);
    if (outcome.accepted !== 'without-session') continue;
    // As the pending login is all that is wanted, it has to be one that applications can make.
    if ((isPending || likeProof) && !isNoRoom(outcome.error)) throw outcome.error;
    return { credential, request: outcome.request };
  }
  throw noWorkingPassword(context.current, tried, context.earlier.denied);
}

/** AWSCURRENT, then whatever else the database may have. */
async function* mayLogIn(
  current: Credential,
  context: StrategyContext,
  tried: Credential[],
): AsyncIterable<Credential> {
  const { username } = current.secret;
  tried.push(current);
  yield current;
  const others = candidates(context, current, { username, from: ['own', 'previous', 'unlabelled'], seen: tried });
  for await (const candidate of others) {
    tried.push(candidate);
    yield candidate;
  }
}

/** The same, beginning with what this instance's createSecret has logged in with. */
async function* mayLogInToSet(context: SetSecretContext, tried: Credential[]): AsyncIterable<Credential> {
  const { current, recentLogins } = context;
  const latest = recentLogins.get(current) === undefined ? await context.latestLogin() : undefined;
  if (latest !== undefined && isSameLogin(latest, current) && mayBeUsed(latest.secret, current.secret)) {
    tried.push(latest);
    yield onServerOf(current, latest);
  }
  yield* mayLogIn(current, context, tried);
}
