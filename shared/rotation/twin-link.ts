/** Which role a user's twin is, and whether that is proven. */
import { TWIN_SUFFIX } from '../secret/database-secret.ts';
import type { Credential, TwinLink, UserFacts } from './ports.ts';
import { storedForScram } from './recent-logins.ts';
import { candidates, refusedLast } from './recovery.ts';
import type { StrategyContext } from './strategy.ts';
import { MAX_NAME_BYTES, nameTooLong } from './twin-errors.ts';

/** The other of the two names: without the suffix where the user is a member of that role, which makes it no user of its own. */
export function nameOfOther(current: Credential, { namesake, asTwin }: UserFacts): string {
  const { username } = current.secret;
  if (namesake !== null && asTwin !== null && (asTwin.membership !== 'none' || asTwin.setToBase)) return namesake;

  const bytes = Buffer.byteLength(username + TWIN_SUFFIX);
  if (bytes > MAX_NAME_BYTES) throw nameTooLong(current, bytes);
  return username + TWIN_SUFFIX;
}

/**
 * Whether two roles are proven to be twins: an administrator made the one a member of the other, and besides it acts as the
 * other by a setting of its own, which it may follow, or the secret knows a password of the login that is not current.
 */
export async function isLinked(
  { membership, maySet, setToBase, superuser }: TwinLink,
  current: Credential,
  other: string,
  context: StrategyContext,
): Promise<boolean> {
  return (
    !superuser && membership === 'granted' && ((maySet && setToBase) || (await logsInAsOther(current, other, context)))
  );
}

/** The same proof for a session that holds the roles' lock: it fails by what passes by itself, and waits when the lock is free. */
export const provenByLogin = (current: Credential, username: string, context: StrategyContext) => () =>
  logsInAsOther(current, username, { ...context, patiently: (work) => work() });

/** That the server takes the password is enough: a twin with NOLOGIN is mended. */
async function logsInAsOther(current: Credential, username: string, context: StrategyContext): Promise<boolean> {
  const others = candidates(context, current, { username, from: ['previous', 'own', 'unlabelled'], seen: [] });
  for await (const candidate of refusedLast(others, context)) {
    if (context.recentLogins.get(candidate) !== undefined) return true;
    const outcome = await context.patiently(() => context.tryPassword(candidate, async (roles) => roles.request));
    if (outcome.accepted === false) {
      context.refused.add(candidate.versionId);
      continue;
    }
    const request = outcome.accepted === true ? outcome.value : outcome.request;
    // Who let everybody in has proven nothing.
    if (request === undefined) continue;
    context.recentLogins.add(candidate, { scram: storedForScram(request) });
    return true;
  }
  return false;
}
