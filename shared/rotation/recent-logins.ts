/** How long a login by this instance is believed, in ms: longer than a rotation, shorter than anyone's patience. */
const BELIEVED_FOR = 5 * 60_000;

/** Versions that this very instance has just logged in with, so that the next step need not log in again. */
export class RecentLogins {
  readonly #loggedInAt = new Map<string, number>();

  /** @param versionId a version's value never changes, so its id stands for the credential. */
  add(secretId: string, versionId: string, now = Date.now()): void {
    for (const [key, at] of this.#loggedInAt) if (now - at > BELIEVED_FOR) this.#loggedInAt.delete(key);
    this.#loggedInAt.set(`${secretId} ${versionId}`, now);
  }

  has(secretId: string, versionId: string, now = Date.now()): boolean {
    const at = this.#loggedInAt.get(`${secretId} ${versionId}`);
    return at !== undefined && now - at <= BELIEVED_FOR;
  }
}
