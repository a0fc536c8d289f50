import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isAscii, Password } from '../../../shared/secret/password.ts';

const CLEAR = 'correct horse battery staple';
const password = new Password(CLEAR);

describe('a password', () => {
  it('gives its clear text to who asks for it', () => {
    expect(password.reveal()).toBe(CLEAR);
  });

  it.each<[string, string]>([
    ['JSON', JSON.stringify({ password })],
    ['a string template', `${password}`],
    ['String()', String(password)],
    ['concatenation', `password: ${[password].join()}`],
    ['util.inspect', inspect(password)],
    [
      'util.inspect of what holds it, hidden fields included',
      inspect({ a: { b: [password] } }, { depth: 9, showHidden: true }),
    ],
    ['%s, %o, %O and %j', format('%s %o %O %j', password, password, password, password)],
  ])('redacts itself in %s', (_, text) => {
    expect(text).toContain('[redacted]');
    expect(text).not.toContain(CLEAR);
  });

  it('has no field that a copy would take along', () => {
    expect(Reflect.ownKeys(password)).toEqual([]);
    expect(JSON.stringify({ ...password, ...structuredClone({ password: { ...password } }) })).not.toContain(CLEAR);
  });
});

describe('whether a text is printable ASCII, which is hashed here', () => {
  it.each([
    ['every printable ASCII character', ' !"#$%&\'()*+,-./0123456789:;<=>?@AZ[\\]^_`az{|}~', true],
    ['nothing', '', true],
    ['an umlaut, which the server may normalise', 'grün', false],
    ['a control character', 'a\u0001b', false],
    ['a line feed', 'a\nb', false],
    ['a line feed at its end', 'ab\n', false],
    ['DEL', 'a\u007fb', false],
  ])('%s', (_, text, expected) => {
    expect(isAscii(text)).toBe(expected);
  });
});
