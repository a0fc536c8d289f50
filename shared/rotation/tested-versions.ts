/** How long a test by this instance is believed, in ms: longer than a rotation, shorter than anyone's patience. */
const BELIEVED_FOR = 5 * 60_000;

/** The versions that this very instance has just logged in with, so that finishSecret need not log in again. */
export class TestedVersions {
  readonly #testedAt = new Map<string, number>();

  add(versionId: string, now = Date.now()): void {
    for (const [id, at] of this.#testedAt) if (now - at > BELIEVED_FOR) this.#testedAt.delete(id);
    this.#testedAt.set(versionId, now);
  }

  has(versionId: string, now = Date.now()): boolean {
    const at = this.#testedAt.get(versionId);
    return at !== undefined && now - at <= BELIEVED_FOR;
  }
}
