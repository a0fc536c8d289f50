/**
 * The words of this domain, and what a rotation strategy decides.
 *
 * - Secret: a database login kept in AWS Secrets Manager, as versions.
 * - Version: one value of the secret. Its id is the ClientRequestToken of the rotation that made it.
 * - Staging label: AWSCURRENT (what applications read), AWSPENDING (what a rotation is making), AWSPREVIOUS (what was
 *   current before). A version without any of these counts as one without a label, whatever label of their own somebody has
 *   put on it; it can still be read for a while.
 * - Credential: the login that one version holds.
 * - Rotation strategy: single user (the user's password is replaced) or alternating users (twin logins take turns).
 * - Superuser secret: another secret, whose login may create roles. Only alternating users need it.
 */

import type { Deadline } from '../deadline.ts';
import type { CredentialSource } from '../errors.ts';
import type { IsWorthwhile } from './patience.ts';
import type {
  Credential,
  Guard,
  Promoted,
  RoleDatabase,
  RoleSession,
  StoredForScram,
  SuperuserSecrets,
} from './ports.ts';

export type StrategyName = 'single-user' | 'alternating-users';

/** Of the versions without a label, so many distinct passwords are tried. */
export const UNLABELLED_TO_TRY = 5;
/** Of the versions without a label, so many are read for that. */
export const UNLABELLED_TO_READ = 20;

/** What the engine offers a strategy. */
export interface StrategyContext extends RoleDatabase {
  /**
   * Tries again what passes by itself (or what `isWorthwhile` says), until the step's deadline less what must come after.
   * Nobody's lock may be held meanwhile.
   */
  patiently<T>(work: () => Promise<T>, isWorthwhile?: IsWorthwhile): Promise<T>;
  readonly deadline: Deadline;
  /** Credentials that this very instance has logged in with a moment ago, and whether by SCRAM. */
  readonly recentLogins: {
    get(credential: Credential): { readonly scram: StoredForScram } | undefined;
    add(
      credential: Credential,
      login: { readonly scram: StoredForScram; readonly superuserSecretArn?: string | undefined },
    ): void;
    remove(credential: Credential): void;
  };
  /** Ids of versions whose passwords were refused in this step, however often it has begun anew. */
  readonly refused: Set<string>;
  /** The superuser secret that a secret names by `masterarn`. */
  readonly superusers: SuperuserSecrets;
  /** What the database may still have from before, besides AWSCURRENT. */
  readonly earlier: EarlierCredentials;
}

/**
 * Versions whose passwords the database may still have. Each is read when it is asked for; what can't be parsed, or may not
 * be read, is none.
 */
export interface EarlierCredentials {
  /** This rotation's own, whatever has become of its label: an earlier attempt may have stored and set it. */
  own(): AsyncIterable<Credential>;
  /** AWSPREVIOUS. */
  previous(): AsyncIterable<Credential>;
  /** Those without any of the three labels, newest first. */
  unlabelled(): AsyncIterable<Credential>;
  /** Whether the function's role may not list versions, or not read one of these: known once they were asked for. */
  readonly denied: boolean;
}

/** What setSecret has besides. */
export interface SetSecretContext extends StrategyContext {
  readonly current: Credential;
  readonly pending: Credential;
  /** Throws too where AWSCURRENT is no longer the version that was compared. */
  readonly guard: Guard;
  /** Moves AWSCURRENT from the version that was compared; undefined where that is left to finishSecret. */
  readonly promote: ((givenUp?: AbortSignal) => Promise<Promoted>) | undefined;
  /** What this instance has logged in with last. */
  latestLogin(): Promise<Credential | undefined>;
  /** For whoever is about to put a password back: who has moved on meanwhile. */
  whereabouts(): Promise<Whereabouts>;
}

export interface Whereabouts {
  /** Whether this rotation's own version has become AWSCURRENT. */
  readonly promoted: boolean;
  /** Whether AWSCURRENT has left the version that was compared. */
  readonly isMoved: boolean;
  /** What AWSCURRENT and AWSPENDING hold, where it is neither what was compared nor this rotation's version. */
  readonly others: readonly Credential[];
}

/** What setSecret has done. */
export interface Applied {
  readonly outcome: 'done' | 'already-done' | 'already-current';
  /** Which login that took. */
  readonly credential: CredentialSource;
  /** Whether the pending login was made under the lock, which was held to the end: nobody need make it again. */
  readonly proven: boolean;
  /** Whether AWSCURRENT was moved to it, under that same lock. */
  readonly promoted?: boolean | undefined;
  /** What an operator should know though all went well. */
  readonly notice?: string | undefined;
}

/** What differs between single user and alternating users. */
export interface RotationStrategy {
  readonly name: StrategyName;
  /**
   * createSecret, before anything is stored: proves the current credential by a login, and refuses whatever its text and
   * that login show that a rotation would fail for.
   * @returns the user that the new version is for.
   */
  nextUsername(current: Credential, context: StrategyContext): Promise<string>;
  /** Where the pending version is not for the user that it should be for: for whom; undefined where it is. */
  pendingUserNeeded(current: Credential, pending: Credential): string | undefined;
  /** setSecret: makes the database accept the pending credential, and proves it. */
  applyPending(context: SetSecretContext): Promise<Applied>;
  /**
   * The pending version is not what createSecret makes of the current one, and AWSCURRENT is refused: sets the password that
   * it holds, as far as this rotation is why it is refused. Whether it logs in then is for the caller to see.
   */
  keepCurrentWorking(context: SetSecretContext): Promise<void>;
  /** What to do where testSecret finds that the server refuses the pending password. */
  readonly whenPendingIsRefused: string;
  /**
   * testSecret, and finishSecret of a version that nobody tested: checks that the pending login is worth having.
   * @returns whether the login still holds.
   */
  verify(roles: RoleSession, pending: Credential, database: RoleDatabase): Promise<boolean>;
  /** Whether a new password may reach the secret's own server later than the one it was set on (a replica). */
  mayLag(pending: Credential, context: StrategyContext): Promise<boolean>;
}
