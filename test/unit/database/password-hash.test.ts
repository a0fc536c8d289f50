import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { passwordVerifier, scramVerifier } from '../../../shared/database/password-hash.ts';

/** The exchange of RFC 7677, section 3: user "user", password "pencil". */
const RFC_7677 = {
  salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
  iterations: 4096,
  authMessage: [
    'n=user,r=rOprNGfwEbeRWgbNEkqO',
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  ].join(','),
  clientProof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverSignature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

function parts(verifier: string) {
  const [, iterations, salt, storedKey, serverKey] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(verifier) ?? [];
  if (!iterations || !salt || !storedKey || !serverKey) throw new Error('A SCRAM-SHA-256 verifier was needed.');
  return {
    iterations: Number(iterations),
    salt,
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  };
}

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest();

describe('a SCRAM-SHA-256 verifier', () => {
  it("accepts the client proof and makes the server signature of RFC 7677's example", async () => {
    const { salt, iterations, authMessage, clientProof, serverSignature } = RFC_7677;
    const { storedKey, serverKey } = parts(await scramVerifier('pencil', Buffer.from(salt, 'base64'), iterations));
    const clientSignature = hmac(storedKey, authMessage);
    const clientKey = Buffer.from(clientProof, 'base64').map((byte, i) => byte ^ (clientSignature[i] ?? 0));
    expect(sha256(Buffer.from(clientKey))).toEqual(storedKey);
    expect(hmac(serverKey, authMessage).toString('base64')).toBe(serverSignature);
  });

  it('says its salt and the number of its iterations, and uses them', async () => {
    const verifier = parts(await passwordVerifier({ method: 'scram-sha-256', iterations: 7_000 }, 'app', 'pencil'));
    expect(verifier.iterations).toBe(7_000);
    expect(Buffer.from(verifier.salt, 'base64')).toHaveLength(16);
    const salted = pbkdf2Sync('pencil', Buffer.from(verifier.salt, 'base64'), 7_000, 32, 'sha256');
    expect(verifier.serverKey).toEqual(hmac(salted, 'Server Key'));
  });

  it('has a new salt every time', async () => {
    const make = () => passwordVerifier({ method: 'scram-sha-256', iterations: 1 }, 'app', 'pencil');
    expect(await make()).not.toBe(await make());
  });
});

describe('an md5 hash', () => {
  it("is PostgreSQL's: of the password and then the user name", async () => {
    // SELECT rolpassword FROM pg_authid, after ALTER ROLE postgres PASSWORD 'postgres' with password_encryption = md5.
    const known = 'md53175bce1d3201d16594cebf9d7eb3f9d';
    expect(await passwordVerifier({ method: 'md5' }, 'postgres', 'postgres')).toBe(known);
    const swapped = `md5${createHash('md5').update('apppencil').digest('hex')}`;
    expect(await passwordVerifier({ method: 'md5' }, 'pencil', 'app')).toBe(swapped);
  });

  it('takes user names of any script, in UTF-8', async () => {
    const expected = createHash('md5').update(Buffer.from('pencilgrün', 'utf8')).digest('hex');
    expect(await passwordVerifier({ method: 'md5' }, 'grün', 'pencil')).toBe(`md5${expected}`);
  });
});
