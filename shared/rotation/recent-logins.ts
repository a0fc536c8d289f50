/** How long a login by this instance is believed, in ms: longer than a rotation, shorter than anyone's patience. */
const BELIEVED_FOR = 5 * 60_000;

/** Versions that this very instance has just logged in with, so that the next step need not log in again. */
export class RecentLogins {
  /** When, by version, by secret. */
  readonly #loggedInAt = new Map<string, Map<string, number>>();

  /** @param versionId a version's value never changes, so its id stands for the credential. */
  add(secretId: string, versionId: string, now = Date.now()): void {
    for (const [secret, versions] of this.#loggedInAt) {
      for (const [version, at] of versions) if (now - at > BELIEVED_FOR) versions.delete(version);
      if (versions.size === 0) this.#loggedInAt.delete(secret);
    }
    const versions = this.#loggedInAt.get(secretId) ?? new Map<string, number>();
    this.#loggedInAt.set(secretId, versions.set(versionId, now));
  }

  has(secretId: string, versionId: string, now = Date.now()): boolean {
    const at = this.#loggedInAt.get(secretId)?.get(versionId);
    return at !== undefined && now - at <= BELIEVED_FOR;
  }

  /** A password of the secret is about to change: of its versions only this one's login still counts. */
  keepOnly(secretId: string, versionId: string): void {
    const versions = this.#loggedInAt.get(secretId);
    for (const version of versions?.keys() ?? []) if (version !== versionId) versions?.delete(version);
  }
}
