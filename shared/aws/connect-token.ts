import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SignatureV4 } from '@smithy/signature-v4';
import { RotationError } from '../errors.ts';
import { Password } from '../secret/password.ts';
import { regionOfRdsEndpoint } from '../secret/rds-endpoint.ts';

/** How long a token is good for, in s: what RDS takes at most. A session outlives it. */
const EXPIRES_IN = 900;

/** Where a token is for, and for whom. */
export interface TokenTarget {
  /** An endpoint of RDS, which has the region in it. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
}

/** What tokens are made of: a client's own. */
export type SigningConfig = Pick<SecretsManagerClient['config'], 'credentials' | 'sha256'>;

/**
 * A token that RDS takes instead of a password: a request for `rds-db:connect`, signed and never sent (Amazon RDS user
 * guide, "Connecting to your DB instance using IAM authentication"). Made without a call; RDS judges it at the login.
 *
 * @param now ms since the epoch
 * @throws RotationError IAM_CREDENTIALS_UNUSABLE where there are no credentials, or only expired ones
 */
export async function connectToken(
  { credentials, sha256 }: SigningConfig,
  { host, port, username }: TokenTarget,
  now = Date.now(),
): Promise<Password> {
  const hostname = host.toLowerCase().replace(/\.$/, '');
  const region = regionOfRdsEndpoint(hostname);
  if (region === undefined) throw new TypeError('parseAdministratorSecret lets no other host through');
  const found = await credentials().catch((error: unknown) => {
    throw unusable(error instanceof Error ? error.name : typeof error, 'there are none');
  });
  if (found.expiration !== undefined && found.expiration.getTime() <= now) throw unusable('Expired', 'they expired');

  const signer = new SignatureV4({ service: 'rds-db', region, credentials: found, sha256 });
  const endpoint = `${hostname}:${port}`;
  const { query = {} } = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname,
      port,
      path: '/',
      query: { Action: 'connect', DBUser: username },
      headers: { host: endpoint },
    },
    { expiresIn: EXPIRES_IN, signingDate: new Date(now) },
  );
  const parameters = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return new Password(`${endpoint}/?${parameters.join('&')}`);
}

function unusable(reason: string, found: string): RotationError {
  return new RotationError(
    'IAM_CREDENTIALS_UNUSABLE',
    `Credentials of AWS were needed to log the administrator in by IAM, and ${found}.`,
    {
      remedy:
        "On Lambda the service tries again with fresh ones, of the function's role; elsewhere log in to AWS anew (aws sso login, AWS_PROFILE).",
      reason,
    },
  );
}
