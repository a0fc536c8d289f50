import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Password } from '../../../shared/secret/password.ts';

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
