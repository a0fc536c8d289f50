import type { LoginError } from './errors.ts';
import type { Stage } from './secrets-manager.ts';

/** What the events tell. */
export interface LoginNews {
  readonly versionId: string;
  readonly stage: Stage;
}

export interface RefusalNews {
  /** The version whose login was refused. */
  readonly versionId: string;
  /** Whether another login is current now. */
  readonly again: boolean;
  /** Why Secrets Manager could not be asked, where that is so. */
  readonly error: LoginError | undefined;
}

export interface SecretLoginEvents {
  /** Another version is the login now. */
  refreshed: [LoginNews];
  /** A login was refused, and somebody has told us. */
  refused: [RefusalNews];
  /** AWSPENDING is the login now: a rotation is between setSecret and finishSecret. */
  pendingUsed: [LoginNews];
}

export interface WaitOptions {
  /** How long to wait at most, in ms. Default: that of secretLogin(). */
  readonly timeoutMillis?: number;
}
