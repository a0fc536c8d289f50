import { setTimeout as sleep } from 'node:timers/promises';
import { asRotationError, RotationError } from '../errors.ts';
import { labelMoved, passwordNotPutBack, passwordPutBack, passwordReplaced } from './credential-errors.ts';
import type { Credential, Origin, OwnPasswordChange, OwnRole, RoleLock, RoleSession } from './ports.ts';
import { isNoRoom, PROOF_WITHIN, prove } from './proof.ts';
import type { Applied, SetSecretContext } from './strategy.ts';

/** Kept, in ms, for the way back: a look at who has moved on, one transaction, and a login to see what came of it. */
const WAY_BACK = 3_000;
/** Of that, for the look: without an answer by then it is taken for granted that nobody else has moved on. */
const LOOK_WITHIN = 1_000;
/** The least, in ms, that the proof has to have. */
const LEAST_PROOF = 500;

/** What a change of the own password needs to know: to which, and whether it is still wanted. */
export type ChangeContext = Pick<SetSecretContext, 'pending' | 'guard' | 'whereabouts' | 'tryPassword' | 'deadline'>;

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
  context: ChangeContext,
  { roles, role, origin, whenRefused }: VerifiedChange,
): Promise<Applied> {
  const { pending, deadline } = context;
  const change = await role.prepare(pending.secret.password, origin);
  const computing = 2 * change.computing;
  const already: Applied = { outcome: 'already-current', credential: origin.credential.source, proven: false };
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
    try {
      if ((await goBack(context, change, origin, error)) === 'promoted') return already;
    } catch (failure) {
      // Not by the end of the session: a login that is still fresh may have been made with what was taken back.
      await isReleased(role);
      throw failure;
    }
  }
  const proven = await isReleased(role);
  return { outcome: 'done', credential: origin.credential.source, proven, notice: change.notice };
}

/** A proof counts only if the lock was held up to its end; that the session broke after that is no failure. */
export async function isReleased(role: RoleLock): Promise<boolean> {
  return await role.release().catch(() => false);
}

/**
 * @returns 'promoted' where somebody else has finished this very rotation; 'accepted' where the new password turned out to
 *   log in after all.
 * @throws RotationError otherwise
 */
async function goBack(
  context: ChangeContext,
  change: OwnPasswordChange,
  { credential }: Origin,
  thrown: unknown,
): Promise<'promoted' | 'accepted'> {
  const cause = asRotationError(thrown);
  const { wayBack } = change;
  if (typeof wayBack !== 'function') throw passwordNotPutBack(cause, credential, wayBack.none);
  const found: { whose: Whose } = { whose: 'ours' };
  try {
    await wayBack(async () => {
      found.whose = await look(context, change);
      return found.whose === 'ours';
    });
  } catch (error) {
    throw passwordNotPutBack(cause, credential, asRotationError(error).message);
  }
  switch (found.whose) {
    case 'promoted':
    case 'accepted':
      return found.whose;
    case 'overtaken':
      throw labelMoved();
    case 'replaced':
      throw passwordReplaced(context.pending);
    case 'ours':
      throw passwordPutBack(cause, credential, await logsIn(context, credential, LOOK_WITHIN));
    default: {
      const never: never = found.whose;
      return never;
    }
  }
}

/**
 * Whose the password is that the database has: still this rotation's, which is refused or gets no answer ('ours') or is
 * accepted; promoted meanwhile; another rotation's ('overtaken'); or one that somebody has set by hand ('replaced').
 */
type Whose = 'ours' | 'accepted' | 'promoted' | 'overtaken' | 'replaced';

/** Where that can't be told, nobody else can have moved on: the lock and the row are ours, and the guard was asked under them. */
async function look(context: ChangeContext, change: OwnPasswordChange): Promise<Whose> {
  const late = new AbortController();
  const noAnswer = sleep<Whose>(LOOK_WITHIN, 'ours', { signal: late.signal });
  try {
    return await Promise.race([whose(context, change).catch((): Whose => 'ours'), noAnswer]);
  } finally {
    noAnswer.catch(() => undefined);
    late.abort();
  }
}

async function whose(context: ChangeContext, change: OwnPasswordChange): Promise<Whose> {
  const [{ promoted, others }, pending] = await Promise.all([
    context.whereabouts(),
    context.tryPassword(context.pending, (roles) => roles.confirmUser(), LOOK_WITHIN).catch(() => undefined),
  ]);
  if (promoted) return 'promoted';
  if (pending?.accepted === true) return 'accepted';
  const outcomes = await Promise.all(others.map((other) => logsIn(context, other, LOOK_WITHIN)));
  if (outcomes.includes('accepted')) return 'overtaken';
  return pending?.accepted === false && !(await change.isStored(pending.request)) ? 'replaced' : 'ours';
}

/** @returns 'unknown' where nobody can tell now whether applications could log in so. */
export async function logsIn(
  { tryPassword }: Pick<SetSecretContext, 'tryPassword'>,
  credential: Credential,
  within = 2 * PROOF_WITHIN,
): Promise<'accepted' | 'refused' | 'unknown'> {
  try {
    const outcome = await tryPassword(credential, (roles) => roles.confirmUser(), within);
    if (outcome.accepted === 'without-session') return isNoRoom(outcome.error) ? 'accepted' : 'unknown';
    return outcome.accepted ? 'accepted' : 'refused';
  } catch (error) {
    if (error instanceof RotationError) return 'unknown';
    throw error;
  }
}

/** With less time left nothing is changed. @param needed ms */
function needTime({ deadline, pending }: ChangeContext, needed: number): void {
  const left = deadline.remaining();
  if (left >= needed) return;
  const { host, port, username } = pending.secret;
  throw new RotationError(
    'DATABASE_TIMEOUT',
    `${Math.ceil(needed)} ms were needed to change the password of ${username} and, if need be, to put it back, and ${left} were left.`,
    {
      remedy: 'Nothing was changed. Give the function a time-out of at least 30 s.',
      host,
      port,
      username,
    },
  );
}
