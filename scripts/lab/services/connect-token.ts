/**
 * Judges a token for `rds-db:connect` as RDS has to: what AWS documents of presigned requests (IAM user guide, "Create a
 * signed AWS API request"), written out here so that it shares nothing with what signs.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface SigningKey {
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What a token has to be for. */
export interface Connect {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly region: string;
  /** By its id; undefined for one that AWS does not know. */
  readonly keyOf: (accessKeyId: string) => SigningKey | undefined;
  /** ms since the epoch */
  readonly now: number;
}

/** In s. */
const LONGEST = 900;
/** In s; how far a signer's clock may be ahead. */
const SKEW = 300;

/** Why a token is refused, in a word or two; undefined for a good one. */
export function faultOfToken(token: string, { host, port, user, region, keyOf, now }: Connect): string | undefined {
  const [endpoint = '', query = ''] = token.split('/?', 2);
  if (endpoint !== `${host}:${port}`) return 'other endpoint';
  const parameters = new Map(new URLSearchParams(query));
  const get = (name: string) => parameters.get(name) ?? '';
  if (get('Action') !== 'connect' || get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') return 'no token';
  if (get('DBUser') !== user) return 'other user';

  const [accessKeyId = '', day = '', ...scope] = get('X-Amz-Credential').split('/');
  if (scope.join('/') !== `${region}/rds-db/aws4_request`) return 'other region or service';
  const signedAt = get('X-Amz-Date');
  const age = (now - timeOf(signedAt)) / 1_000;
  if (!signedAt.startsWith(day) || !(age >= -SKEW && age <= Math.min(LONGEST, Number(get('X-Amz-Expires')))))
    return 'age';

  const key = keyOf(accessKeyId);
  if (key === undefined) return 'unknown key';
  if (parameters.get('X-Amz-Security-Token') !== key.sessionToken) return 'session token';
  const signature = Buffer.from(get('X-Amz-Signature'), 'hex');
  parameters.delete('X-Amz-Signature');
  const expected = sign(parameters, endpoint, [day, ...scope], key);
  const isSame = signature.length === expected.length && timingSafeEqual(signature, expected);
  return isSame ? undefined : 'signature';
}

function sign(
  parameters: ReadonlyMap<string, string>,
  endpoint: string,
  scope: readonly string[],
  { secretAccessKey }: SigningKey,
): Buffer {
  const query = Array.from(parameters, ([name, value]) => `${escaped(name)}=${escaped(value)}`).sort();
  const request = ['GET', '/', query.join('&'), `host:${endpoint}\n`, 'host', sha256('')].join('\n');
  const text = ['AWS4-HMAC-SHA256', parameters.get('X-Amz-Date'), scope.join('/'), sha256(request)].join('\n');
  const key = scope.reduce<string | Buffer>((rest, part) => hmac(rest, part), `AWS4${secretAccessKey}`);
  return hmac(key, text);
}

/** RFC 3986, which leaves fewer characters as they are than JavaScript does. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Of `20161107T173933Z`; NaN for anything else. */
function timeOf(text: string): number {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  return iso === text ? Number.NaN : Date.parse(iso);
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
