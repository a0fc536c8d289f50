import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { type ClearLogin, rewriteLogin } from '../../../shared/secret/connection-string.ts';

const FROM: ClearLogin = { username: 'app', password: 'p/@: %+?#&=\\\'" é' };
const TO: ClearLogin = { username: 'app_clone', password: "n'e\\w %@/" };
const encoded = encodeURIComponent(FROM.password).replaceAll("'", '%27');
const NEXT = 'n%27e%5Cw%20%25%40%2F';
const libpq = FROM.password.replace(/['\\]/g, '\\$&');

describe('a copy of the login', () => {
  it.each([
    ['the bare password', FROM.password, TO.password],
    [
      'a URL',
      `postgres://app:${encoded}@h:5432/db?sslmode=require&application_name=a%20b`,
      `postgres://app_clone:${NEXT}@h:5432/db?sslmode=require&application_name=a%20b`,
    ],
    ['a URL of several hosts', `postgresql://app:${encoded}@a:1,b:2/d`, `postgresql://app_clone:${NEXT}@a:1,b:2/d`],
    ['a URL without path', `postgresql://app:${encoded}@h?x=1`, `postgresql://app_clone:${NEXT}@h?x=1`],
    ['a URL with a fragment', `postgresql://app:${encoded}@h/d#f`, `postgresql://app_clone:${NEXT}@h/d#f`],
    ["SQLAlchemy's URL", `postgresql+psycopg://app:${encoded}@h/d`, `postgresql+psycopg://app_clone:${NEXT}@h/d`],
    [
      'a URL whose query has them',
      `postgres:///db?user=app&host=h&password=${encoded}`,
      `postgres:///db?user=app_clone&host=h&password=${NEXT}`,
    ],
    [
      'a URL that has them in both places',
      `postgres://app@h/db?password=${encoded}`,
      `postgres://app_clone@h/db?password=${NEXT}`,
    ],
    [
      'a JDBC URL',
      `jdbc:postgresql://h:5432/db?ssl=true&user=app&password=${encoded}&x=`,
      `jdbc:postgresql://h:5432/db?ssl=true&user=app_clone&password=${NEXT}&x=`,
    ],
    [
      'a JDBC URL as Java encodes it',
      `jdbc:postgresql:db?password=${encoded.replaceAll('%20', '+')}&user=app`,
      `jdbc:postgresql:db?password=${NEXT}&user=app_clone`,
    ],
    [
      "a JDBC URL of AWS's wrapper",
      `jdbc:aws-wrapper:postgresql://h/d?user=app&password=${encoded}`,
      `jdbc:aws-wrapper:postgresql://h/d?user=app_clone&password=${NEXT}`,
    ],
    [
      "libpq's keywords",
      ` host = h\tuser=app  password = '${libpq}' dbname='a b' `,
      ` host = h\tuser=app_clone  password = 'n\\'e\\\\w %@/' dbname='a b' `,
    ],
  ])('is rewritten in %s, and the rest is kept', (_, text, rewritten) => {
    expect(rewriteLogin(text, FROM, TO)).toBe(rewritten);
    expect(rewriteLogin(rewritten, TO, FROM)).not.toBeUndefined();
  });

  it('keeps an unquoted value of libpq unquoted where it can', () => {
    const [a, b] = [
      { username: 'a', password: 'old' },
      { username: 'a', password: 'New-1._~' },
    ];
    expect(rewriteLogin('user=a password=old host=h', a, b)).toBe('user=a password=New-1._~ host=h');
    expect(rewriteLogin('user=a password=o\\ld host=h', a, TO)).toBe(`user=app_clone password='n\\'e\\\\w %@/' host=h`);
  });

  const PLAIN: ClearLogin = { username: 'app', password: 'old' };
  it.each([
    '',
    'old ',
    'Old',
    'the old one',
    'postgres://app:older@h/d',
    'postgres://other:old@h/d',
    'postgres://:old@h/d',
    'postgres://old@h/d',
    'postgres://app@h/d',
    'postgres://h/d?x=app:old@h',
    'postgres://app:%zz@h/d?password=old',
    'postgres://app:old@h/d?password=other',
    'mysql://app:old@h/d',
    'https://app:old@h/d',
    'jdbc:mysql://h/d?user=app&password=old',
    'jdbc:postgresql://h/d?user=app',
    'jdbc:postgresql://h/d?xuser=app&xpassword=old',
    'jdbc:postgresql://h/d?__proto__=app&password=old',
    'host=h password=old',
    'user=app password=old stray',
    "user=app password='old",
    'user=app password=old user=other',
    'Server=h;user=app;password=old',
    '{"user":"app","password":"old"}',
  ])('is not what %j says', (text) => {
    expect(rewriteLogin(text, PLAIN, TO)).toBeUndefined();
  });
});

/** Any text that PostgreSQL takes for a password. */
const password = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((text) => text.isWellFormed() && !text.includes('\0'));
const login = fc.record({ username: password, password });

describe('whatever the passwords are', () => {
  const forms: Readonly<Record<string, (login: ClearLogin) => string>> = {
    URL: ({ username, password: p }) =>
      `postgresql://${encodeURIComponent(username)}:${encodeURIComponent(p)}@h:1/d?a=b`,
    JDBC: ({ username, password: p }) =>
      `jdbc:postgresql://h/d?${new URLSearchParams({ user: username, password: p })}`,
    libpq: ({ username, password: p }) =>
      ['user', 'password']
        .map((key) => `${key}='${(key === 'user' ? username : p).replace(/['\\]/g, '\\$&')}'`)
        .join(' '),
  };

  it.each(Object.entries(forms))('%s holds the login it was made of, and after a detour it is the same', (_, form) => {
    fc.assert(
      fc.property(login, login, (a, b) => {
        const text = form(a);
        fc.pre(text !== a.password && form(b) !== b.password);
        const there = rewriteLogin(text, a, b);
        expect(there).toBeDefined();
        const back = rewriteLogin(there ?? '', b, a);
        expect(rewriteLogin(back ?? '', a, b)).toBe(there);
        if (a.username !== b.username || a.password !== b.password)
          expect(rewriteLogin(there ?? '', a, a)).toBeUndefined();
      }),
    );
  });

  it('pg reads the new login from the rewritten URL', () => {
    fc.assert(
      fc.property(login, (to) => {
        const text = rewriteLogin('postgres://app:old@h:1/d?x=y', { username: 'app', password: 'old' }, to) ?? '';
        const { user, password: read, host, port, database } = new pg.Client({ connectionString: text });
        expect({ user, read, host, port, database }).toEqual({
          user: to.username,
          read: to.password,
          host: 'h',
          port: 1,
          database: 'd',
        });
      }),
    );
  });

  it('a text that holds nothing of the kind is never taken for one', () => {
    fc.assert(
      fc.property(fc.string(), login, (text, from) => {
        fc.pre(text !== from.password && !text.includes(from.username));
        expect(rewriteLogin(text, from, TO)).toBeUndefined();
      }),
    );
  });
});
