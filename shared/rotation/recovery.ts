import { isSameServer } from '../secret/database-secret.ts';
import type { Credential } from './ports.ts';
import { type EarlierCredentials, type StrategyContext, UNLABELLED_TO_TRY } from './strategy.ts';

/** Where an earlier credential may be. */
export type Source = Exclude<keyof EarlierCredentials, 'denied'>;

/**
 * Credentials of this secret that the database might accept for a user, one for each password: what a version without
 * the right label holds, used where and as securely as the current version says.
 *
 * @param seen whose passwords need not be tried (again).
 */
export async function* candidates(
  { earlier }: Pick<StrategyContext, 'earlier'>,
  current: Credential,
  {
    username,
    from,
    seen,
  }: { readonly username: string; readonly from: readonly Source[]; readonly seen: readonly Credential[] },
): AsyncIterable<Credential> {
  const passwords = new Set(seen.map(({ secret }) => secret.password.reveal()));
  for (const source of from) {
    let tried = 0;
    for await (const version of earlier[source]()) {
      const { secret } = version;
      if (secret.username !== username || !isSameServer(secret, current.secret)) continue;
      if (passwords.has(secret.password.reveal())) continue;
      passwords.add(secret.password.reveal());
      yield onServerOf(current, version);
      if (++tried >= UNLABELLED_TO_TRY) break;
    }
  }
}

/** Another version's login, used where and as securely as the current version says. */
export function onServerOf(current: Credential, { secret: { username, password }, ...other }: Credential): Credential {
  return { ...other, secret: { ...current.secret, username, password } };
}

export function isSamePassword(a: Credential, b: Credential): boolean {
  return a.secret.password.reveal() === b.secret.password.reveal();
}
