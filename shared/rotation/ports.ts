/** What a rotation needs of the outside: where versions live and where roles live. aws/ and database/ have the adapters. */
import type { CredentialSource, RotationError } from '../errors.ts';
import type { DatabaseSecret, ServerLogin } from '../secret/database-secret.ts';
import type { Password } from '../secret/password.ts';
import type { RotationState } from './version-stage.ts';

/** The login that one version of a secret holds. */
export interface Credential<Login extends ServerLogin = DatabaseSecret> {
  readonly source: CredentialSource;
  readonly versionId: string;
  /** When the version was made, in ms since 1970; undefined where nobody knows. */
  readonly createdAt?: number | undefined;
  readonly secret: Login;
}

/** The superuser secret's, which may be one by IAM, without a password. */
export type Administrator = Credential<ServerLogin>;

/** How the server asked for the password. Nothing of it is secret. */
export type PasswordRequest =
  | { readonly method: 'scram-sha-256'; readonly salt: Buffer; readonly iterations: number }
  | { readonly method: 'md5' }
  /** Redshift's, of a password that is stored as sha256. */
  | { readonly method: 'sha256-digest' }
  | { readonly method: 'clear' };

/** Whether a password is stored for SCRAM; undefined where it was asked for in clear, which shows nothing of that. */
export type StoredForScram = boolean | undefined;

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
  /**
   * Whether somebody else's grant lets the twin act as the base role, which from PostgreSQL 16 on one may withhold: then its
   * own setting is nobody's word but its own.
   */
  readonly maySet: boolean;
  /** Whether a setting of the twin's own makes it act as the base role: only an administrator or it itself can make one. */
  readonly setToBase: boolean;
  /** Whether the twin owns objects, in any database or among what all share. */
  readonly ownsObjects: boolean;
  /** Whether the twin is a superuser, and so never one. */
  readonly superuser: boolean;
  /**
   * Members of the twin, who may act as it or, by ADMIN OPTION, let themselves: from PostgreSQL 16 on also who made it, if no
   * superuser.
   */
  readonly members: readonly string[];
}

/** What the catalog says of a user. */
export interface UserFacts {
  /** The server's, such as "16.4". */
  readonly serverVersion: string;
  readonly superuser: boolean;
  /** Whether it logged in by SCRAM, which its clients then know, and which may be all that pg_hba.conf lets in. */
  readonly scram: StoredForScram;
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
  /** Whether it has to be stored for SCRAM, whatever the server's password_encryption; undefined: as the other login's, which can't be told. */
  readonly scram: StoredForScram;
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
  /** What an operator should know of it. */
  readonly notice?: string | undefined;
  /**
   * One transaction, which holds the role's row and then asks the guard: all or nothing.
   * @param beforeCommit is called when COMMIT is all that is left; where it throws, nothing is changed.
   */
  apply(guard: Guard, beforeCommit?: () => void): Promise<'changed' | 'already-current'>;
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

/**
 * The lock of a role, which whoever changes it holds over the change, its proof and the way back. Where a server has no
 * such lock, a login counts as fresh, since one made anew would be no better, and none is held at the end.
 */
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
  /** How long the login took, in ms: another one may take as long. */
  readonly loginTook: number;
  /** Asks the server who is logged in: the proof that the session works. */
  confirmUser(): Promise<void>;
  /** Refuses whatever a change of the own password would be refused for, as far as this login shows it. */
  examineOwn(): Promise<void>;
  /**
   * Locks the role of the user that is logged in, in order to change it; waits for whoever has it.
   * @param expected the password that will most likely be set: what that takes may be computed meanwhile.
   */
  lockOwn(expected?: Password): Promise<OwnRole>;
  /** The same, in order to see whether the login still holds once nobody is changing the role. */
  awaitOwn(): Promise<RoleLock>;
  /** What alternating users need besides. */
  readonly twins: TwinRoles;
}

/** What can be seen and done of twin logins. */
export interface TwinRoles {
  /** @param username default: the user that is logged in. @throws RotationError ROLE_MISSING */
  describeUser(username?: string): Promise<UserFacts>;
  /**
   * As an administrator: locks two twins, by their base role; waits for whoever has them.
   * @param expected as of `lockOwn`.
   */
  lock(base: string, expected?: Password): Promise<LockedTwins>;
  /** As an administrator: what `applyTwin` would do; it refuses what that would refuse, and changes nothing. */
  preview(change: Omit<TwinChange, 'password' | 'scram'>): Promise<TwinPreview>;
  /** How many privileges on schemas and tables of this database `base` has and `username` has not. */
  missingPrivileges(base: string, username: string): Promise<number>;
}

/** The port to where roles live. */
export interface RoleDatabase {
  /** Whether a login whose secret has no "ssl" may be made in clear, where the server says that it has no TLS. */
  readonly mayFallBack?: boolean | undefined;
  /** Logs in, runs `work`, and always ends the session. */
  withLogin<T>(credential: Administrator, work: (roles: RoleSession) => Promise<T>): Promise<LoginOutcome<T>>;
  /**
   * The same, for whom a right password is an answer though there is no session.
   * @param within ms, of which none counts as an answer (DATABASE_TIMEOUT); default: the step's time.
   */
  tryPassword<T>(
    credential: Administrator,
    work: (roles: RoleSession) => Promise<T>,
    within?: number,
  ): Promise<PasswordOutcome<T>>;
}

/** The port to superuser secrets. */
export interface SuperuserSecrets {
  /**
   * Reads a secret that is as good as certain to be wanted: the next `read` of that ARN takes the answer. A hint, which
   * nobody need heed. Never rejects.
   */
  ahead?(secretArn: string): Promise<void>;
  /** The superuser's login, proven to be for the same server as `current`, or for the primary of its replica. */
  read(current: Credential): Promise<Administrator>;
  /**
   * Whether a rotation of that secret is under way, so that its server may have a password that is not current yet; false
   * where that may not be asked.
   */
  isRotating(current: Credential): Promise<boolean>;
}

/** A version's value; `text` is undefined where it is SecretBinary. */
export interface StoredVersion {
  readonly versionId: string;
  readonly text: string | undefined;
  /** ms since 1970; undefined where the service does not say. */
  readonly createdAt?: number | undefined;
}

/** By label, by id, or the pending version by both, which then must agree. */
export type WhichVersion =
  | { readonly stage: string; readonly versionId?: never }
  | { readonly versionId: string; readonly stage?: never }
  | { readonly versionId: string; readonly stage: 'AWSPENDING' };

/** Versions without any of the rotation's staging labels; somebody's own label may be on them. */
export interface UnlabelledVersions {
  /** Newest first. */
  readonly versionIds: readonly string[];
  /** Whether ListSecretVersionIds was denied, and `versionIds` is empty for that reason. */
  readonly denied: boolean;
}

export interface SecretDescription extends RotationState {
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * The port to a secret's versions. Every call is bounded by a deadline and fails as a RotationError only. A secret or an
 * AWSCURRENT that is not found is asked for again for a moment.
 */
export interface SecretReader {
  /** One DescribeSecret. */
  describe(): Promise<SecretDescription>;
  /**
   * One GetSecretValue; undefined where the secret has no such version, or one without a value.
   *
   * @throws RotationError VERSION_NOT_PENDING where the version that `versionId` names hasn't got the label too.
   */
  read(which: WhichVersion): Promise<StoredVersion | undefined>;
  /** All pages of ListSecretVersionIds. A function that may not list versions rotates all the same. */
  unlabelledVersions(): Promise<UnlabelledVersions>;
}

/** What came of moving AWSCURRENT. */
export type Promoted = 'promoted' | 'label-moved' | 'moved-before';

/** The same for one rotation, which may give its own version a value and make it current. */
export interface SecretStore extends SecretReader {
  /** One PutSecretValue. 'already-stored' where the version has a value, which it then keeps. */
  putPending(text: string): Promise<'stored' | 'already-stored'>;
  /**
   * One UpdateSecretVersionStage: AWSCURRENT to the pending version. 'label-moved' where `from` hasn't got it (any more);
   * 'moved-before' where that is the answer to a repetition: what it repeats, which had no answer, may have moved it.
   *
   * @param givenUp once it aborts, nothing is sent any more.
   */
  promotePending(from: string | undefined, givenUp?: AbortSignal): Promise<Promoted>;
}
