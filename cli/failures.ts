import { RotationError } from '../shared/errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** Why the command ends early: one sentence, and one that says what to do about it. */
export class CommandError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly remedy: string | undefined;

  constructor(
    code: string,
    message: string,
    { exitCode, remedy }: { exitCode: ExitCode; remedy?: string | undefined },
  ) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}

export function usage(message: string, remedy?: string): CommandError {
  return new CommandError('USAGE', message, { exitCode: EXIT.usage, remedy });
}

export function refused(code: string, message: string, remedy?: string): CommandError {
  return new CommandError(code, message, { exitCode: EXIT.refused, remedy });
}

/** Ctrl-C. */
function interrupted(): CommandError {
  return new CommandError('INTERRUPTED', 'It was interrupted.', { exitCode: EXIT.interrupted });
}

/** Ctrl-C or Ctrl-D, as the answer to a question. */
export function unanswered(): CommandError {
  return new CommandError('INTERRUPTED', 'Nothing was changed.', { exitCode: EXIT.interrupted });
}

/** Calls AWS; whatever the SDK throws is told in a sentence. */
export async function asking<T>(operation: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw awsError(operation, error);
  }
}

/** What an error of the SDK means to an operator; pure. */
export function awsError(operation: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const name = error instanceof Error ? error.name : typeof error;
  if (name === 'AbortError') return interrupted();
  const message = error instanceof Error ? error.message.replace(/\.?$/, '.') : '';
  const { what, remedy } = meaningOf(error, name, operation);
  return new CommandError(name, `${operation} was needed, but ${what ?? message}`, {
    exitCode: EXIT.error,
    remedy,
  });
}

interface AwsErrorMeaning {
  /** Undefined: the service's own sentence says it best. */
  readonly what?: string;
  readonly remedy?: string;
}

function meaningOf(error: unknown, name: string, operation: string): AwsErrorMeaning {
  const text = error instanceof Error ? error.message : '';
  if (text.includes('Region is missing')) {
    return { what: 'no region is set.', remedy: 'Give --region, or set AWS_REGION or a region in the profile.' };
  }
  if (name === 'TypeError' && text.startsWith('Invalid URL')) {
    return {
      what: 'the endpoint is no URL.',
      remedy: 'Check --endpoint-url, and AWS_ENDPOINT_URL… in the environment.',
    };
  }
  if (/ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature/.test(name)) {
    return { remedy: 'Log in again (aws sso login), or check the credentials: aws sts get-caller-identity' };
  }
  if (text.includes('cannot invoke the specified Lambda function')) {
    return {
      remedy: 'Allow it: aws lambda add-permission … --principal secretsmanager.amazonaws.com --source-account …',
    };
  }
  if (/AccessDenied|UnauthorizedOperation/.test(name)) {
    return { remedy: `Allow ${operation} to the user or role that you run this as.` };
  }
  const code = typeof error === 'object' && error !== null ? String(Reflect.get(error, 'code') ?? '') : '';
  if (/CERT|VERIFY|ISSUER/.test(code)) {
    return {
      what: `the certificate of AWS is not trusted here (${code}).`,
      remedy: 'Behind a proxy that opens TLS, name the file of its certificates: AWS_CA_BUNDLE.',
    };
  }
  if (name === 'TimeoutError' || /^E[A-Z]+$/.test(code)) {
    return {
      what: `AWS could not be reached (${code || name}).`,
      remedy: 'Check the network, --region and --endpoint-url.',
    };
  }
  if (name === 'ResourceNotFoundException' && operation.startsWith('secretsmanager:')) {
    return { remedy: 'Check its name, --region and --profile: aws secretsmanager list-secrets' };
  }
  return {};
}

/** Anything thrown, as the command tells it. Only what is known to quote no secret is quoted. */
export function asCommandError(thrown: unknown): CommandError {
  if (thrown instanceof CommandError) return thrown;
  if (thrown instanceof RotationError) {
    return new CommandError(thrown.code, thrown.message, { exitCode: EXIT.error, remedy: thrown.remedy });
  }
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  if (name === 'ExitPromptError' || name === 'AbortPromptError') return unanswered();
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new CommandError(name, message, { exitCode: EXIT.error });
}
