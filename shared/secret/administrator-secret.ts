import { parseDatabaseSecret, parseServer, type ServerLogin } from './database-secret.ts';
import type { LoginTokens } from './password.ts';
import { regionOfRdsEndpoint } from './rds-endpoint.ts';
import { isRdsProxyHost } from './rds-proxy.ts';
import { malformed, optional, parseMembers } from './secret-members.ts';

/** What the tokens of a login by IAM are made for. */
export type TokensFor = (server: Omit<ServerLogin, 'password'>) => LoginTokens;

/**
 * Parses the SecretString of an administrator: the same as an application's, or with `"iam": true` in place of the
 * password. A token is for an endpoint of RDS and over verified TLS only, so what says otherwise is refused.
 *
 * @throws RotationError SECRET_MALFORMED, naming the key, never quoting a value.
 */
export function parseAdministratorSecret(text: string | undefined, tokensFor: TokensFor): ServerLogin {
  const members = text === undefined ? {} : parseMembers(text);
  const iam = optional(members, 'iam');
  if (iam !== undefined && typeof iam !== 'boolean') {
    throw malformed('iam', 'true or false was needed, found something else');
  }
  if (iam !== true) return parseDatabaseSecret(text);

  const found = (key: string) => malformed(key, 'none was needed beside "iam": true, found one');
  if (optional(members, 'password') !== undefined) throw found('password');
  if (optional(members, 'sslhostname') !== undefined) throw found('sslhostname');
  const server = parseServer(members);
  if (server.ssl === false) throw malformed('ssl', 'true or nothing was needed beside "iam": true, found false');
  if (regionOfRdsEndpoint(server.host) === undefined && !isRdsProxyHost(server.host)) {
    throw malformed('host', 'the endpoint that RDS gives was needed beside "iam": true, found another name');
  }
  return { ...server, ssl: true, password: tokensFor(server) };
}
