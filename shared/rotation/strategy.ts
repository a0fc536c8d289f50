/**
 * The words of this domain, and what a rotation strategy decides.
 *
 * - Secret: a database login kept in AWS Secrets Manager, as versions.
 * - Version: one value of the secret. Its id is the ClientRequestToken of the rotation that made it.
 * - Staging label: AWSCURRENT (what applications read), AWSPENDING (what a rotation is making), AWSPREVIOUS (what was
 *   current before). A version without a label is deprecated, but can still be read for a while.
 * - Credential: the login that one version holds.
 * - Rotation strategy: single user (the user's password is replaced) or alternating users (twin logins take turns).
 * - Superuser secret: another secret, whose login may create roles. Only alternating users need it.
 */

import type { Deadline } from '../deadline.ts';
import type { DatabaseSecret } from '../secrets/database-secret.ts';
import type { Password } from '../secrets/password.ts';
import type { CredentialLabel, RotationError } from './errors.ts';

export type StrategyName = 'single-user' | 'alternating-users';

/** The login that one version of a secret holds. */
export interface Credential {
  readonly label: CredentialLabel;
  readonly versionId: string;
  readonly secret: DatabaseSecret;
}

/** How the server asked for the password. Nothing of it is secret. */
export type PasswordRequest =
  | { readonly method: 'scram-sha-256'; readonly salt: Buffer; readonly iterations: number }
  | { readonly method: 'md5' }
  | { readonly method: 'clear' };

/** A login that worked and what came of it, or a password that the server refused. Everything else is an error. */
export type LoginOutcome<T> =
  | { readonly accepted: true; readonly value: T }
  | {
      readonly accepted: false;
      /** The server's end of the connection, where it was known. */
      readonly address: string | undefined;
      /** How the server had asked for the password. */
      readonly request: PasswordRequest | undefined;
    };

/** The same, where the password may be right and there is no session all the same. */
export type PasswordOutcome<T> =
  | LoginOutcome<T>
  | {
      readonly accepted: 'without-session';
      /** Why the server gave none, after it had asked for the password and taken it. */
      readonly error: RotationError;
      readonly request: PasswordRequest;
    };

/** What the catalog says of two roles of which one might be the other's twin. */
export interface TwinLink {
  /** Of the twin in the base role: by somebody else's grant, by the base role's own only, or none. */
  readonly membership: 'granted' | 'own' | 'none';
  /** Whether a setting of the twin's own makes it act as the base role: only an administrator or it itself can make one. */
  readonly setToBase: boolean;
  /** Whether the twin owns objects, in any database or among what all share. */
  readonly ownsObjects: boolean;
  /** Whether the twin is a superuser, and so never one. */
  readonly superuser: boolean;
}

/** What the catalog says of a user. */
export interface UserFacts {
  /** The server's, such as "16.4". */
  readonly serverVersion: string;
  readonly superuser: boolean;
  /** Whether it logged in by SCRAM, which its clients then know, and which may be all that pg_hba.conf lets in. */
  readonly scram: boolean;
  /** The role that it acts as from login on: itself, unless a setting says otherwise. */
  readonly actsAs: string;
  /** The role whose name with `_clone` appended is this user's; null where there is none. */
  readonly namesake: string | null;
  /** The role that the namesake acts as from login on. */
  readonly namesakeActsAs: string | null;
  /** This user as the namesake's twin; null where there is no namesake. */
  readonly asTwin: TwinLink | null;
  /** The role of this user's name with `_clone` appended as this user's twin; null where there is none. */
  readonly twin: TwinLink | null;
}

/** Of the versions without a label, so many distinct passwords are tried. */
export const UNLABELLED_TO_TRY = 5;
/** Of the versions without a label, so many are read for that. */
export const UNLABELLED_TO_READ = 20;

/** Asks whether the pending version may still be worked on. @throws RotationError where it may not. */
export type Guard = () => Promise<'proceed' | 'already-current'>;

/** A new password for one of two twin logins. */
export interface TwinChange {
  /** The role that owns the application's objects. */
  readonly base: string;
  /** Its second login, a member of it. */
  readonly twin: string;
  /** Whose password is set: one of the two. */
  readonly username: string;
  /** The one that applications log in to. */
  readonly database: string;
  readonly password: Password;
  /** Whether it has to be stored for SCRAM, whatever the server's password_encryption. */
  readonly scram: boolean;
  /** Whether a version of the secret logs in as the other of the two names; asked only where that matters. */
  proven(): Promise<boolean>;
}

export type TwinOutcome =
  | { readonly verdict: 'already-current' }
  | {
      readonly verdict: 'changed';
      /** How long our computing took, in ms: a login with the new password computes as much. */
      readonly computing: number;
      /** The twin owns objects, so it goes on acting as itself. */
      readonly actsAsItself: boolean;
    };

export interface TwinPreview {
  /** Whether the twin is there already. */
  readonly exists: boolean;
  /** How many statements would bring it in line. */
  readonly statements: number;
  readonly actsAsItself: boolean;
}

/** What logged in, under the role's lock: what a way back puts back. */
export interface Origin {
  readonly credential: Credential;
  readonly request: PasswordRequest | undefined;
}

/** A session's user's new password, computed and ready. */
export interface OwnPasswordChange {
  /** How long the computing took, in ms: a login with the new password computes as much. */
  readonly computing: number;
  /** One transaction, which holds the role's row and then asks the guard: all or nothing. */
  apply(guard: Guard): Promise<'changed' | 'already-current'>;
  /**
   * Whether the server has stored what was set, going by how it asks for the password now. True where nobody can tell: only
   * of SCRAM it shows the salt.
   */
  isStored(request: PasswordRequest | undefined): Promise<boolean>;
  /**
   * Puts back what the origin has logged in with; or why that can't be done. One transaction, which holds the role's row
   * while `look` finds out whether that is wanted: nobody can change the password between the two.
   */
  readonly wayBack: ((look: () => Promise<boolean>) => Promise<void>) | { readonly none: string };
}

/** The lock of a role, which whoever changes it holds over the change, its proof and the way back. */
export interface RoleLock {
  /** Whether nobody can have changed the password between this session's login and the lock. */
  readonly fresh: boolean;
  /** Lets go of it. @returns whether it was held up to now; only then a proof counts that was made under it. */
  release(): Promise<boolean>;
}

export interface OwnRole extends RoleLock {
  prepare(to: Password, origin: Origin): Promise<OwnPasswordChange>;
}

export interface LockedTwins extends RoleLock {
  /** As an administrator: creates or mends the twin and sets one twin's password, all or nothing. */
  applyTwin(change: TwinChange, guard: Guard): Promise<TwinOutcome>;
}

/** What can be done with roles once logged in. */
export interface RoleSession {
  /** How the server asked for the password; undefined where it asked for none. */
  readonly request: PasswordRequest | undefined;
  /** The server's end of the connection. */
  readonly address: string | undefined;
  /** Asks the server who is logged in: the proof that the session works. */
  confirmUser(): Promise<void>;
  /** Refuses whatever a change of the own password would be refused for, as far as this login shows it. */
  examineOwn(): Promise<void>;
  /** Locks the role of the user that is logged in, in order to change it; waits for whoever has it. */
  lockOwn(): Promise<OwnRole>;
  /** The same, in order to see whether the login still holds once nobody is changing the role. */
  awaitOwn(): Promise<RoleLock>;
  /** What alternating users need besides. */
  readonly twins: TwinRoles;
}

/** What can be seen and done of twin logins. */
export interface TwinRoles {
  /** @param username default: the user that is logged in. @throws RotationError ROLE_MISSING */
  describeUser(username?: string): Promise<UserFacts>;
  /** As an administrator: locks two twins, by their base role; waits for whoever has them. */
  lock(base: string): Promise<LockedTwins>;
  /** As an administrator: what `applyTwin` would do; it refuses what that would refuse, and changes nothing. */
  preview(change: Omit<TwinChange, 'password' | 'scram'>): Promise<TwinPreview>;
  /** How many privileges on schemas and tables of this database `base` has and `username` has not. */
  missingPrivileges(base: string, username: string): Promise<number>;
}

/** The port to where roles live. */
export interface RoleDatabase {
  /** Logs in, runs `work`, and always ends the session. */
  withLogin<T>(credential: Credential, work: (roles: RoleSession) => Promise<T>): Promise<LoginOutcome<T>>;
  /**
   * The same, for whom a right password is an answer though there is no session.
   * @param within ms, of which none counts as an answer (DATABASE_TIMEOUT); default: the step's time.
   */
  tryPassword<T>(
    credential: Credential,
    work: (roles: RoleSession) => Promise<T>,
    within?: number,
  ): Promise<PasswordOutcome<T>>;
}

/** What the engine offers a strategy. */
export interface StrategyContext extends RoleDatabase {
  readonly deadline: Deadline;
  /** Credentials that this very instance has logged in with a moment ago, and whether by SCRAM. */
  readonly proven: {
    get(credential: Credential): { readonly scram: boolean } | undefined;
    add(credential: Credential, login: { readonly scram: boolean }): void;
    remove(credential: Credential): void;
  };
  /** The superuser secret that a secret names by `masterarn`. */
  readonly superusers: SuperuserSecrets;
  /** What the database may still have from before, besides AWSCURRENT. */
  readonly earlier: EarlierCredentials;
}

/** Versions whose passwords the database may still have. Each is read when it is asked for; what can't be parsed is none. */
export interface EarlierCredentials {
  /** This rotation's own, read plainly: an earlier attempt may have stored and set it. */
  own(): AsyncIterable<Credential>;
  /** AWSPREVIOUS. */
  previous(): AsyncIterable<Credential>;
  /** Those without a label, newest first. */
  unlabelled(): AsyncIterable<Credential>;
  /** Whether the function's role may not list versions without a label: known once they were asked for. */
  readonly denied: boolean;
}

/** The port to superuser secrets. */
export interface SuperuserSecrets {
  /** The superuser's login, proven to be for the same server as `current`, or for the primary of its replica. */
  read(current: Credential): Promise<Credential>;
}

/** What setSecret has besides. */
export interface SetSecretContext extends StrategyContext {
  readonly current: Credential;
  readonly pending: Credential;
  /** Throws too where AWSCURRENT is no longer the version that was compared. */
  readonly guard: Guard;
  /** What this instance's createSecret has logged in with, where that was not AWSCURRENT. */
  remembered(): Promise<Credential | undefined>;
  /** For whoever is about to put a password back: who has moved on meanwhile. */
  whereabouts(): Promise<Whereabouts>;
}

export interface Whereabouts {
  /** Whether this rotation's own version has become AWSCURRENT. */
  readonly promoted: boolean;
  /** What AWSCURRENT and AWSPENDING hold, where it is neither what was compared nor this rotation's version. */
  readonly others: readonly Credential[];
}

/** What setSecret has done. */
export interface Applied {
  readonly outcome: 'done' | 'already-done' | 'already-current';
  /** Which login that took. */
  readonly credential: CredentialLabel;
  /** Whether the pending login was made under the lock, which was held to the end: nobody need make it again. */
  readonly proven: boolean;
  /** What an operator should know though all went well. */
  readonly notice?: string;
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
  /** Whether the pending version is for the user that it should be for. @throws RotationError PENDING_MISMATCH */
  needPendingUser(current: Credential, pending: Credential): void;
  /** setSecret: makes the database accept the pending credential, and proves it. */
  applyPending(context: SetSecretContext): Promise<Applied>;
  /**
   * The pending version is not what createSecret makes of the current one: sees to it that AWSCURRENT logs in, as far as
   * this rotation is why it does not.
   * @returns whether it logs in now.
   */
  keepCurrentWorking(context: SetSecretContext): Promise<boolean>;
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
