/** A login that is about to be stored: proven first, and corrected on the command line where it is wrong. */
import { connectToken } from '../shared/aws/connect-token.ts';
import { RotationError, type RotationErrorCode } from '../shared/errors.ts';
import { parseAdministratorSecret } from '../shared/secret/administrator-secret.ts';
import {
  type DatabaseSecret,
  parseDatabaseSecret,
  parseServer,
  type ServerLogin,
} from '../shared/secret/database-secret.ts';
import type { Members } from '../shared/secret/secret-members.ts';
import type { Context } from './context.ts';
import { type CommandError, refused, usage } from './failures.ts';
import { isOnlyFromHere, type LoginProof, loginName, tryAdministrator, tryLogin } from './login.ts';

/** @throws CommandError that names the option to correct. */
export function parseLogin(text: string): DatabaseSecret {
  return corrected(() => parseDatabaseSecret(text));
}

/** The same of an administrator that logs in by IAM. */
export function parseAdministrator({ aws }: Context, text: string): ServerLogin {
  const { config } = aws.secretsManager;
  return corrected(() => parseAdministratorSecret(text, (server) => ({ token: () => connectToken(config, server) })));
}

/** All but the password, before anybody is asked for that. @throws CommandError that names the option to correct. */
export function needServer(login: Members): void {
  corrected(() => parseServer(login));
}

function corrected<Secret>(parse: () => Secret): Secret {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    throw usage(error.message, `Correct ${OPTIONS_OF[error.facts.key ?? ''] ?? 'the options'}; nothing was stored.`);
  }
}

/** Which option gives which key of the secret's JSON. */
const OPTIONS_OF: Readonly<Record<string, string>> = {
  engine: '--engine',
  host: '--host',
  port: '--port',
  username: '--username',
  password: 'the password',
  dbname: '--dbname',
  ssl: '--ssl',
  masterarn: '--superuser-secret',
};

/**
 * Logs in as what is about to be stored says.
 *
 * @param otherPassword what to do where the server refuses the password.
 * @throws CommandError where the login, or what it shows, would stop a rotation.
 */
export async function proveLogin(
  { output }: Context,
  secret: DatabaseSecret | ServerLogin,
  { caFile, otherPassword }: { readonly caFile: string | undefined; readonly otherPassword: string },
): Promise<'accepted'> {
  output.busy(`logging in as ${secret.username} …`);
  const proof = await tryIt(secret, caFile);
  output.busy(undefined);
  switch (proof.outcome) {
    case 'accepted':
      if (proof.unfit === undefined) return 'accepted';
      throw notStored(proof.unfit, ' If the function allows that (ALLOW_POOLER and the like): --no-login.');
    case 'refused':
      throw refused(
        'PASSWORD_NOT_ACCEPTED',
        `The server must accept the password of ${loginName(secret)}, and it refused it; nothing was stored.`,
        otherPassword,
      );
    case 'failed': {
      const isOnlyHere = isOnlyFromHere(proof.error) || proof.error.code.startsWith('IAM_');
      const byTrust = proof.error.code === 'TLS_UNTRUSTED_CERTIFICATE' ? '--ca-file, or ' : '';
      const here = isOnlyHere ? ` If only this machine is at fault: ${byTrust}--no-login.` : '';
      throw notStored(proof.error, here);
    }
    default: {
      const never: never = proof;
      return never;
    }
  }
}

async function tryIt(secret: DatabaseSecret | ServerLogin, caFile: string | undefined): Promise<LoginProof> {
  if (!('superuserSecretArn' in secret)) return await tryAdministrator(secret, caFile);
  const strategy = secret.superuserSecretArn === undefined ? 'single-user' : 'alternating-users';
  return await tryLogin(secret, { source: 'current', caFile, strategy });
}

function notStored({ code, message, remedy }: RotationError, more: string): CommandError {
  const option = OPTIONS_FOR[code];
  const first = option === undefined ? remedy : `Correct ${option}.`;
  return refused(code, `${message.replace(/\.$/, '')}; nothing was stored.`, `${first}${more}`);
}

/** What to correct on this command line, where the functions' remedies speak of a secret that says so, and none does yet. */
const OPTIONS_FOR: Readonly<Partial<Record<RotationErrorCode, string>>> = {
  DATABASE_HOST_NOT_FOUND: '--host',
  DATABASE_UNREACHABLE: '--host or --port',
  DATABASE_NOT_FOUND: '--dbname',
  DATABASE_BEHIND_PROXY: "--host: the database's own endpoint",
  TLS_NOT_SUPPORTED: 'the server, which has no TLS, or say so by --ssl false',
  TLS_REQUIRED: '--ssl, which the server wants to be true',
  TLS_WRONG_HOST: '--host: a name that the certificate has',
};
