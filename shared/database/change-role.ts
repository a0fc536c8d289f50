import { isBusy, isRefusedByPolicy } from './connect-error.ts';
import { LOCK_TIMEOUT, setPassword } from './password-change.ts';
import { withHolder } from './role-lock.ts';
import { isSilent, type ServerTraits } from './server-traits.ts';
import type { SqlSession } from './session.ts';

/** What a transaction does that ends with a role's new password. */
export interface RoleChange {
  /** The role by whose lock others are told apart: the user itself, or the base of two twins. */
  readonly locked: string;
  /** What the transaction begins with: settings and locks. */
  readonly opening: string;
  /** Looks at the roles, in the open transaction. @returns what goes before the password. */
  readonly plan?: () => Promise<readonly string[]>;
  /** The statement that sets the password, but for the password: `ALTER ROLE …`. */
  readonly alter: string;
  /** What to store; where the server's rules refuse it, the next one. */
  readonly stored: readonly [string, ...string[]];
  /** Asked while the role's row is held, and COMMIT waits for the answer: nobody can change it between the two. */
  readonly isWanted: () => Promise<boolean>;
  /** Whether that takes the session itself, in which nothing else may then be under way. */
  readonly asksInSession?: boolean;
  /** Whether to try again, as long as there is time, while somebody else is changing the role. */
  readonly persists?: boolean;
}

/**
 * Changes a role in one transaction, all or nothing, and leaves none open: the one place where a change begins, is
 * committed, tried again and given up.
 *
 * @returns whether it was changed.
 * @throws RotationError ROLE_BUSY where another session has the role; what `plan`, `isWanted` or the server fails with
 */
export async function changeRole(session: SqlSession, server: ServerTraits, change: RoleChange): Promise<boolean> {
  const forms = change.stored.values();
  let stored = forms.next().value ?? change.stored[0];
  for (;;) {
    try {
      return await attempt(session, server, change, stored);
    } catch (error) {
      await session.rollback().catch(() => undefined);
      const other = isRefusedByPolicy(error) ? forms.next().value : undefined;
      const again = change.persists === true && isBusy(error) && session.deadline.remaining() > LOCK_TIMEOUT;
      if (other === undefined && !again) throw await explained(session, change, error);
      stored = other ?? stored;
    }
  }
}

async function attempt(
  session: SqlSession,
  server: ServerTraits,
  { opening, plan, alter, isWanted, asksInSession }: RoleChange,
  stored: string,
): Promise<boolean> {
  if (plan === undefined) {
    await session.begin(`${opening} ${holdRole(alter)}`);
  } else {
    await session.begin(opening);
    const statements = await plan();
    await session.proceed([...statements.map((statement) => `${statement};`), holdRole(alter)].join('\n'));
  }
  const asking = isWanted();
  // The password is set meanwhile, which nobody sees before COMMIT, unless the server might log what then is not wanted.
  const isQuiet = asksInSession !== true && isSilent(server);
  const setting = isQuiet ? setPassword(session, server, alter, stored) : undefined;
  await Promise.allSettled([asking, setting]);
  if (await asking) {
    await (setting ?? setPassword(session, server, alter, stored));
    await session.commit();
    return true;
  }
  await session.rollback();
  return false;
}

/**
 * Takes the row of the role, in the whole cluster, with a statement that has nothing to hide: should the session have to
 * wait for the row, or be terminated meanwhile, the server would log the statement that waits. Logins go on.
 */
function holdRole(alter: string): string {
  return `${alter} PASSWORD NULL;`;
}

/** Whoever persists is short of time in the end. */
async function explained(session: SqlSession, { locked, persists }: RoleChange, error: unknown): Promise<unknown> {
  return isBusy(error) && persists !== true ? await withHolder(session, locked, error) : error;
}
