import { DatabaseError } from 'pg';
import type { DatabaseErrorMeaning } from './connect-error.ts';
import type { ServerConnection } from './connection.ts';

/** The server asks for a password where a token was to be sent. */
export class TokenNotAsked extends Error {
  constructor(method: string) {
    super(`a token was to be sent, and the server asks for a password (${method})`);
  }
}

/**
 * RDS asks for tokens in clear. Whoever asks otherwise is not asked further: the driver would answer with a hash of the
 * token, which no server can take. Comes before the driver's own listeners.
 */
export function answerOnlyInClear(connection: ServerConnection): void {
  for (const [event, method] of [
    ['authenticationMD5Password', 'md5'],
    ['authenticationSASL', 'scram-sha-256'],
  ] as const)
    connection.on(event, () => {
      throw new TokenNotAsked(method);
    });
}

const REMEDY =
  "Allow rds-db:connect on this user's dbuser ARN in the function's role, GRANT rds_iam TO {role}; and turn IAM authentication on at the server: docs/iam-administrators.md.";

/** What is known of a login by IAM besides what its error means by itself; pure. */
export function iamMeaning(error: unknown, meaning: DatabaseErrorMeaning): DatabaseErrorMeaning {
  const refused = (what: string) => ({ code: 'IAM_LOGIN_REFUSED', what, remedy: REMEDY }) as const;
  if (error instanceof TokenNotAsked) return refused('the server asks for a password, not for an IAM token');
  if (meaning.code === 'WRONG_PASSWORD' || isByPam(error)) return refused('the server refused the IAM token');
  if (meaning.code === 'TLS_NOT_SUPPORTED')
    return { ...meaning, remedy: 'Turn TLS on in the server: a login by IAM is never made without.' };
  if (meaning.code === 'TLS_WRONG_HOST')
    return { ...meaning, remedy: 'Put the endpoint that RDS gives this server into "host" of the superuser secret.' };
  return meaning;
}

/** As PostgreSQL refuses by all methods that look at no stored password, in any language. */
function isByPam(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '28000' && error.routine === 'auth_failed';
}
