import { differences, placesNamedIn } from '../secret/copies.ts';
import { type DatabaseSecret, isSameServer } from '../secret/database-secret.ts';
import type { Credential } from './ports.ts';
import { type EarlierCredentials, type StrategyContext, UNLABELLED_TO_TRY } from './strategy.ts';

/** Where an earlier credential may be. */
export type Source = Exclude<keyof EarlierCredentials, 'denied'>;

/**
 * Credentials of this secret that the database might accept for a user, one for each password: what a version without
 * the right label holds, used where and as securely as the current version says, if it has said so too.
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
  /**
   * An edit keeps the password, and who can't read the secret does not know it. Such a one can write another twice, but not
   * into a version that is older than what is to be used.
   */
  const isWrittenByReader = async ({ createdAt }: Credential) => {
    for await (const previous of earlier.previous())
      return isSamePassword(previous, current) && isOlder(previous.createdAt, createdAt);
    return false;
  };
  const passwords = new Set(seen.map(({ secret }) => secret.password.reveal()));
  for (const source of from) {
    let tried = 0;
    for await (const version of earlier[source]()) {
      const { secret } = version;
      if (secret.username !== username || !isSameServer(secret, current.secret)) continue;
      if (passwords.has(secret.password.reveal())) continue;
      if (!mayBeUsed(secret, current.secret) && !(await isWrittenByReader(version))) continue;
      passwords.add(secret.password.reveal());
      yield onServerOf(current, version);
      if (++tried >= UNLABELLED_TO_TRY) break;
    }
  }
}

/** What was refused in this step is tried once more only where all others are refused too: somebody may have set it since. */
export async function* refusedLast(
  all: AsyncIterable<Credential>,
  { refused }: Pick<StrategyContext, 'refused'>,
): AsyncIterable<Credential> {
  const before = new Set(refused);
  const last: Credential[] = [];
  for await (const candidate of all) {
    if (before.has(candidate.versionId)) last.push(candidate);
    else yield candidate;
  }
  yield* last;
}

/**
 * Whether another version's password may go where the current one says, whoever wrote that: who can write a secret, but not
 * read it, could have it sent elsewhere, or with less protection, or have a database of their own named to all
 * applications; or have the new one stored in a connection string, or beside one, that leads elsewhere.
 */
export function mayBeUsed(then: DatabaseSecret, now: DatabaseSecret): boolean {
  const places = placesNamedIn(now);
  return (
    isRedshift(then) === isRedshift(now) &&
    then.dbname === now.dbname &&
    then.sslHostname === now.sslHostname &&
    protection(now) >= protection(then) &&
    !differences(then, now).some((key) => places.includes(key))
  );
}

const isRedshift = ({ engine }: DatabaseSecret) => engine === 'redshift';

/** `"ssl": true`, none, which plain text may be allowed for, and false. */
const protection = ({ ssl }: DatabaseSecret) => (ssl === undefined ? 1 : ssl ? 2 : 0);

/** Another version's login, used where and as securely as the current version says. */
export function onServerOf(current: Credential, { secret: { username, password }, ...other }: Credential): Credential {
  return { ...other, secret: { ...current.secret, username, password } };
}

/** Whether that is known. */
function isOlder(a: number | undefined, b: number | undefined): boolean {
  return a !== undefined && b !== undefined && a < b;
}

export function isSamePassword(a: Credential, b: Credential): boolean {
  return a.secret.password.reveal() === b.secret.password.reveal();
}
