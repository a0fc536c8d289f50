/** What stands where STS should be: it hands out sessions of roles, or refuses to. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** The access key of every session. */
const SESSION_KEY = 'of-the-session';

export class TokenService implements AsyncDisposable {
  /** Of each AssumeRole; undefined where it came without. */
  readonly codes: (string | undefined)[] = [];
  readonly #server: Server;

  /** @param code that alone is right; without one, no role is handed out. */
  static async start(code?: string): Promise<TokenService> {
    const service = new TokenService(code);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  private constructor(code: string | undefined) {
    this.#server = createServer(async (request, response) => {
      const given = new URLSearchParams(await text(request)).get('TokenCode') ?? undefined;
      this.codes.push(given);
      const accepted = code !== undefined && given === code;
      response.writeHead(accepted ? 200 : 403, { 'content-type': 'text/xml' });
      response.end(accepted ? SESSION : code === undefined ? REFUSED : WRONG_CODE);
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const ROLE = 'arn:aws:sts::123456789012:assumed-role/operator/s';
const SESSION = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
  <AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>${ROLE}</Arn></AssumedRoleUser>
  <Credentials><AccessKeyId>${SESSION_KEY}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
  <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
  </AssumeRoleResult></AssumeRoleResponse>`;

/** As STS words them (IAM user guide, troubleshooting). */
const REFUSED = error(
  'User: arn:aws:iam::123456789012:user/me is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/operator',
);
const WRONG_CODE = error('MultiFactorAuthentication failed with invalid MFA one time pass code.');

function error(message: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>${message}</Message></Error></ErrorResponse>`;
}
