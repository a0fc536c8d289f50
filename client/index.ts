/**
 * postgres-secret-rotation/client: a login that is always right.
 *
 *     const login = secretLogin({ secretId: 'prod/shop' });
 *     const pool = rotatingPool(login, { max: 20 });
 */
import { LoginError } from './errors.ts';
import { SecretLogin } from './secret-login.ts';
import { clientFor, secretVersions } from './secret-versions.ts';
import type { SecretsManager } from './secrets-manager.ts';
import { trustedBy } from './trust.ts';

export interface SecretLoginOptions {
  /** The secret's name or ARN. */
  readonly secretId: string;
  /** Default: that of the ARN, else the AWS SDK's. */
  readonly region?: string;
  /** Another client of Secrets Manager than one made here, such as one with credentials of its own. */
  readonly client?: SecretsManager;
  /** PEM file of more CA certificates to trust; outside of Lambda, Amazon's bundle of RDS roots. */
  readonly caFile?: string;
  /** How long current() and refused() may take at most, in ms. Default: 10,000. */
  readonly timeoutMillis?: number;
}

const TIMEOUT = 10_000;

/** By what they were asked for with: a secret is looked at once for all of a process. */
const logins = new Map<string, SecretLogin>();
const loginsByClient = new WeakMap<SecretsManager, Map<string, SecretLogin>>();

/**
 * The login of a secret. Whoever asks with the same options gets the same one, so that a module may ask wherever it
 * needs it. Nothing is read before the login is used.
 *
 * @throws LoginError INVALID_OPTIONS where there is no secretId.
 */
export function secretLogin(options: SecretLoginOptions): SecretLogin {
  const { secretId, region, client, caFile, timeoutMillis = TIMEOUT } = options;
  if (typeof secretId !== 'string' || secretId === '')
    throw new LoginError('INVALID_OPTIONS', 'secretId must be the name or ARN of a secret, and is not.');
  if (!(timeoutMillis > 0 && timeoutMillis <= 2 ** 31 - 1))
    throw new LoginError('INVALID_OPTIONS', 'timeoutMillis must be a number of milliseconds above 0, and is not.');
  const key = JSON.stringify([secretId, region, caFile, timeoutMillis]);
  const known = registryOf(client);
  const login =
    known.get(key) ??
    new SecretLogin({
      versions: secretVersions(client ?? clientFor(secretId, region), secretId),
      trust: () => trustedBy(caFile),
      timeoutMillis,
      pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      now: Date.now,
    });
  known.set(key, login);
  return login;
}

function registryOf(client: SecretsManager | undefined): Map<string, SecretLogin> {
  if (client === undefined) return logins;
  const known = loginsByClient.get(client) ?? new Map<string, SecretLogin>();
  loginsByClient.set(client, known);
  return known;
}

export { LoginError, type LoginErrorCode } from './errors.ts';
export type { Login, LoginFacts } from './login.ts';
export type { LoginNews, RefusalNews, SecretLoginEvents, WaitOptions } from './login-events.ts';
export { type RotatingPool, type RotatingPoolOptions, rotatingPool } from './pool.ts';
export { isRefusedPassword } from './refusal.ts';
export type { SecretLogin } from './secret-login.ts';
export type { Answer, SecretsManager, Stage } from './secrets-manager.ts';
