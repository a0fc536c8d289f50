/** Whoever has a lock, and who waits for it, in order. */
interface Lock<Holder> {
  readonly holder: Holder;
  readonly waiting: { readonly holder: Holder; readonly granted: () => void }[];
}

/** Advisory locks in memory: first come, first served, and nobody gets in between. */
export class FakeLocks<Holder> {
  readonly #locks = new Map<string, Lock<Holder>>();

  /** @returns whether it was free. */
  async take(key: string, holder: Holder): Promise<boolean> {
    const lock = this.#locks.get(key);
    if (lock === undefined) {
      this.#locks.set(key, { holder, waiting: [] });
      return true;
    }
    await new Promise<void>((granted) => lock.waiting.push({ holder, granted }));
    return false;
  }

  /** @returns whether it was this one's. */
  release(key: string, holder: Holder): boolean {
    const lock = this.#locks.get(key);
    if (lock?.holder !== holder) return false;
    const [next, ...waiting] = lock.waiting;
    if (next === undefined) this.#locks.delete(key);
    else this.#locks.set(key, { holder: next.holder, waiting });
    next?.granted();
    return true;
  }

  releaseAll(holder: Holder): void {
    for (const key of [...this.#locks.keys()]) this.release(key, holder);
  }

  /** Those whose key begins so. */
  heldUnder(prefix: string): { readonly key: string; readonly holder: Holder }[] {
    return [...this.#locks].filter(([key]) => key.startsWith(prefix)).map(([key, { holder }]) => ({ key, holder }));
  }

  /** Equal for equal states. @param name of a holder. */
  fingerprint(name: (holder: Holder) => string): string {
    const each = ([key, { holder, waiting }]: [string, Lock<Holder>]) =>
      `${key}: ${[holder, ...waiting.map((one) => one.holder)].map(name).join(' < ')}`;
    return [...this.#locks].map(each).sort().join('; ');
  }
}

/** How somebody has got a row: at once, or after a transaction that had it. */
type Got = 'at once' | 'after a rollback' | 'after a commit';

/** Roles' rows in memory: a transaction that alters a role holds its row to the end, and others wait for that. */
export class FakeRows {
  readonly #rows = new Map<string, { who: string; readonly waiting: { who: string; got: (how: Got) => void }[] }>();

  /** @param who for the fingerprint. */
  async take(role: string, who: string): Promise<Got> {
    const row = this.#rows.get(role);
    if (row !== undefined) return await new Promise<Got>((got) => row.waiting.push({ who, got }));
    this.#rows.set(role, { who, waiting: [] });
    return 'at once';
  }

  release(role: string, end: 'commit' | 'rollback'): void {
    const row = this.#rows.get(role);
    const next = row?.waiting.shift();
    if (row === undefined || next === undefined) return void this.#rows.delete(role);
    row.who = next.who;
    next.got(`after a ${end}`);
  }

  /** Equal for equal states. */
  fingerprint(): string {
    return [...this.#rows]
      .map(([role, { who, waiting }]) => `${role}: ${[who, ...waiting.map((one) => one.who)].join(' < ')}`)
      .sort()
      .join('; ');
  }
}
