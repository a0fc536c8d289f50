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
  /** Whether the role is there; default: yes. Where it is not, the plan makes it. */
  readonly exists?: boolean;
  /** The statement that sets the password, but for the password: `ALTER ROLE …`. */
  readonly alter: string;
  /** What to store; where the server's rules refuse it, the next one. */
  readonly stored: readonly [string, ...string[]];
  /** Asked while the role's row is held, and COMMIT waits for the answer: nobody can change it between the two. */
  readonly isWanted: () => Promise<boolean>;
  /** Called last, before COMMIT is sent; the change is given up where it throws. */
  readonly beforeCommit?: (() => void) | undefined;
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
    const began = performance.now();
    try {
      return await attempt(session, server, change, stored);
    } catch (error) {
      if (isBusy(error)) session.deadline.onBusy?.(began);
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
  change: RoleChange,
  stored: string,
): Promise<boolean> {
  const { plan = () => Promise.resolve([]), alter, isWanted, asksInSession } = change;
  const isHeld = await open(session, change);
  if (!isHeld) await run(session, [...(await plan()), holdRole(alter)]);
  const asking = isWanted();
  // All the rest is done meanwhile, which nobody sees before COMMIT; but for what the server might log and is not wanted then.
  const isQuiet = asksInSession !== true && isSilent(server);
  const set = () => setPassword(session, server, alter, stored);
  const preparing = (async () => {
    if (isHeld) await run(session, await plan());
    if (isQuiet) await set();
  })();
  await Promise.allSettled([asking, preparing]);
  if (await asking) {
    await preparing;
    if (!isQuiet) await set();
    change.beforeCommit?.();
    await session.commit();
    return true;
  }
  await session.rollback();
  return false;
}

/** Begins the transaction. @returns whether the role's row is held from now on. */
async function open(session: SqlSession, { opening, plan, exists = true, alter }: RoleChange): Promise<boolean> {
  if (exists) {
    try {
      await session.begin(`${opening} ${holdRole(alter)}`);
      return true;
    } catch (error) {
      if (plan === undefined || isBusy(error)) throw error;
      // The plan knows better why that is refused, or mends it first; of a session that is gone the first error says why.
      await session.rollback().catch(() => {
        throw error;
      });
    }
  }
  await session.begin(opening);
  return false;
}

async function run(session: SqlSession, statements: readonly string[]): Promise<void> {
  if (statements.length > 0) await session.proceed(statements.join(';\n'));
}

/**
 * Takes the row of the role, in the whole cluster, with a statement that has nothing to hide: should the session have to
 * wait for the row, or be terminated meanwhile, the server would log the statement that waits. Logins go on.
 */
function holdRole(alter: string): string {
  return `${alter} PASSWORD NULL`;
}

/** Whoever persists is short of time in the end. */
async function explained(session: SqlSession, { locked, persists }: RoleChange, error: unknown): Promise<unknown> {
  return isBusy(error) && persists !== true ? await withHolder(session, locked, error) : error;
}
