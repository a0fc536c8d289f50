/** AWSCURRENT is refused, as the server has AWSPENDING's password of the same user: that user itself sets AWSCURRENT's. */
import { isReleased } from './change-own.ts';
import type { Guard, RoleSession } from './ports.ts';
import { stillLogsIn } from './still-logs-in.ts';
import type { SetSecretContext } from './strategy.ts';

/** As AWSPENDING, which logs in: sets the password that AWSCURRENT holds. */
export async function setBack(context: SetSecretContext, roles: RoleSession): Promise<void> {
  const { current, pending } = context;
  const role = await roles.lockOwn(current.secret.password);
  const change = await role.prepare(current.secret.password, { credential: pending, request: roles.request });
  const guard: Guard = async () => {
    const verdict = await context.guard();
    return role.fresh || (await stillLogsIn(context, pending)) ? verdict : 'already-current';
  };
  await change.apply(guard);
  await isReleased(role);
}
