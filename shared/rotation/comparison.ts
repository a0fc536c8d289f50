/** Whether the two versions of a rotation belong together, and what is done for AWSCURRENT where they don't. */
import { RotationError } from '../errors.ts';
import { differences } from '../secret/copies.ts';
import { labelMoved, pendingMismatch } from './credential-errors.ts';
import { passesByItself } from './patience.ts';
import type { Credential, Guard } from './ports.ts';
import { isSamePassword } from './recovery.ts';
import { contextOfChange, type StepWork } from './step-context.ts';
import { stillLogsIn } from './still-logs-in.ts';
import type { SetSecretContext } from './strategy.ts';
import { tryRead } from './version-read.ts';
import { versionWith } from './version-stage.ts';

/**
 * The pending version has to be what createSecret makes of the current one. Where it is not, somebody has edited one of
 * the two: nobody's edit is undone, and AWSCURRENT is kept working.
 *
 * @throws RotationError PENDING_MISMATCH
 */
export async function needMadeOf(
  input: StepWork,
  current: Credential,
  pending: Credential,
  context: SetSecretContext = contextOfChange(input, current, pending),
): Promise<void> {
  const user = input.strategy.pendingUserNeeded(current, pending);
  const keys = differences(current.secret, pending.secret).map((key) => `"${key}"`);
  if (user === undefined && keys.length === 0) return;
  // What was read may be older than what is current: then it is read again, and compared anew.
  const { stages } = await input.store.describe();
  if (versionWith(stages, 'AWSCURRENT') !== current.versionId) throw labelMoved();
  const needed = user ?? `what createSecret makes of the current one, which differs from it in ${keys.join(', ')}`;
  throw pendingMismatch(pending, needed, await currentWorks(input, context));
}

/** createSecret may find a value of its own, from an earlier attempt, and must not use it where AWSCURRENT was edited since. */
export function judgingOwn(input: StepWork, current: Credential) {
  return async (own: Credential) => await needMadeOf(input, current, own);
}

/** An edit of the password alone is nothing that a comparison shows: this instance knows which version it compared. */
export async function needUnedited(
  input: StepWork,
  current: Credential,
  pending: Credential,
  comparedWith: string | undefined,
): Promise<void> {
  if (comparedWith === undefined || comparedWith === current.versionId) return;
  const compared = await tryRead(input.store, 'previous', { versionId: comparedWith });
  if (compared !== undefined && isSamePassword(compared, current)) return;
  const works = await currentWorks(input, contextOfChange(input, current, pending));
  throw pendingMismatch(pending, 'made of the version that is AWSCURRENT now, whose password was edited', works);
}

/**
 * Whether AWSCURRENT logs in; where it is refused, it is set right first, as far as that is this rotation's to do. What was
 * refused is not tried again unless something may have been changed since.
 *
 * @returns undefined where nobody can tell now.
 */
async function currentWorks({ strategy }: StepWork, context: SetSecretContext): Promise<boolean | undefined> {
  const look = () => context.patiently(() => stillLogsIn(context, context.current));
  let mayBeSet = false;
  const guard: Guard = () => {
    mayBeSet = true;
    return context.guard();
  };
  try {
    if (!context.refused.has(context.current.versionId) && (await look())) return true;
    await strategy.keepCurrentWorking({ ...context, guard }).catch(unlessFault);
    return mayBeSet && (await look());
  } catch (error) {
    return passesByItself(unlessFault(error)) ? undefined : false;
  }
}

/** Faults of ours are not hidden. */
function unlessFault(error: unknown): RotationError {
  if (error instanceof RotationError && error.code !== 'UNEXPECTED') return error;
  throw error;
}
