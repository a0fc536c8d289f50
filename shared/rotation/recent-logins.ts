/** How long a login by this instance is believed, in ms: longer than a rotation, shorter than anyone's patience. */
const BELIEVED_FOR = 5 * 60_000;

interface RecentLogin {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whether the server asked for SCRAM, as far as that was noted. */
  readonly scram: boolean;
}

/** Versions that this very instance has just logged in with, so that the next step need not log in again. */
export class RecentLogins {
  /** By version, by secret. */
  readonly #logins = new Map<string, Map<string, RecentLogin>>();

  /** @param versionId a version's value never changes, so its id stands for the credential. */
  add(secretId: string, versionId: string, { scram = false, now = Date.now() } = {}): void {
    for (const [secret, versions] of this.#logins) {
      for (const [version, { at }] of versions) if (now - at > BELIEVED_FOR) versions.delete(version);
      if (versions.size === 0) this.#logins.delete(secret);
    }
    const versions = this.#logins.get(secretId) ?? new Map<string, RecentLogin>();
    this.#logins.set(secretId, versions.set(versionId, { at: now, scram }));
  }

  get(secretId: string, versionId: string, now = Date.now()): RecentLogin | undefined {
    const login = this.#logins.get(secretId)?.get(versionId);
    return login !== undefined && now - login.at <= BELIEVED_FOR ? login : undefined;
  }

  has(secretId: string, versionId: string, now = Date.now()): boolean {
    return this.get(secretId, versionId, now) !== undefined;
  }

  /** A password of the secret is about to change: of its versions only this one's login still counts. */
  keepOnly(secretId: string, versionId: string): void {
    const versions = this.#logins.get(secretId);
    for (const version of versions?.keys() ?? []) if (version !== versionId) versions?.delete(version);
  }
}
