import { expect, test } from 'vitest';
import { withoutMembers } from '../../../../scripts/build/unused-members.ts';

const flat = (code: string) => code.replace(/\s+/g, ' ').trim();

test("members of classes go, whatever they are, and others' uses of them stay", () => {
  const code = `class Client {
    #queue = []; cancel() { this.#queue = []; } get cancelled() { return true; } static of() {}
    end() { if (this.never) this.cancel(); }
  }`;
  expect(flat(withoutMembers(code, ['#queue', 'cancel', 'cancelled', 'of']))).toBe(
    'class Client { end() { if (this.never) this.cancel(); } }',
  );
});

test("an object's properties go with their commas, the file's functions and variables with them, and no others", () => {
  const code = `
    const { parse } = require('other');
    const bind = () => {};
    function close() {}
    function query() { const close = 1; const { bind } = close; return close + bind; }
    module.exports = { query, bind, close };`;
  expect(flat(withoutMembers(code, ['bind', 'close']))).toBe(
    flat(`const { parse } = require('other');
      function query() { const close = 1; const { bind } = close; return close + bind; }
      module.exports = { query, };`),
  );
});

test('what is exported stays, and throws', async () => {
  const code = withoutMembers('export const filter = (a) => a; export function find() {}', ['filter', 'find']);
  const { filter, find } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  expect(filter).toThrow('filter is not in this bundle.');
  expect(find).toThrow('find is not in this bundle.');
});

test('a name that nothing is declared by is an error: the dependency has changed', () => {
  const code = 'class Client { end() { this.cancel(); const flush = 1; return flush; } }';
  expect(() => withoutMembers(code, ['end', 'cancel', 'flush'])).toThrow('Nothing is declared as cancel, flush.');
});
