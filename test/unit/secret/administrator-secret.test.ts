import { describe, expect, it } from 'vitest';
import { parseAdministratorSecret } from '../../../shared/secret/administrator-secret.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { Password } from '../../../shared/secret/password.ts';

const BY_IAM = {
  engine: 'postgres',
  host: 'orders.c1a2b3.eu-central-1.rds.amazonaws.com',
  username: 'rotator',
  iam: true,
};
const TOKENS = { token: () => Promise.resolve(new Password('a token')) };
const parse = (value: unknown) => parseAdministratorSecret(JSON.stringify(value), () => TOKENS);

describe("an administrator's secret", () => {
  it('by IAM has tokens in place of a password, and asks for TLS', () => {
    expect(parse({ ...BY_IAM, port: 5433, dbname: 'shop' })).toEqual({
      engine: 'postgres',
      host: BY_IAM.host,
      port: 5433,
      username: 'rotator',
      dbname: 'shop',
      ssl: true,
      sslHostname: undefined,
      password: TOKENS,
    });
  });

  it('may leave the password, the certificate\'s name and "ssl" out by null', () => {
    expect(parse({ ...BY_IAM, password: null, ssl: null, sslhostname: null }).password).toBe(TOKENS);
  });

  it.each([undefined, null, false])('with "iam": %s is one by password', (iam) => {
    expect(parse({ ...BY_IAM, iam, password: 'p' }).password).toBeInstanceOf(Password);
    expect(() => parse({ ...BY_IAM, iam })).toThrow(/password: a string was needed, found nothing/);
  });

  it.each<[string, object, RegExp]>([
    ['iam', { iam: 'true' }, /true or false was needed/],
    ['iam', { iam: 1 }, /true or false was needed/],
    ['password', { password: 'quoted-nowhere' }, /none was needed beside "iam": true/],
    ['password', { password: '' }, /none was needed/],
    ['sslhostname', { sslhostname: 'db.example.com' }, /none was needed/],
    ['ssl', { ssl: 'false' }, /true or nothing was needed/],
    ['ssl', { ssl: false }, /true or nothing was needed/],
    ['host', { host: 'db.example.com' }, /the endpoint that RDS gives/],
    ['host', { host: 'shop.global-c1a2b3.global.rds.amazonaws.com' }, /the endpoint that RDS gives/],
    ['engine', { engine: 'mysql' }, /found another engine/],
    ['username', { username: undefined }, /found nothing/],
  ])('by IAM is refused for its %s: %o', (key, members, words) => {
    const refused = () => parse({ ...BY_IAM, ...members });
    expect(refused).toThrow(words);
    expect(refused).toThrow(
      expect.objectContaining({ code: 'SECRET_MALFORMED', facts: expect.objectContaining({ key }) }),
    );
    expect(refused).not.toThrow(/quoted-nowhere/);
  });

  it('that is no text is refused as any', () => {
    expect(() => parseAdministratorSecret(undefined, () => TOKENS)).toThrow(/found SecretBinary/);
  });
});

describe("an application's secret", () => {
  it('can not be one by IAM, with a password or without', () => {
    for (const members of [{}, { password: 'p' }])
      expect(() => parseDatabaseSecret(JSON.stringify({ ...BY_IAM, ...members }))).toThrow(
        /iam: a login by password was needed, found one by IAM/,
      );
  });

  it.each([false, null, 'no', 7])('may have a key of its own of that name: %s', (iam) => {
    expect(parseDatabaseSecret(JSON.stringify({ ...BY_IAM, iam, password: 'p' })).password.reveal()).toBe('p');
  });
});
