/** The value that createSecret stores. */
import { copiesIn, rewrittenCopies } from '../secret/copies.ts';
import type { Credential } from './ports.ts';
import type { StepInput } from './step-context.ts';
import { pendingOf } from './version-read.ts';

type NewValueInput = Pick<StepInput, 'event' | 'store' | 'connectionStringKeys' | 'newPassword'>;

/**
 * Stores the current value with another login, also in the listed keys, unless the version has a value already.
 *
 * @throws RotationError SECRET_MALFORMED where a listed key holds anything but the current login.
 */
export async function storeNewValue(
  input: NewValueInput,
  { secret }: Credential,
  username: string,
): Promise<'stored' | 'already-stored'> {
  const password = input.newPassword(secret.engine);
  let copies: ReadonlyMap<string, string>;
  try {
    copies = rewrittenCopies(secret, username, password, input.connectionStringKeys);
  } catch (error) {
    // The list may have changed since an earlier attempt, whose value the database may know.
    if (await hasPendingValue(input)) return 'already-stored';
    throw error;
  }
  return await input.store.putPending(secret.withCredentials(username, password, copies));
}

export async function hasPendingValue({ event, store }: Pick<NewValueInput, 'event' | 'store'>): Promise<boolean> {
  return (await store.read(pendingOf(event.versionId)).catch(() => undefined)) !== undefined;
}

/** Names the keys that will hold yesterday's password: those that hold today's, and aren't listed. */
export function keptCopies(input: NewValueInput, { secret }: Credential): { readonly notice?: string } {
  const keys = copiesIn(secret, input.connectionStringKeys).map((key) => `"${key}"`);
  if (keys.length === 0) return {};
  return { notice: `kept as it was, with the former password: ${keys.join(', ')}; see CONNECTION_STRING_KEYS` };
}
