import { readFile } from 'node:fs';
import tls, { createSecureContext, type SecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { RotationError } from '../errors.ts';

/**
 * How a connection is protected.
 * - `verified`: TLS or nothing; chain and host name are checked.
 * - `verified-or-plain`: the same, except where the server answers that it has no TLS at all. Never after a failed
 *   login or certificate.
 * - `plain`: what the secret asks for with `"ssl": false`.
 */
export type TlsPolicy = 'verified' | 'verified-or-plain' | 'plain';

/** From the secret's `ssl` key (undefined where it has none) and TLS_FALLBACK; pure. */
export function tlsPolicy(ssl: boolean | undefined, fallback: boolean): TlsPolicy {
  if (ssl === false) return 'plain';
  return ssl === undefined && fallback ? 'verified-or-plain' : 'verified';
}

/** A file of trusted CA certificates (PEM); a missing optional one is passed over. */
export interface CaFile {
  readonly path: string;
  readonly optional: boolean;
}

/**
 * Node's root certificates and those of the configured files, read when the first connection is made and kept: parsing
 * some 150 certificates takes longer than a login.
 */
export function trustStore(files: readonly CaFile[]): () => Promise<SecureContext> {
  let context: Promise<SecureContext> | undefined;
  return () => {
    context ??= loadTrust(files).catch((error: unknown) => {
      context = undefined;
      throw error;
    });
    return context;
  };
}

async function loadTrust(files: readonly CaFile[]): Promise<SecureContext> {
  const pems = await Promise.all(files.map(({ path, optional }) => readPem(path, optional)));
  return createSecureContext({ ca: [...ownRoots(), ...pems.flat()], minVersion: 'TLSv1.2' });
}

/** Node's, with what NODE_EXTRA_CA_CERTS adds; on Node 20, where `rotation` runs too and can't ask for them, without. */
function ownRoots(): readonly string[] {
  const { getCACertificates }: Partial<typeof tls> = tls;
  return getCACertificates?.('default') ?? tls.rootCertificates;
}

/** Not of node:fs/promises, which takes a command line's reader and a millisecond to load. */
const readText = promisify(readFile);

async function readPem(path: string, optional: boolean): Promise<string[]> {
  let text: string;
  try {
    text = await readText(path, 'utf8');
  } catch (error) {
    if (optional) return [];
    throw unusable('it could not be read', error);
  }
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates === null && !optional) throw unusable('no PEM certificate is in it');
  return certificates ?? [];
}

function unusable(found: string, error?: unknown): RotationError {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return new RotationError('INVALID_ENVIRONMENT', `DB_CA_FILE must name a file of CA certificates, but ${found}.`, {
    remedy: 'Put the PEM file into the deployment package or a layer and its path into DB_CA_FILE.',
    key: 'DB_CA_FILE',
    ...(reason === undefined ? {} : { reason }),
  });
}
