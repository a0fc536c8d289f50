/** `PROMOTE=early`: AWSCURRENT is moved by setSecret itself, while it still holds the role's lock. Not AWS's order of steps. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asRotationError, RotationError, type RotationErrorCode } from '../errors.ts';
import { labelMoved } from './credential-errors.ts';
import type { SetSecretContext } from './strategy.ts';

/** For a look at who has moved on, or at what came of a call without an answer, in ms. */
export const LOOK_WITHIN = 1_000;
/** The request may still be on its way. */
const UNANSWERED: readonly RotationErrorCode[] = ['SECRETS_MANAGER_TIMEOUT', 'SECRETS_MANAGER_UNREACHABLE'];

/** Whether the label's move was; 'answered': it may be where it should be all the same, which a look tells. */
export type Sent = 'no' | 'answered';

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
  const verdict = await timely(context.guard, within);
  if (verdict instanceof RotationError) return { failed: verdict, sent: 'no' };
  if (verdict === 'already-current') return { moved: verdict };
  return await moveLabel(context, promote, Math.max(1, end - performance.now()));
}

/** The second half of it. Where the answer is lost, what came of it is looked at. @param within ms */
export async function moveLabel(
  { whereabouts }: Pick<SetSecretContext, 'whereabouts'>,
  promote: Promote,
  within: number,
): Promise<Promotion> {
  const moved = await timely(promote, within);
  if (moved === 'promoted') return { moved };
  if (moved === 'label-moved') return { failed: labelMoved(), sent: 'answered' };
  if (!UNANSWERED.includes(moved.code)) return { failed: moved, sent: 'answered' };
  const seen = await timely(whereabouts, LOOK_WITHIN);
  if (!(seen instanceof RotationError) && seen.promoted) return { moved: 'promoted' };
  return { failed: moved, sent: 'open' };
}

/** The answer, or why there is none. */
async function timely<T>(call: () => Promise<T>, within: number): Promise<T | RotationError> {
  const late = new AbortController();
  const noAnswer = sleep(within, noAnswerWithin(within), { signal: late.signal });
  try {
    return await Promise.race([call(), noAnswer]);
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
