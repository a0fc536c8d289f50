/** `PROMOTE=early`: AWSCURRENT is moved by setSecret itself, while it still holds the role's lock. Not AWS's order of steps. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asRotationError, RotationError, type RotationErrorCode } from '../errors.ts';
import { labelMoved } from './credential-errors.ts';
import { askAgain } from './patience.ts';
import type { SetSecretContext, Whereabouts } from './strategy.ts';
import { DISAGREEING, mayBeBehind } from './version-read.ts';

/** For a look at who has moved on, or at what came of a call without an answer, in ms. */
export const LOOK_WITHIN = 1_000;
/** The request may still be on its way. */
const UNANSWERED: readonly RotationErrorCode[] = ['SECRETS_MANAGER_TIMEOUT', 'SECRETS_MANAGER_UNREACHABLE'];
/** So may one of its tries, where all of them took so long, in ms: the client waits that long for the answer to one. */
export const NO_ANSWER_AFTER = 6_000;
/** How long, in ms, the guard may take, as AWSCURRENT is refused meanwhile. */
const GUARD_WITHIN = 3_000;

/**
 * Whether the label's move was; 'answered': it may be where it should be all the same, which a look tells; 'elsewhere': the
 * answer was that the label has left where it had been, so that a look which still sees it there is behind.
 */
export type Sent = 'no' | 'answered' | 'elsewhere';

export type Promotion =
  | { readonly moved: 'promoted' | 'already-current' }
  /** 'open': it may move yet. */
  | { readonly failed: RotationError; readonly sent: Sent | 'open' };

type Promote = NonNullable<SetSecretContext['promote']>;

/**
 * Asks the guard, and moves the label.
 *
 * @param within ms, for both. A guard that has not answered by then is followed by nothing.
 */
export async function promoteNow(
  context: Pick<SetSecretContext, 'guard' | 'whereabouts'>,
  promote: Promote,
  within: number,
): Promise<Promotion> {
  const end = performance.now() + within;
  // What a DescribeSecret says that is a moment behind is asked again before it counts.
  const asking = () => askAgain(DISAGREEING, context.guard, mayBeBehind, sleep);
  const verdict = await timely(asking, Math.min(within, GUARD_WITHIN));
  if (verdict instanceof RotationError) return { failed: verdict, sent: 'no' };
  if (verdict === 'already-current') return { moved: verdict };
  return await moveLabel(context, promote, Math.max(1, end - performance.now()));
}

/**
 * The second half of it. Where the answer is lost, what came of it is looked at; it is not sent again, as it may still be
 * carried out, and somebody may have moved the label back since.
 *
 * @param within ms
 */
export async function moveLabel(
  { whereabouts }: Pick<SetSecretContext, 'whereabouts'>,
  promote: Promote,
  within: number,
): Promise<Promotion> {
  const began = performance.now();
  const moved = await timely(promote, within);
  if (moved === 'promoted') return { moved };
  const failed = moved instanceof RotationError ? moved : labelMoved();
  const isOpen = UNANSWERED.includes(failed.code) || performance.now() - began >= NO_ANSWER_AFTER;
  const sent = isOpen ? 'open' : failed === moved ? 'answered' : 'elsewhere';
  if (sent !== 'open' && moved !== 'moved-before') return { failed, sent };
  const seen = await timely(() => lookForMove(whereabouts), LOOK_WITHIN);
  if (!(seen instanceof RotationError) && seen.promoted) return { moved: 'promoted' };
  return { failed, sent };
}

/** What a look sees may be a moment behind: it is made again until the label has left where it had been, for half its time. */
export async function lookForMove(whereabouts: SetSecretContext['whereabouts']): Promise<Whereabouts> {
  const end = performance.now() + LOOK_WITHIN / 2;
  for (const pause of DISAGREEING) {
    const seen = await whereabouts();
    if (seen.isMoved || performance.now() + pause >= end) return seen;
    await sleep(pause);
  }
  return await whereabouts();
}

/** The answer, or why there is none: then the call is given up, lest it be repeated when its step is over. */
async function timely<T>(call: (givenUp: AbortSignal) => Promise<T>, within: number): Promise<T | RotationError> {
  const late = new AbortController();
  const noAnswer = sleep(within, noAnswerWithin(within), { signal: late.signal });
  try {
    return await Promise.race([call(late.signal), noAnswer]);
  } catch (error) {
    return asRotationError(error);
  } finally {
    late.abort();
  }
}

function noAnswerWithin(ms: number): RotationError {
  return new RotationError(
    'SECRETS_MANAGER_TIMEOUT',
    `An answer of Secrets Manager was needed within ${Math.ceil(ms)} ms, and none came.`,
    { remedy: 'Nothing needs repair: the service tries the rotation again; if it comes back, look at the way to it.' },
  );
}
