/** AWS JSON 1.1 over HTTP, as far as Secrets Manager uses it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from './errors.ts';

const TARGET = /^secretsmanager\.([A-Za-z]+)$/;
const JSON_1_1 = 'application/x-amz-json-1.1';
// A value's 64 KB as JSON escapes (six bytes for one), and everything around it.
const MAX_BODY_BYTES = 1_048_576;
// The signature itself is not checked: the lab has no users. Its form is, and the region comes from the scope.
const SIGNATURE_V4 =
  /^AWS4-HMAC-SHA256 Credential=[^/\s,]+\/\d{8}\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$/;

/** @throws UnknownOperationException */
export function operationName(request: IncomingMessage): string {
  const target = request.headers['x-amz-target'];
  const name = typeof target === 'string' ? TARGET.exec(target)?.[1] : undefined;
  const isJson = request.headers['content-type']?.split(';')[0]?.trim() === JSON_1_1;
  if (request.method !== 'POST' || !name || !isJson) throw unknownOperation();
  return name;
}

export const unknownOperation = () => new ServiceError('UnknownOperationException', '');

/** What the caller signed for; undefined where there is no signature of the form. */
export function signedScope(request: IncomingMessage): { region: string; service: string } | undefined {
  const [, region, service] = SIGNATURE_V4.exec(request.headers.authorization ?? '') ?? [];
  return region === undefined || service === undefined ? undefined : { region, service };
}

/** The region that the caller signed for. @throws MissingAuthenticationTokenException, IncompleteSignatureException */
export function signedRegion(request: IncomingMessage): string {
  const { authorization } = request.headers;
  if (!authorization) throw new ServiceError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const scope = signedScope(request);
  if (scope?.service !== 'secretsmanager') {
    throw new ServiceError(
      'IncompleteSignatureException',
      'Authorization header requires a Credential scoped to secretsmanager, SignedHeaders and a Signature.',
    );
  }
  return scope.region;
}

export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new ServiceError('RequestEntityTooLargeException', 'Request is too large.', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request);
  try {
    return JSON.parse(text || '{}');
  } catch {
    throw new ServiceError('SerializationException', 'The request is not JSON.');
  }
}

export function sendJson(response: ServerResponse, requestId: string, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': JSON_1_1,
    'Content-Length': Buffer.byteLength(text),
    'x-amzn-RequestId': requestId,
  });
  response.end(text);
}
