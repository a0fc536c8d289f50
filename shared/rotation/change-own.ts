import { setTimeout as sleep } from 'node:timers/promises';
import { passwordNotPutBack, passwordPutBack, pendingMismatch } from './credential-errors.ts';
import { asRotationError, RotationError } from './errors.ts';
import { isNoRoom, PROOF_WITHIN, prove } from './proof.ts';
import type {
  Applied,
  Credential,
  Origin,
  OwnPasswordChange,
  OwnRole,
  RoleSession,
  SetSecretContext,
  Whereabouts,
} from './strategy.ts';

/** Kept, in ms, for the way back: one look at the labels, and one transaction. */
const WAY_BACK = 2_000;
/** Of that, for the look: without an answer by then it is taken for granted that nobody else has moved on. */
const LOOK_WITHIN = 1_000;
/** The least, in ms, that the proof has to have. */
const LEAST_PROOF = 500;

export interface VerifiedChange {
  readonly roles: RoleSession;
  /** Locked by that session. */
  readonly role: OwnRole;
  /** What has logged in under the lock. */
  readonly origin: Origin;
  readonly whenRefused: string;
}

/**
 * Sets the pending password as the user itself, proves it by the way that applications take, and puts back what logged in
 * where that fails: a step that fails leaves accepted what it found accepted.
 */
export async function changeVerified(
  context: SetSecretContext,
  { roles, role, origin, whenRefused }: VerifiedChange,
): Promise<Applied> {
  const { pending, deadline } = context;
  const change = await role.prepare(pending.secret.password, origin);
  const computing = 2 * change.computing;
  const already: Applied = { outcome: 'already-current', credential: origin.credential.label, proven: false };
  // Looked at as late as can be, since the guard may take its time.
  const guard = async () => {
    const verdict = await context.guard();
    if (verdict === 'proceed') needTime(context, LEAST_PROOF + WAY_BACK + 2 * computing);
    return verdict;
  };
  if ((await change.apply(guard)) === 'already-current') return already;
  try {
    const left = deadline.remaining() - WAY_BACK - computing;
    await prove(context, pending, (session) => session.confirmUser(), {
      within: Math.max(1, Math.min(PROOF_WITHIN + computing, left)),
      address: roles.address,
      whenRefused,
    });
  } catch (error) {
    if ((await goBack(context, change, origin, error)) === 'already-current') return already;
  }
  return { outcome: 'done', credential: origin.credential.label, proven: await isReleased(role) };
}

/** A proof counts only if the lock was held up to its end; that the session broke after that is no failure. */
export async function isReleased(role: OwnRole): Promise<boolean> {
  return await role.release().catch(() => false);
}

/** @returns 'already-current' where somebody else has finished this very rotation. @throws RotationError otherwise */
async function goBack(
  context: SetSecretContext,
  { wayBack }: OwnPasswordChange,
  { credential }: Origin,
  thrown: unknown,
): Promise<'already-current'> {
  const cause = asRotationError(thrown);
  const where = await look(context);
  if (where.current === 'pending') return 'already-current';
  if (where.current === 'another' && (await logsIn(context, where.credential)) === 'accepted')
    throw pendingMismatch(context.pending, 'what createSecret makes of the version that is AWSCURRENT now', true);
  if (typeof wayBack !== 'function') throw passwordNotPutBack(cause, credential, wayBack.none);
  try {
    await wayBack();
  } catch (error) {
    throw passwordNotPutBack(cause, credential, asRotationError(error).message);
  }
  throw passwordPutBack(cause, credential, await logsIn(context, credential));
}

/** Where that can't be told, nobody else can have moved the label: the lock is ours, and the guard was asked under it. */
async function look(context: SetSecretContext): Promise<Whereabouts> {
  const nobody: Whereabouts = { current: 'compared' };
  const late = new AbortController();
  const noAnswer = sleep(LOOK_WITHIN, nobody, { signal: late.signal });
  try {
    return await Promise.race([context.whereabouts().catch(() => nobody), noAnswer]);
  } finally {
    noAnswer.catch(() => undefined);
    late.abort();
  }
}

/** @returns 'unknown' where nobody can tell now whether applications could log in so. */
export async function logsIn(
  { tryPassword }: Pick<SetSecretContext, 'tryPassword'>,
  credential: Credential,
): Promise<'accepted' | 'refused' | 'unknown'> {
  try {
    const outcome = await tryPassword(credential, (roles) => roles.confirmUser(), 2 * PROOF_WITHIN);
    if (outcome.accepted === 'without-session') return isNoRoom(outcome.error) ? 'accepted' : 'unknown';
    return outcome.accepted ? 'accepted' : 'refused';
  } catch (error) {
    if (error instanceof RotationError) return 'unknown';
    throw error;
  }
}

/** With less time left nothing is changed. @param needed ms */
function needTime({ deadline, pending }: SetSecretContext, needed: number): void {
  const left = deadline.remaining();
  if (left >= needed) return;
  const { host, port, username } = pending.secret;
  throw new RotationError(
    'DATABASE_TIMEOUT',
    `${Math.ceil(needed)} ms were needed to change the password of ${username} and, if need be, to put it back, and ${left} were left.`,
    {
      remedy: 'Nothing was changed. Give the function a time-out of at least 30 s.',
      ...{ host, port, username },
    },
  );
}
