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
import type { DatabaseSecret } from '../secrets/database-secret.ts';
import type { Password } from '../secrets/password.ts';
import type { CredentialLabel } from './errors.ts';

export type StrategyName = 'single-user' | 'alternating-users';

/** The login that one version of a secret holds. */
export interface Credential {
  readonly label: CredentialLabel;
  readonly versionId: string;
  readonly secret: DatabaseSecret;
}

/** A login that worked and what came of it, or a password that the server refused. Everything else is an error. */
export type LoginOutcome<T> = { readonly accepted: true; readonly value: T } | { readonly accepted: false };

/** The user that is logged in, as the server sees it. */
export interface UserFacts {
  readonly superuser: boolean;
  /** Whether it logged in by SCRAM, which its clients then know, and which may be all that pg_hba.conf lets in. */
  readonly scram: boolean;
  /** current_user: another role where a `SET role` default makes the user act as that. */
  readonly actsAs: string;
  /** The role whose name with `_clone` appended is this user's; null where there is none. */
  readonly namesake: string | null;
  /** The role that the namesake acts as: itself, unless a setting of its own says otherwise. */
  readonly namesakeActsAs: string | null;
  readonly memberOfNamesake: boolean;
  /** Whether a setting of this user makes it act as its namesake at login. */
  readonly setToNamesake: boolean;
}

/** At most this many versions without a label are tried as passwords. */
export const UNLABELLED_TO_TRY = 5;

/** A new password for one of two twin logins. */
export interface TwinChange {
  /** The role that owns the application's objects. */
  readonly base: string;
  /** Its second login, a member of it. */
  readonly twin: string;
  /** Whose password is set: one of the two. */
  readonly username: string;
  readonly password: Password;
  /** Whether it has to be stored for SCRAM, whatever the server's password_encryption. */
  readonly scram: boolean;
}

/** What can be done with roles once logged in. */
export interface RoleSession {
  /** Asks the server who is logged in: the proof that the session works. */
  confirmUser(): Promise<void>;
  describeUser(): Promise<UserFacts>;
  /** Replaces the password of the user that is logged in. */
  setOwnPassword(password: Password): Promise<void>;
  /** As an administrator: creates or mends the twin and sets one twin's password, all or nothing. */
  applyTwin(change: TwinChange): Promise<void>;
  /** How many privileges on schemas and tables of this database `base` has and the user that is logged in has not. */
  missingPrivileges(base: string): Promise<number>;
}

/** The port to where roles live. */
export interface RoleDatabase {
  /** Logs in, runs `work`, and always ends the session. */
  withLogin<T>(credential: Credential, work: (roles: RoleSession) => Promise<T>): Promise<LoginOutcome<T>>;
}

/** What the engine offers a strategy. */
export interface StrategyContext extends RoleDatabase {
  /** Credentials that this very instance has logged in with a moment ago, and whether by SCRAM. */
  readonly proven: {
    get(credential: Credential): { readonly scram: boolean } | undefined;
    add(credential: Credential, login: { readonly scram: boolean }): void;
  };
  /** The superuser secret that a secret names by `masterarn`. */
  readonly superusers: SuperuserSecrets;
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
  /** The credentials a database may still have from before: previous, then the newest versions without a label. */
  earlier(): AsyncIterable<Credential>;
}

/** What differs between single user and alternating users. */
export interface RotationStrategy {
  readonly name: StrategyName;
  /** createSecret: the user that the new version is for. */
  nextUsername(current: Credential, context: StrategyContext): Promise<string>;
  /** setSecret: makes the database accept the pending credential, and returns which login that took. */
  applyPending(context: SetSecretContext): Promise<CredentialLabel>;
  /** What to do where testSecret finds that the server refuses the pending password. */
  readonly whenPendingIsRefused: string;
  /** testSecret, and finishSecret of a version that nobody tested: checks that the pending login is worth having. */
  verify(roles: RoleSession, pending: Credential): Promise<void>;
  /** Whether a new password may reach the secret's own server later than the one it was set on (a replica). */
  mayLag(pending: Credential, context: StrategyContext): Promise<boolean>;
}
