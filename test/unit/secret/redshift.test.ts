import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../shared/lambda/config.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { DEFAULT_POLICY, generatePassword, policyFor } from '../../../shared/secret/password-policy.ts';

const secret = (members: object) =>
  parseDatabaseSecret(JSON.stringify({ engine: 'redshift', host: 'h', username: 'shop', password: 'p', ...members }));

describe('a secret for Redshift', () => {
  it('means port 5439 and the database dev, where it says none', () => {
    expect(secret({})).toMatchObject({ port: 5439, dbname: 'dev' });
    expect(secret({ port: '5440', dbname: 'sales' })).toMatchObject({ port: 5440, dbname: 'sales' });
  });

  it('names a user of up to 127 bytes, in lower case, with a password of its own', () => {
    expect(secret({ username: 'a'.repeat(127) }).username).toHaveLength(127);
    for (const [username, words] of [
      ['a'.repeat(128), /127 bytes/],
      ['shoP', /lower case/],
      ['IAM:shop', /IAM/],
      ['IAMA:shop', /IAM/],
      ['IAMR:shop', /IAM/],
      ['iamr:shop', /IAM/],
    ] as const)
      expect(() => secret({ username })).toThrow(words);
    expect(secret({ username: 'iamshop' }).username).toBe('iamshop');
  });
});

describe('passwords for Redshift', () => {
  const policy = (environment: Record<string, string>) => policyFor('redshift', readConfig(environment).passwordPolicy);

  it.each([
    [{}],
    [{ EXCLUDE_CHARACTERS: ':' }],
    [{ EXCLUDE_CHARACTERS: '', REQUIRE_EACH_INCLUDED_TYPE: 'false', PASSWORD_LENGTH: '8' }],
    [{ PASSWORD_LENGTH: '64', EXCLUDE_PUNCTUATION: 'true' }],
  ])('are what it takes, with %j', (environment) => {
    for (let count = 0; count < 200; count++) {
      const password = generatePassword(policy(environment)).reveal();
      expect(password).toMatch(/^(?=.*[A-Z])(?=.*[a-z])(?=.*\d)[!-~]{8,64}$/);
      expect(password).not.toMatch(/['"\\/@]/);
    }
  });

  it('leave other engines as they are', () => {
    expect(policyFor('postgres', DEFAULT_POLICY)).toBe(DEFAULT_POLICY);
  });

  it.each<[Record<string, string>, string]>([
    [{ PASSWORD_LENGTH: '65' }, 'PASSWORD_LENGTH'],
    [{ EXCLUDE_NUMBERS: 'true' }, 'EXCLUDE_CHARACTERS'],
    [{ EXCLUDE_UPPERCASE: 'true' }, 'EXCLUDE_CHARACTERS'],
  ])('%j is refused, and the variable named', (environment, key) => {
    expect(() => policy(environment)).toThrow(
      expect.objectContaining({ code: 'INVALID_ENVIRONMENT', facts: expect.objectContaining({ key }) }),
    );
  });
});

it("Node's own roots hold Amazon's, by which Redshift's certificates are issued", () => {
  const subjects = rootCertificates.map((pem) => new X509Certificate(pem).subject);
  for (const number of [1, 2, 3, 4])
    expect(subjects.some((subject) => subject.includes(`Amazon Root CA ${number}`))).toBe(true);
});
