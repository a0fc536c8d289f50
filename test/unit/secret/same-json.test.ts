import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSameJson } from '../../../shared/secret/same-json.ts';

const nested = (depth: number, inside: string) => JSON.parse(`${'['.repeat(depth)}${inside}${']'.repeat(depth)}`);

describe('two JSON values', () => {
  it.each<[string, string, boolean]>([
    ['{"a":1,"b":2}', '{"b":2,"a":1}', true],
    ['{"a":1}', '{"a":1,"b":null}', false],
    ['{"a":1,"b":null}', '{"a":1,"c":null}', false],
    ['[1,2]', '[2,1]', false],
    ['[]', '{}', false],
    ['null', '{}', false],
    ['0', '-0', false],
    ['"1"', '1', false],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}', false],
    ['{"__proto__":{"a":1}}', '{}', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(isSameJson(JSON.parse(a), JSON.parse(b))).toBe(same);
    expect(isSameJson(JSON.parse(b), JSON.parse(a))).toBe(same);
  });

  it('may be nested deeper than a stack is', () => {
    expect(isSameJson(nested(30_000, '1'), nested(30_000, '1'))).toBe(true);
    expect(isSameJson(nested(30_000, '1'), nested(30_000, '2'))).toBe(false);
  });

  it('are the same as any copy', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(isSameJson(value, structuredClone(value))).toBe(true);
      }),
    );
  });
});
