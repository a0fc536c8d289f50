/** Of a look that found nothing new, before the next one, in ms; each that finds nothing new either doubles it. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/** After so long without a refusal, what was refused before says nothing any more, in ms. */
const EPISODE = 60_000;

/**
 * What has been refused lately, and when Secrets Manager may be looked at again. It keeps no timer: every moment is
 * given to it, in ms.
 */
export class Pace {
  /** Names of what was refused since the last look that found none. */
  readonly #refused = new Set<string>();
  /** Names of what was tried since all was well: what a look finds besides is new. */
  readonly #seen = new Set<string>();
  #pause = 0;
  #nextLook = 0;
  #lastRefusal = Number.NEGATIVE_INFINITY;

  /** A login was refused. @param name of the version that it was made with. */
  refused(name: string, now: number): void {
    if (Math.abs(now - this.#lastRefusal) > EPISODE) this.accepted();
    this.#lastRefusal = now;
    this.#refused.add(name);
    this.#seen.add(name);
  }

  /** A login was accepted: whatever is refused from now on is news. */
  accepted(): void {
    this.#refused.clear();
    this.#seen.clear();
    this.#lookAgainAt(0, 0);
  }

  /** How long to wait before a look, in ms; no longer than a pause, even where the clock was put back. */
  wait(now: number): number {
    return Math.min(Math.max(0, this.#nextLook - now), this.#pause);
  }

  /** Whether the version is worth a login: not refused a moment ago. */
  isWorthALogin(name: string): boolean {
    return !this.#refused.has(name);
  }

  /** A look that began then has found a version that is worth a login. */
  found(name: string, began: number): void {
    if (this.#seen.has(name)) this.#slowDown(began);
    else this.#lookAgainAt(0, 0);
  }

  /** A look that began then has found none. What was refused so far may be right by the next: it gets another login. */
  foundNone(began: number): void {
    this.#slowDown(began);
    this.#refused.clear();
  }

  #slowDown(began: number): void {
    const pause = Math.min(Math.max(FIRST_PAUSE, 2 * this.#pause), LONGEST_PAUSE);
    this.#lookAgainAt(began + pause, pause);
  }

  #lookAgainAt(moment: number, pause: number): void {
    this.#nextLook = moment;
    this.#pause = pause;
  }
}
