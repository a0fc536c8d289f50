import { readFile } from 'node:fs/promises';
// Not by names: Node 20 lacks one of them.
import tls, { type ConnectionOptions, type SecureContext } from 'node:tls';
import { LoginError } from './errors.ts';

/** Amazon's RDS roots, which Lambda's Node does not trust unless told (AWS Lambda developer guide). */
const LAMBDA_CA_FILE = '/var/runtime/ca-cert.pem';

/** By CA file: parsing some 150 certificates takes longer than a login, so all that trust the same share it. */
const contexts = new Map<string, Promise<SecureContext>>();

/**
 * Whom to trust: Node's own roots, Amazon's RDS roots where Lambda has them, and those of a file.
 *
 * @throws LoginError CA_FILE_UNUSABLE.
 */
export function trustedBy(caFile: string | undefined): Promise<SecureContext> {
  const key = caFile ?? '';
  const known = contexts.get(key);
  if (known !== undefined) return known;
  const loading = load(caFile);
  contexts.set(key, loading);
  // What could not be read may be there next time.
  loading.catch(() => contexts.delete(key));
  return loading;
}

/**
 * TLS or nothing: chain and name are checked. The name is said here, since drivers may leave an IP address out (older versions
 * of pg do: node-postgres issue 2263), and Node then wants a certificate for "localhost" and for nothing else.
 *
 * @param name that the certificate is to be for.
 */
export function verified(secureContext: SecureContext, name: string): ConnectionOptions {
  return {
    secureContext,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
  };
}

async function load(caFile: string | undefined): Promise<SecureContext> {
  const lambda = await readFile(LAMBDA_CA_FILE, 'utf8').catch(() => '');
  const own = caFile === undefined ? [] : certificatesIn(await read(caFile));
  if (caFile !== undefined && own.length === 0) throw unusable('no PEM certificate is in it');
  return tls.createSecureContext({
    ca: [...(await nodesRoots()), ...certificatesIn(lambda), ...own],
    minVersion: 'TLSv1.2',
  });
}

/** With those of NODE_EXTRA_CA_CERTS. */
async function nodesRoots(): Promise<readonly string[]> {
  if (typeof tls.getCACertificates === 'function') return tls.getCACertificates('default');
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const text = extra === undefined ? '' : await readFile(extra, 'utf8').catch(() => '');
  return [...tls.rootCertificates, ...certificatesIn(text)];
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unusable('it could not be read', error instanceof Error && 'code' in error ? String(error.code) : undefined);
  }
}

function certificatesIn(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function unusable(found: string, reason?: string): LoginError {
  return new LoginError('CA_FILE_UNUSABLE', `caFile must name a file of CA certificates, but ${found}.`, reason);
}
