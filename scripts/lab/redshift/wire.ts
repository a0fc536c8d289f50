/** What the stand-in says, as Redshift says it. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { int32, message } from '../../relays/backend-messages.ts';

export interface Complaint {
  readonly severity: 'FATAL' | 'ERROR';
  readonly code: string;
  readonly words: string;
  readonly routine?: string;
}

/** Redshift's fields: S, C, M, F, L, R, and no V (aws/amazon-redshift-python-driver issue 237). */
export function complaint({ severity, code, words, routine = 'exec_simple_query' }: Complaint): Buffer {
  const fields = [`S${severity}`, `C${code}`, `M${words}`, 'Fauth.c', 'L425', `R${routine}`];
  return message('E', ...fields.map((field) => `${field}\0`), '\0');
}

/** What it says after a login. Its version is PostgreSQL's 8.0.2, whose name for UTF-8 is UNICODE. */
export function greeting(): Buffer {
  const settings = { server_version: '8.0.2', server_encoding: 'UNICODE', client_encoding: 'UTF8' };
  return Buffer.concat([
    message('R', int32(0)),
    ...Object.entries(settings).map(([name, value]) => message('S', `${name}\0${value}\0`)),
    // Not the process that serves the session.
    message('K', int32(1_000_000_000, 1)),
    message('Z', 'I'),
  ]);
}

/** A password that is stored as sha256. */
export interface Sha256Password {
  readonly salt: Buffer;
  readonly digest: Buffer;
}

export function sha256Password(clear: string): Sha256Password {
  const salt = randomBytes(32);
  return { salt, digest: hash('sha256', clear, salt) };
}

/** A question, and whether an answer to it (without type and length) is right. */
export interface Challenge {
  readonly request: Buffer;
  readonly type: 'p' | 'd';
  isRight(answer: Buffer): boolean;
}

/** @param stored md5 and 32 hex digits. */
export function md5Challenge(stored: string): Challenge {
  const salt = randomBytes(4);
  const right = Buffer.from(`md5${hash('md5', stored.slice(3), salt).toString('hex')}\0`);
  return { request: message('R', int32(5), salt), type: 'p', isRight: (answer) => isSame(answer, right) };
}

/** Authentication request 13 (aws/amazon-redshift-jdbc-driver, ConnectionFactoryImpl and ExtensibleDigest). */
export function digestChallenge({ salt, digest }: Sha256Password): Challenge {
  const nonce = randomBytes(16);
  return {
    request: message('R', int32(13, 0, salt.length), salt, int32(nonce.length), nonce),
    type: 'd',
    isRight(answer) {
      const length = answer.length < 4 ? 0 : answer.readInt32BE(0);
      const theirs = answer.subarray(8 + length);
      if (length !== 32 || answer.length < 8 + length || theirs.length !== answer.readInt32BE(4 + length)) return false;
      return isSame(answer.subarray(4, 4 + length), hash('sha256', digest, nonce, theirs));
    },
  };
}

function hash(algorithm: 'md5' | 'sha256', ...parts: readonly (Buffer | string)[]): Buffer {
  const made = createHash(algorithm);
  for (const part of parts) made.update(part);
  return made.digest();
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
