import { EventEmitter } from 'node:events';
import type { SecureContext } from 'node:tls';
import { Deadline } from './deadline.ts';
import { LoginError } from './errors.ts';
import { Login } from './login.ts';
import type { SecretLoginEvents, WaitOptions } from './login-events.ts';
import { mayStandIn } from './other-version.ts';
import { Pace } from './pace.ts';
import type { SecretVersion, SecretVersions } from './secret-versions.ts';
import type { Stage } from './secrets-manager.ts';
import { verified } from './trust.ts';

/** What a SecretLogin is made of. @internal */
export interface SecretLoginParts {
  readonly versions: SecretVersions;
  readonly trust: () => Promise<SecureContext>;
  readonly timeoutMillis: number;
  /** Resolves so many ms later. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** ms since 1970, which goes on while a Lambda instance is frozen. */
  readonly now: () => number;
}

/** How old AWSCURRENT may be before it is read again, in ms. */
const FRESH = 5 * 60_000;
/** The same of a login that only stands in for AWSCURRENT, and of any after a reading that failed. */
const FRESH_STAND_IN = 5_000;
/** For how long AWSPREVIOUS stands in before AWSCURRENT is tried again, in ms: a replica catches up. */
const PREVIOUS_STANDS_IN = 30_000;
/** A version that young is the sign of a rotation, in ms: what is refused now may be accepted in a moment. */
const YOUNG = 5 * 60_000;
/** How long one reading of up to three versions may take, in ms. */
const READING = 10_000;

/** A version that is the login, or may become it, with AWSCURRENT as it was then. */
interface Found {
  readonly current: SecretVersion;
  readonly version: SecretVersion;
  readonly stage: Stage;
}

interface Known extends Found {
  readonly login: Login;
  /** When this version became the login. */
  readonly since: number;
  readonly readAt: number;
  /** How long it need not be read again, in ms. */
  readonly fresh: number;
}

interface Reading {
  readonly began: number;
  readonly signal: AbortSignal;
}

/**
 * The login of one secret that is right now. It asks Secrets Manager only when asked itself, once at a time for all who
 * ask, and has no timer of its own: a process that has nothing else to do ends, and an instance of Lambda that was
 * frozen finds by the time of day what has become old.
 */
export class SecretLogin extends EventEmitter<SecretLoginEvents> {
  readonly #parts: SecretLoginParts;
  readonly #pace = new Pace();
  #known: Known | undefined;
  #reading: Reading | undefined;
  #done: Promise<void> = Promise.resolve();
  /** Of the last look that found no login: whether another soon may, and why it failed, where it did. */
  #hope = false;
  #failure: LoginError | undefined;

  /** @internal */
  constructor(parts: SecretLoginParts) {
    super();
    this.#parts = parts;
  }

  /** The login as it is known, however old; undefined before the first `current()`. */
  get latest(): Login | undefined {
    return this.#known?.login;
  }

  /**
   * The login to use now. One that is older than five minutes is given while it is read again.
   *
   * @throws LoginError while it has never been read, and can't be.
   */
  async current({ timeoutMillis = this.#parts.timeoutMillis }: WaitOptions = {}): Promise<Login> {
    const deadline = new Deadline(timeoutMillis);
    const known = this.#known;
    const underWay = this.#underWay();
    if (known === undefined) await deadline.with(underWay ?? this.#read((reading) => this.#readFirst(reading)));
    else if (underWay !== undefined && !this.#pace.isWorthALogin(nameOf(known))) {
      // It was refused just now, and the look that is under way finds another.
      await deadline.with(underWay).catch(() => {});
    } else if (underWay === undefined && this.#isOld(known)) {
      this.#read((reading) => this.#refresh(known, reading)).catch(() => {});
    }
    if (this.#known === undefined)
      throw new LoginError('LOGIN_TIMEOUT', 'A login was needed, but its reading was cut off.');
    return this.#known.login;
  }

  /**
   * Tells that the server has refused the password of a version (isRefusedPassword), and finds out whether another
   * login is right by now. Looks at Secrets Manager once for all who tell the same, and at most once a second while
   * that shows nothing new. Never throws.
   *
   * @returns whether to try again with `current()`.
   */
  async refused(versionId: string, { timeoutMillis = this.#parts.timeoutMillis }: WaitOptions = {}): Promise<boolean> {
    const again = await this.#findAnother(versionId, new Deadline(timeoutMillis));
    const error = again ? undefined : this.#failure;
    this.#soon(() => this.emit('refused', { versionId, again, error }));
    return again;
  }

  /** Tells that the server has accepted a version's login, so that its next refusal is taken for news. Optional. */
  accepted(versionId: string): void {
    if (this.#known?.version.versionId === versionId && this.#underWay() === undefined) this.#pace.accepted();
  }

  async #findAnother(versionId: string, deadline: Deadline): Promise<boolean> {
    let hasWaited = false;
    for (;;) {
      const known = this.#known;
      if (known === undefined || known.version.versionId !== versionId) return true;
      if (deadline.left === 0) return false;
      this.#pace.refused(nameOf(known), this.#parts.now());
      const wait = this.#pace.wait(this.#parts.now());
      const underWay = this.#underWay();
      if (underWay !== undefined) {
        await deadline.with(underWay).catch(() => {});
      } else if (wait === 0) {
        await deadline.with(this.#read((reading) => this.#look(known, reading))).catch(() => {});
      } else if (wait < deadline.left && (this.#hope || !hasWaited)) {
        // Whoever was refused since the last look is owed the next one; another after that only where it may help.
        hasWaited = true;
        await this.#parts.pause(wait);
      } else {
        return false;
      }
    }
  }

  async #readFirst(reading: Reading): Promise<void> {
    const current = await this.#parts.versions.current(reading.signal);
    await this.#adopt({ current, version: current, stage: 'AWSCURRENT' }, reading);
  }

  /** Reads AWSCURRENT again. What stands in for it does so until AWSCURRENT is another version than the refused one. */
  async #refresh(known: Known, reading: Reading): Promise<void> {
    try {
      const current = await this.#parts.versions.current(reading.signal);
      const isSame = current.versionId === known.current.versionId;
      const isLong = known.stage === 'AWSPREVIOUS' && reading.began - known.since > PREVIOUS_STANDS_IN;
      const { version, stage } = isSame && !isLong ? known : { version: current, stage: 'AWSCURRENT' as const };
      await this.#adopt({ current, version, stage }, reading);
    } catch {
      // The login that is known may be right all the same; if it is not, it will be refused.
      if (this.#reading === reading) this.#known = { ...known, readAt: this.#parts.now(), fresh: FRESH_STAND_IN };
    }
  }

  /** Looks for another login than those that were refused: AWSCURRENT anew, AWSPENDING, AWSPREVIOUS. */
  async #look(refused: Found, reading: Reading): Promise<void> {
    this.#hope = false;
    this.#failure = undefined;
    try {
      const found = await this.#search(refused, reading);
      if (found !== undefined) {
        this.#pace.found(nameOf(found), reading.began);
        return await this.#adopt(found, reading);
      }
    } catch (error) {
      this.#failure = error instanceof LoginError ? error : undefined;
      this.#hope = this.#failure?.code === 'SECRET_UNREADABLE';
    }
    this.#pace.foundNone(reading.began);
  }

  async #search(refused: Found, { signal, began }: Reading): Promise<Found | undefined> {
    const { versions } = this.#parts;
    const isWorthALogin = (found: Found) =>
      found.version.versionId !== refused.version.versionId && this.#pace.isWorthALogin(nameOf(found));

    const current = await versions.current(signal);
    const anew: Found = { current, version: current, stage: 'AWSCURRENT' };
    if (isWorthALogin(anew)) return anew;
    this.#hope = began - current.createdAt < YOUNG;
    for (const stage of ['AWSPENDING', 'AWSPREVIOUS'] as const) {
      const version = await versions.other(stage, signal);
      if (version === undefined || version.versionId === current.versionId) continue;
      if (!mayStandIn(version.secret, current.secret)) continue;
      if (isWorthALogin({ current, version, stage })) return { current, version, stage };
      if (stage === 'AWSPENDING') this.#hope ||= began - version.createdAt < YOUNG;
    }
    return undefined;
  }

  async #adopt(found: Found, reading: Reading): Promise<void> {
    const { current, version, stage } = found;
    const { host, port, dbname, ssl, sslHostname } = current.secret;
    const { versionId } = version;
    const { username, password } = version.secret;
    const protection = ssl === false ? ssl : verified(await this.#parts.trust(), sslHostname ?? host);
    // Somebody has begun anew since: an instance was frozen while it read.
    if (this.#reading !== reading) return;
    const before = this.#known;
    const isNew = before?.version.versionId !== versionId;
    const readAt = this.#parts.now();
    this.#known = {
      ...found,
      login: new Login({ username, host, port, dbname, ssl: protection, versionId, stage }, password.reveal()),
      since: before === undefined || isNew ? readAt : before.since,
      readAt,
      fresh: stage === 'AWSCURRENT' ? FRESH : FRESH_STAND_IN,
    };
    if (isNew) this.#soon(() => this.emit('refreshed', { versionId, stage }));
    if (isNew && stage === 'AWSPENDING') this.#soon(() => this.emit('pendingUsed', { versionId, stage }));
  }

  #isOld({ readAt, fresh }: Known): boolean {
    const age = this.#parts.now() - readAt;
    return age >= fresh || age < 0;
  }

  /** The reading that is under way; one that was frozen for longer than it may take is none. */
  #underWay(): Promise<void> | undefined {
    if (this.#reading === undefined) return undefined;
    return Math.abs(this.#parts.now() - this.#reading.began) > READING ? undefined : this.#done;
  }

  #read(work: (reading: Reading) => Promise<void>): Promise<void> {
    const reading: Reading = { began: this.#parts.now(), signal: AbortSignal.timeout(READING) };
    this.#reading = reading;
    this.#done = work(reading).finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    // Nobody need wait for it.
    this.#done.catch(() => {});
    return this.#done;
  }

  /** After the caller's turn, so that what a listener throws is not taken for a failure of ours. */
  #soon(tell: () => void): void {
    process.nextTick(tell);
  }
}

/** A version that gets another label has another chance: what was refused as AWSCURRENT may be right at a replica. */
function nameOf({ version, stage }: Found): string {
  return `${stage} ${version.versionId}`;
}
