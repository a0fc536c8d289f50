import { ACCOUNT_ID } from '../account.ts';

/** Signature Version 4. The signature itself is not checked: the lab has no users. Its form is. */
const SIGNATURE_V4 =
  /^AWS4-HMAC-SHA256 Credential=([^/\s,]+)\/\d{8}\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$/;

export interface SignedScope {
  /** Of the caller: the lab's, unless the access key is another one's number. */
  readonly account: string;
  readonly region: string;
  readonly service: string;
}

/** What the caller signed for; undefined where there is no signature of the form. */
export function signedScope(authorization: string | undefined): SignedScope | undefined {
  const [, accessKey = '', region, service] = SIGNATURE_V4.exec(authorization ?? '') ?? [];
  if (region === undefined || service === undefined) return undefined;
  return { account: /^\d{12}$/.test(accessKey) ? accessKey : ACCOUNT_ID, region, service };
}
