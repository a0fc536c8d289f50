import { generateKeyPair, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';
import type { ServerCertificate } from './instance.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface CertificateOptions {
  /** Already expired, since yesterday. */
  readonly expired?: boolean;
}

/** A certificate authority for tests and benchmarks. Each is an authority of its own: what one has signed, the others don't trust. */
export class CertificateAuthority {
  /** PEM: what a client that trusts this authority has among its roots. */
  readonly certificate: string;
  readonly #key: forge.pki.rsa.PrivateKey;
  readonly #subject: forge.pki.CertificateField[];

  static async create(name = 'Test CA'): Promise<CertificateAuthority> {
    const keys = await keyPair();
    const subject = [{ name: 'commonName', value: `${name} ${randomBytes(4).toString('hex')}` }];
    const certificate = newCertificate(subject, keys.publicKey);
    certificate.setIssuer(subject);
    certificate.setExtensions([
      { name: 'basicConstraints', critical: true, cA: true },
      { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
      { name: 'subjectKeyIdentifier' },
    ]);
    return new CertificateAuthority(keys.privateKey, subject, sign(certificate, keys.privateKey));
  }

  private constructor(key: forge.pki.rsa.PrivateKey, subject: forge.pki.CertificateField[], certificate: string) {
    this.#key = key;
    this.#subject = subject;
    this.certificate = certificate;
  }

  /** @param names are host names and IP addresses, all of which the certificate is good for. */
  async issue(names: readonly string[], { expired = false }: CertificateOptions = {}): Promise<ServerCertificate> {
    const keys = await keyPair();
    const certificate = newCertificate([{ name: 'commonName', value: names[0] ?? '' }], keys.publicKey);
    if (expired) certificate.validity.notAfter = new Date(Date.now() - DAY_MS);
    certificate.setIssuer(this.#subject);
    certificate.setExtensions([
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: names.map(alternativeName) },
    ]);
    return { certificate: sign(certificate, this.#key), privateKey: keys.privateKeyPem };
  }
}

async function keyPair() {
  // Native, and so a hundred times as fast as node-forge's own.
  const pem = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return {
    publicKey: forge.pki.publicKeyFromPem(pem.publicKey),
    privateKey: forge.pki.privateKeyFromPem(pem.privateKey),
    privateKeyPem: pem.privateKey,
  };
}

function newCertificate(
  subject: forge.pki.CertificateField[],
  publicKey: forge.pki.rsa.PublicKey,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - 2 * DAY_MS);
  certificate.validity.notAfter = new Date(Date.now() + 30 * DAY_MS);
  certificate.setSubject(subject);
  return certificate;
}

function sign(certificate: forge.pki.Certificate, key: forge.pki.rsa.PrivateKey): string {
  certificate.sign(key, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

/** The types of RFC 5280's GeneralName: 2 is a DNS name, 7 an IP address. */
function alternativeName(name: string) {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}
