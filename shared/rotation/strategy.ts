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

/** What can be done with roles once logged in. */
export interface RoleSession {
  /** Asks the server who is logged in: the proof that the session works. */
  confirmUser(): Promise<void>;
  /** Replaces the password of the user that is logged in. */
  setOwnPassword(password: Password): Promise<void>;
}

/** The port to where roles live. */
export interface RoleDatabase {
  /** Logs in, runs `work`, and always ends the session. */
  withLogin<T>(credential: Credential, work: (roles: RoleSession) => Promise<T>): Promise<LoginOutcome<T>>;
}

/** What the engine offers a strategy during setSecret. */
export interface SetSecretContext extends RoleDatabase {
  readonly current: Credential;
  readonly pending: Credential;
  /** The credentials a database may still have from before: previous, then the newest versions without a label. */
  earlier(): AsyncIterable<Credential>;
}

/** What differs between single user and alternating users. */
export interface RotationStrategy {
  readonly name: StrategyName;
  /** createSecret: the user that the new version is for. */
  nextUsername(current: Credential, database: RoleDatabase): Promise<string>;
  /** setSecret: makes the database accept the pending credential, and returns which login that took. */
  applyPending(context: SetSecretContext): Promise<CredentialLabel>;
  /** testSecret, and finishSecret of a version that nobody tested: checks that the pending login is worth having. */
  verify(roles: RoleSession, pending: Credential): Promise<void>;
}
