import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

/** Whom to ask and as whom, named as the AWS CLI names it. */
export interface AwsOptions {
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
}

/**
 * The operator's AWS. Credentials, region and endpoint come from the SDK's own default chain, over which the options
 * have the last word, as with the AWS CLI. Only Secrets Manager's client is made by itself: the others are loaded by
 * those who need them, with `settings`.
 */
export class Aws {
  readonly settings: {
    readonly region?: string;
    readonly profile?: string;
    readonly endpoint?: string;
    readonly maxAttempts: number;
  };
  #secretsManager: SecretsManagerClient | undefined;

  constructor({ region = environmentRegion(), profile, endpointUrl }: AwsOptions) {
    this.settings = {
      ...(region === undefined ? {} : { region }),
      ...(profile === undefined ? {} : { profile }),
      ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
      maxAttempts: 5,
    };
  }

  get secretsManager(): SecretsManagerClient {
    this.#secretsManager ??= new SecretsManagerClient(this.settings);
    return this.#secretsManager;
  }

  /** The options as environment variables, for parts of the project that make clients of their own. */
  get environment(): Readonly<Record<string, string>> {
    const { region, profile, endpoint } = this.settings;
    return {
      ...(region === undefined ? {} : { AWS_REGION: region }),
      ...(profile === undefined ? {} : { AWS_PROFILE: profile }),
      ...(endpoint === undefined ? {} : { AWS_ENDPOINT_URL: endpoint }),
    };
  }
}

/** The CLI knows both variables, the SDK only the first. */
function environmentRegion(): string | undefined {
  return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || undefined;
}
