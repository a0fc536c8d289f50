/** Every way in which a login can't be told. */
export type LoginErrorCode =
  | 'INVALID_OPTIONS'
  | 'SECRET_NOT_FOUND'
  | 'SECRET_ACCESS_DENIED'
  | 'SECRET_UNREADABLE'
  | 'SECRET_MALFORMED'
  | 'CA_FILE_UNUSABLE'
  | 'LOGIN_TIMEOUT';

const REMEDIES: Readonly<Record<LoginErrorCode, string>> = {
  INVALID_OPTIONS: 'Correct the options that the message names.',
  SECRET_NOT_FOUND: 'Check that secretId names a secret of this account and region, or is its full ARN.',
  SECRET_ACCESS_DENIED:
    "Allow secretsmanager:GetSecretValue on the secret to the application's role, and kms:Decrypt on its key where that is customer-managed.",
  SECRET_UNREADABLE:
    "Give the application a route to Secrets Manager (a VPC endpoint or NAT), its role's credentials and a region; `reason` is the AWS SDK's own name for it.",
  SECRET_MALFORMED: "Correct the secret's JSON: engine, host, username and password are needed.",
  CA_FILE_UNUSABLE: 'Put a PEM file of CA certificates where `caFile` says.',
  LOGIN_TIMEOUT: 'Give the application a route to Secrets Manager (a VPC endpoint or NAT), or wait longer.',
};

/**
 * The one error type of the client. A message is one sentence: what was needed, and what was found. Neither it nor any
 * field holds a password, and no cause is kept, since an error of the SDK may quote an answer.
 */
export class LoginError extends Error {
  override readonly name = 'LoginError';
  readonly code: LoginErrorCode;
  /** What to do about it, in one sentence. */
  readonly remedy: string;
  /** The name of the error that the AWS SDK or Node reported. */
  readonly reason: string | undefined;

  constructor(code: LoginErrorCode, message: string, reason?: string) {
    super(message);
    this.code = code;
    this.remedy = REMEDIES[code];
    this.reason = reason;
  }
}
