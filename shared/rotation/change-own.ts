import { setTimeout as sleep } from 'node:timers/promises';
import { asRotationError, RotationError } from '../errors.ts';
import {
  labelMoved,
  passwordNotPutBack,
  passwordPutBack,
  passwordReplaced,
  promotionUnseen,
} from './credential-errors.ts';
import type {
  Credential,
  Origin,
  OwnPasswordChange,
  OwnRole,
  PasswordRequest,
  RoleLock,
  RoleSession,
} from './ports.ts';
import { LOOK_WITHIN, lookForMove, promoteNow, type Sent } from './promote-early.ts';
import { isNoRoom, PROOF_WITHIN, prove } from './proof.ts';
import type { Applied, SetSecretContext } from './strategy.ts';

/** Kept, in ms, for the way back: a look at who has moved on, one transaction, and a login to see what came of it. */
const WAY_BACK = 3_000;
/** The least, in ms, that a proof has to have, as a rule. */
const LEAST_PROOF = 500;
/** The same of moving AWSCURRENT, where setSecret does that: two calls. */
const LEAST_PROMOTION = 1_000;

/** What a change of the own password needs to know: to which, and whether it is still wanted. */
export type ChangeContext = Pick<
  SetSecretContext,
  'pending' | 'guard' | 'promote' | 'whereabouts' | 'tryPassword' | 'deadline'
>;

export interface VerifiedChange {
  readonly roles: RoleSession;
  /** Locked by that session. */
  readonly role: OwnRole;
  /** What has logged in under the lock. */
  readonly origin: Origin;
  readonly whenRefused: string;
  /** The least, in ms, that the proof has to have. */
  readonly leastProof?: number | undefined;
  /** Hears that the change is about to be committed. */
  readonly onCommit?: () => void;
}

/**
 * Sets the pending password as the user itself, proves it by the way that applications take, and puts back what logged in
 * where that fails: a step that fails leaves accepted what it found accepted. Moves AWSCURRENT, where that is wanted of it.
 */
export async function changeVerified(
  context: ChangeContext,
  { roles, role, origin, whenRefused, leastProof = LEAST_PROOF, onCommit = () => {} }: VerifiedChange,
): Promise<Applied> {
  const { pending, deadline, promote } = context;
  const after = WAY_BACK + (promote === undefined ? 0 : LEAST_PROMOTION);
  const change = await role.prepare(pending.secret.password, origin);
  const computing = 2 * change.computing;
  // A login that is slow because of the server or the way there is no faster with another password.
  const slow = roles.loginTook + computing;
  const already: Applied = { outcome: 'already-current', credential: origin.credential.source, proven: false };
  // Looked at as late as can be, since guard and server may take their time.
  const beforeCommit = () => {
    needTime(context, leastProof + after + slow + computing);
    onCommit();
  };
  if ((await change.apply(context.guard, beforeCommit)) === 'already-current') return already;
  const done: Applied = { ...already, outcome: 'done', notice: change.notice };
  let refused: Refused | undefined;
  const proveAndPromote = async () => {
    const left = deadline.remaining() - after - computing;
    const proving = prove(context, pending, (session) => session.confirmUser(), {
      within: Math.max(1, Math.min(PROOF_WITHIN + slow, left)),
      address: roles.address,
      whenRefused,
      onRefused: (request) => {
        refused = { request };
      },
    });
    const failed = await proving.then(() => undefined, asRotationError);
    if (failed !== undefined && (await goBack(context, { change, origin, refused }, failed)) === 'promoted')
      return already;
    if (promote === undefined) return done;
    return { ...done, promoted: await promoteProven(context, promote, { change, origin }, computing) };
  };
  try {
    const applied = await proveAndPromote();
    return applied === already ? already : { ...applied, proven: await isReleased(role) };
  } catch (failure) {
    // Not by the end of the session: a login that is still fresh may have been made with what was taken back.
    await isReleased(role);
    throw failure;
  }
}

/** A proof counts only if the lock was held up to its end; that the session broke after that is no failure. */
export async function isReleased(role: RoleLock): Promise<boolean> {
  return await role.release().catch(() => false);
}

/** A login that the server has refused, and how it had asked for the password. */
interface Refused {
  readonly request: PasswordRequest | undefined;
}

interface Back {
  readonly change: OwnPasswordChange;
  readonly origin: Origin;
  /** The last login with the new password that was refused, if any. */
  readonly refused?: Refused | undefined;
}

/** @returns whether it was this step that moved the label. */
async function promoteProven(
  context: ChangeContext,
  promote: NonNullable<ChangeContext['promote']>,
  back: Back,
  computing: number,
): Promise<boolean> {
  const within = Math.max(1, context.deadline.remaining() - WAY_BACK - computing);
  const promotion = await promoteNow(context, promote, within);
  if ('moved' in promotion) return promotion.moved === 'promoted';
  const { failed, sent } = promotion;
  // The label may come to be where the new password is: that one stays.
  if (sent === 'open') throw promotionUnseen(failed, back.origin.credential);
  await goBack(context, back, failed, sent);
  return sent === 'answered';
}

/** @param sent whether the label's move, which has failed, was sent; undefined where it was the proof that failed. */
async function goBack(
  context: ChangeContext,
  back: Back,
  cause: RotationError,
  sent?: Sent,
): Promise<'promoted' | 'accepted'> {
  const { credential } = back.origin;
  const { wayBack } = back.change;
  const needed = sent === undefined ? 'usable' : 'current';
  if (typeof wayBack !== 'function') throw passwordNotPutBack(cause, credential, wayBack.none, needed);
  const found: { whose: Whose } = { whose: 'ours' };
  try {
    await wayBack(async () => {
      found.whose = await look(context, back, sent);
      return found.whose === 'ours';
    });
  } catch (error) {
    // Of a COMMIT whose answer was lost a login tells what came of it.
    if ((await logsIn(context, credential)) !== 'accepted')
      throw passwordNotPutBack(cause, credential, asRotationError(error).message, needed);
    throw passwordPutBack(cause, credential, 'accepted', needed);
  }
  switch (found.whose) {
    case 'promoted':
    case 'accepted':
      return found.whose;
    case 'unseen':
      throw promotionUnseen(cause, credential);
    case 'overtaken':
      throw labelMoved();
    case 'replaced':
      throw passwordReplaced(context.pending);
    case 'ours':
      throw passwordPutBack(cause, credential, await logsIn(context, credential), needed);
    default: {
      const never: never = found.whose;
      return never;
    }
  }
}

/**
 * Whose the password is that the database has: still this rotation's, which is refused or gets no answer ('ours') or is
 * accepted; promoted meanwhile, or maybe so ('unseen'); another rotation's ('overtaken'); or one that somebody has set by
 * hand ('replaced').
 */
type Whose = 'ours' | 'accepted' | 'promoted' | 'unseen' | 'overtaken' | 'replaced';

/**
 * Where that can't be told, nobody else can have moved on: the lock and the row are ours, and the guard was asked under
 * them. Only what the proof has met then counts. We ourselves may have, where we have sent the label's move.
 */
async function look(context: ChangeContext, back: Back, sent: Sent | undefined): Promise<Whose> {
  const end = new AbortController();
  const noAnswer = sleep(LOOK_WITHIN, undefined, { signal: end.signal }).catch(() => undefined);
  const looking = whose(context, back, sent, end.signal).catch(() => undefined);
  const seen = await Promise.race([looking, noAnswer]);
  end.abort();
  return seen ?? (isSent(sent) ? 'unseen' : await byRefusal(back.refused, back));
}

const isSent = (sent: Sent | undefined) => sent !== undefined && sent !== 'no';

/** @param over the session has something else to do by then. @returns undefined where that comes first. */
async function whose(
  context: ChangeContext,
  back: Back,
  sent: Sent | undefined,
  over: AbortSignal,
): Promise<Whose | undefined> {
  const [{ promoted, isMoved, others }, pending] = await Promise.all([
    isSent(sent) ? lookForMove(context.whereabouts) : context.whereabouts(),
    context.tryPassword(context.pending, (roles) => roles.confirmUser(), LOOK_WITHIN).catch(() => undefined),
  ]);
  if (promoted) return 'promoted';
  if (sent === 'elsewhere' && !isMoved) return 'unseen';
  if (pending?.accepted === true && sent === undefined) return 'accepted';
  const outcomes = await Promise.all(others.map((other) => logsIn(context, other)));
  if (outcomes.includes('accepted')) return 'overtaken';
  if (over.aborted) return undefined;
  if (pending === undefined) return await byRefusal(back.refused, back);
  return await byRefusal(pending.accepted === false ? pending : undefined, back);
}

/** How a refused login was asked shows whether the password is still the one that was set. */
async function byRefusal(refused: Refused | undefined, { change }: Back): Promise<'ours' | 'replaced'> {
  return refused !== undefined && !(await change.isStored(refused.request)) ? 'replaced' : 'ours';
}

/** @returns 'unknown' where nobody can tell now whether applications could log in so. */
async function logsIn(
  { tryPassword }: Pick<SetSecretContext, 'tryPassword'>,
  credential: Credential,
): Promise<'accepted' | 'refused' | 'unknown'> {
  try {
    const outcome = await tryPassword(credential, (roles) => roles.confirmUser(), LOOK_WITHIN);
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
