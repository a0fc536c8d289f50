import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** How a server wants passwords stored: its `password_encryption` and `scram_iterations`. */
export type PasswordEncryption =
  | { readonly method: 'scram-sha-256'; readonly iterations: number }
  | { readonly method: 'md5' };

/** PostgreSQL's count where the server has no `scram_iterations` (before version 16). */
export const DEFAULT_SCRAM_ITERATIONS = 4096;

/**
 * What PostgreSQL keeps of a password, computed here, so that the password itself is never sent.
 *
 * @param password ASCII, as generated passwords are. Other text PostgreSQL would prepare in its own way (SASLprep), which
 *   for what people type is our driver's.
 */
export function passwordVerifier(encryption: PasswordEncryption, username: string, password: string): Promise<string> {
  switch (encryption.method) {
    case 'scram-sha-256':
      return scramVerifier(saslPrep(password), randomBytes(16), encryption.iterations);
    case 'md5':
      return Promise.resolve(`md5${createHash('md5').update(password).update(username).digest('hex')}`);
    default: {
      const never: never = encryption;
      return never;
    }
  }
}

/**
 * What a client makes of a password before it computes SCRAM, as our driver does it (RFC 4013's mapping and normalising;
 * it forbids nothing). What the server stores for it logs in by this driver.
 */
export function saslPrep(password: string): string {
  return password.replace(OTHER_SPACES, ' ').replace(MAPPED_TO_NOTHING, '').normalize('NFKC');
}

/** RFC 3454, table C.1.2: spaces other than ASCII's, and the zero width space that the table counts among them. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
/** RFC 3454, table B.1: one alternative a code point, since some would combine with their neighbours in a class. */
const MAPPED_TO_NOTHING = /\u00ad|\u034f|\u1806|\u180b|\u180c|\u180d|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;

/** RFC 5802's StoredKey and ServerKey in the form of PostgreSQL's pg_authid.rolpassword. */
export async function scramVerifier(password: string, salt: Buffer, iterations: number): Promise<string> {
  const salted = await promisify(pbkdf2)(password, salt, iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** In base64; undefined of everything but a SCRAM verifier. */
export function saltOf(verifier: string): string | undefined {
  return /^SCRAM-SHA-256\$\d+:([^$]+)\$/.exec(verifier)?.[1];
}
