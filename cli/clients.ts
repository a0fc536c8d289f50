import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type AskMfaCode, type CredentialProvider, credentialsOf } from './credentials.ts';
import { agents } from './proxy.ts';

/** Whom to ask and as whom, named as the AWS CLI names it. */
export interface AwsOptions {
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
}

/** What no answer may take longer than, in ms: an operator waits before the screen. */
const TIMEOUTS = { connectionTimeout: 3_000, requestTimeout: 8_000, throwOnRequestTimeout: true } as const;
/** Of one call, the first included. */
const MAX_ATTEMPTS = 5;

/** The SDK warns of keys besides a profile on stderr, in words of its own: which of them counts is settled here. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** What every client of AWS is made with. */
interface Settings {
  readonly region?: string;
  readonly profile?: string;
  readonly endpoint?: string;
  readonly credentials: CredentialProvider;
  readonly maxAttempts: number;
  readonly requestHandler: typeof TIMEOUTS & ReturnType<typeof agents>;
  readonly logger: typeof SILENT;
}

/**
 * The operator's AWS. Credentials, region and endpoint come from the SDK's own default chain, over which the options
 * have the last word, as with the AWS CLI. Only Secrets Manager's client is made by itself: the others are loaded by
 * those who need them, with `settings`.
 */
export class Aws {
  readonly settings: Settings;
  #secretsManager: SecretsManagerClient | undefined;

  /** @param askMfaCode for a profile that needs one; default: nobody can be asked. */
  constructor({ region = environmentRegion(), profile, endpointUrl }: AwsOptions, askMfaCode?: AskMfaCode) {
    this.settings = {
      // The SDK takes no undefined here.
      ...(region !== undefined && { region }),
      ...(profile !== undefined && { profile }),
      ...(endpointUrl !== undefined && { endpoint: endpointUrl }),
      credentials: credentialsOf(profile, SILENT, askMfaCode),
      maxAttempts: environmentAttempts() ?? MAX_ATTEMPTS,
      requestHandler: { ...TIMEOUTS, ...agents(process.env) },
      logger: SILENT,
    };
  }

  get secretsManager(): SecretsManagerClient {
    this.#secretsManager ??= new SecretsManagerClient(this.settings);
    return this.#secretsManager;
  }

  /** The region that is asked; undefined where none is set anywhere. */
  async region(): Promise<string | undefined> {
    return await this.secretsManager.config.region().catch(() => undefined);
  }
}

/** The CLI knows both variables, the SDK only the first. */
function environmentRegion(): string | undefined {
  return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || undefined;
}

function environmentAttempts(): number | undefined {
  const attempts = Number(process.env.AWS_MAX_ATTEMPTS);
  return Number.isInteger(attempts) && attempts > 0 ? attempts : undefined;
}
