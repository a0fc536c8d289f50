import { createHash, createHmac } from 'node:crypto';
import { createRequire } from 'node:module';

interface Session {
  readonly clientNonce: string;
  /** Of the client-final-message, once it was made. */
  readonly response: string;
  readonly serverSignature: string;
}

interface DriverSasl {
  startSession(mechanisms: readonly string[], stream: null, maxIterations: number): Session;
  continueSession(session: Session, password: string, serverFirst: string, stream: null): Promise<void>;
}

/** The driver's own SCRAM, of which its types know nothing. */
const sasl: DriverSasl = createRequire(import.meta.url)('pg/lib/crypto/sasl');

/** Whether the driver, logging in with a password, is let in by a server that has stored a verifier, and lets itself be. */
export async function driverLogsIn(password: string, verifier: string): Promise<boolean> {
  const [, iterations, salt, storedKey = '', serverKey = ''] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(verifier) ?? [];
  const session = sasl.startSession(['SCRAM-SHA-256'], null, 0);
  const first = `r=${session.clientNonce}server,s=${salt},i=${iterations}`;
  await sasl.continueSession(session, password, first, null);
  const [, withoutProof = '', proof = ''] = /^(.*),p=(.*)$/.exec(session.response) ?? [];
  const signed = `n=*,r=${session.clientNonce},${first},${withoutProof}`;
  const stored = Buffer.from(storedKey, 'base64');
  const signature = createHmac('sha256', stored).update(signed).digest();
  const clientKey = Buffer.from(proof, 'base64').map((byte, i) => byte ^ (signature[i] ?? 0));
  const server = createHmac('sha256', Buffer.from(serverKey, 'base64')).update(signed).digest('base64');
  return createHash('sha256').update(clientKey).digest().equals(stored) && session.serverSignature === server;
}
