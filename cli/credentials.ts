/** Whose credentials AWS is asked with: found where the AWS CLI finds them, in its order. */
import { fromEnv } from '@aws-sdk/credential-provider-env';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { EXIT } from './exit-codes.ts';
import { CommandError, usage } from './failures.ts';

export type CredentialProvider = ReturnType<typeof defaultProvider>;
type Logger = NonNullable<NonNullable<Parameters<typeof defaultProvider>[0]>['logger']>;

/** @param device its serial number or ARN. @returns the code that it shows. */
export type AskMfaCode = (device: string) => Promise<string>;

/** One for all clients, so that nobody is asked for an MFA code twice. What goes wrong is told as a CommandError. */
export function credentialsOf(
  profile: string | undefined,
  logger: Logger,
  askMfaCode: AskMfaCode = nobodyToAsk,
): CredentialProvider {
  const provider = find(profile, logger, askMfaCode);
  return async (properties) => {
    try {
      return await provider(properties);
    } catch (error) {
      throw credentialsError(error, profile ?? process.env.AWS_PROFILE);
    }
  };
}

/**
 * The CLI takes keys of the environment before AWS_PROFILE, and only --profile before them (botocore's
 * create_credential_resolver); the SDK for JavaScript takes AWS_PROFILE first, which may well be another account.
 */
function find(profile: string | undefined, logger: Logger, mfaCodeProvider: AskMfaCode): CredentialProvider {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  if (profile === undefined && AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) return fromEnv();
  return defaultProvider({ ...(profile !== undefined && { profile }), logger, mfaCodeProvider });
}

const MFA_ELSEWHERE = 'Get a session first, such as: eval "$(aws configure export-credentials --format env)"';

function nobodyToAsk(): Promise<never> {
  return Promise.reject(usage('The profile asks for an MFA code, and there is no terminal to ask on.', MFA_ELSEWHERE));
}

interface Meaning {
  readonly what: string;
  readonly remedy: string;
}

/** Why there are no credentials, in a sentence; pure. */
export function credentialsError(error: unknown, profile: string | undefined): Error {
  // Of ours, or of a question that was not answered.
  if (error instanceof CommandError || !(error instanceof Error) || /PromptError$|^AbortError$/.test(error.name)) {
    return error instanceof Error ? error : new TypeError('Credentials could not be had.');
  }
  const { what, remedy } = meaningOf(error, profile);
  return new CommandError(error.name, `Credentials of AWS were needed, but ${what}`, {
    exitCode: EXIT.error,
    remedy,
  });
}

function meaningOf({ name, message }: Error, profile: string | undefined): Meaning {
  const login = `aws sso login${profile === undefined ? '' : ` --profile ${profile}`}`;
  const sentence = message.replace(/\.?$/, '.');
  if (/AccessDenied/.test(name)) {
    // The code that was typed may be wrong: AWS's sentence says so.
    if (/MultiFactorAuthentication/.test(message)) return { what: sentence, remedy: 'Try again, with the next code.' };
    return {
      what: `the role of the profile could not be taken on (sts:AssumeRole): ${sentence}`,
      remedy: 'Allow sts:AssumeRole to whom the profile starts from, and let the trust policy of the role name them.',
    };
  }
  if (/SSO session.*(expired|invalid)|sso login/i.test(message)) {
    return { what: 'nobody is logged in by SSO, or no longer.', remedy: login };
  }
  if (profile !== undefined && /Could not resolve credentials using profile|Could not load credentials/.test(message)) {
    return {
      what: `there is no profile ${profile} that credentials could be had from.`,
      remedy: 'See which there are: aws configure list-profiles',
    };
  }
  if (/CredentialsProviderError|TokenProviderError/.test(name)) {
    return { what: 'none were found.', remedy: `Log in (${login}), or name a profile with --profile.` };
  }
  return { what: sentence, remedy: 'Check them: aws sts get-caller-identity' };
}
