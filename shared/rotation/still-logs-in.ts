import type { Credential, RoleDatabase } from './ports.ts';
import { isNoRoom, PROOF_WITHIN } from './proof.ts';

/** @throws RotationError where that could not be seen, or why there is no session though the password is right. */
export async function stillLogsIn(
  { tryPassword }: Pick<RoleDatabase, 'tryPassword'>,
  credential: Credential,
): Promise<boolean> {
  const outcome = await tryPassword(credential, (roles) => roles.confirmUser(), 2 * PROOF_WITHIN);
  if (outcome.accepted === 'without-session' && !isNoRoom(outcome.error)) throw outcome.error;
  return outcome.accepted !== false;
}
