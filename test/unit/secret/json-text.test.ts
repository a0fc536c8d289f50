import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replaceMembers, setMembers, valuesOf } from '../../../shared/secret/json-text.ts';

const NEW = new Map([
  ['username', 'new "user"\\'],
  ['password', "n\u0000w 'pässword'\n$&"],
]);
const rewritten = (source: string) => replaceMembers(source, NEW);
const [NEW_USERNAME, NEW_PASSWORD] = [JSON.stringify(NEW.get('username')), JSON.stringify(NEW.get('password'))];

describe('replacing the user and password in the text of a secret', () => {
  it.each<[string, string, string]>([
    [
      'white space and order',
      '{ "password"\t:\n"old" ,"a":1,\r\n "username" : "u"}',
      `{ "password"\t:\n${NEW_PASSWORD} ,"a":1,\r\n "username" : ${NEW_USERNAME}}`,
    ],
    [
      'integers that a double cannot hold',
      '{"password":"old","id":12345678901234567890,"n":-0,"e":1.0E+2}',
      `{"password":${NEW_PASSWORD},"id":12345678901234567890,"n":-0,"e":1.0E+2}`,
    ],
    [
      'escapes',
      '{"password":"o\\"ld\\\\","note":"\\u00e4\\/\\ud83d\\ude00"}',
      `{"password":${NEW_PASSWORD},"note":"\\u00e4\\/\\ud83d\\ude00"}`,
    ],
    ['half of a surrogate pair', '{"password":"old","note":"\ud83d"}', `{"password":${NEW_PASSWORD},"note":"\ud83d"}`],
    [
      '__proto__',
      '{"__proto__":{"password":"in"},"password":"old"}',
      `{"__proto__":{"password":"in"},"password":${NEW_PASSWORD}}`,
    ],
    [
      'members of nested objects and arrays',
      '{"a":{"password":"in"},"b":[{"password":"in"},"password",":"],"password":"old"}',
      `{"a":{"password":"in"},"b":[{"password":"in"},"password",":"],"password":${NEW_PASSWORD}}`,
    ],
    [
      'values that read like keys',
      '{"a":"password","b":"username","password":"old"}',
      `{"a":"password","b":"username","password":${NEW_PASSWORD}}`,
    ],
    [
      'keys that begin alike or differ in case',
      '{"passwords":"x","Password":"y","password ":"z","password":"old"}',
      `{"passwords":"x","Password":"y","password ":"z","password":${NEW_PASSWORD}}`,
    ],
    ['the other members of a secret without a password', '{"a":1}', '{"a":1}'],
    ['an empty object', ' { } ', ' { } '],
  ])('keeps %s', (_, source, expected) => {
    expect(rewritten(source)).toBe(expected);
  });

  it('replaces a key that stands twice twice, so that every reader agrees on it', () => {
    expect(rewritten('{"password":"a","x":1,"password":"b"}')).toBe(
      `{"password":${NEW_PASSWORD},"x":1,"password":${NEW_PASSWORD}}`,
    );
  });

  it('finds a key that is written with escapes', () => {
    expect(rewritten('{"p\\u0061ssword":"old"}')).toBe(`{"p\\u0061ssword":${NEW_PASSWORD}}`);
  });

  it('leaves alone what is no string', () => {
    const source = '{"password":{"password":"in"},"username":["username"]}';
    expect(rewritten(source)).toBe(source);
  });

  it('takes a value as large as Secrets Manager allows', () => {
    const note = '\\"x'.repeat(21_000);
    expect(rewritten(`{"note":"${note}","password":"old"}`)).toBe(`{"note":"${note}","password":${NEW_PASSWORD}}`);
  });
});

// Texts of JSON in every way to write it. None is parsed and printed: the expected text is put together beside the source.
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });
const character = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).map((one) => JSON.stringify(one).slice(1, -1)),
  fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\n', ':', ',', '{', '}', '[', ']', 'password', '\u2028'),
  fc.integer({ min: 0, max: 0xffff }).map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`),
);
const text = fc.array(character, { maxLength: 6 }).map((characters) => `"${characters.join('')}"`);
const number = fc.constantFrom('0', '-0', '12345678901234567890123', '1e400', '-1.50E-7', '3.0');
const { value } = fc.letrec<{ value: string; array: string; object: string; member: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, text, number, fc.constantFrom('true', 'false', 'null'), tie('array'), tie('object')),
  array: fc
    .tuple(space, fc.array(tie('value'), { maxLength: 3 }))
    .map(([gap, values]) => `[${gap}${values.join(`${gap},`)}]`),
  object: fc
    .tuple(space, fc.array(tie('member'), { maxLength: 3 }))
    .map(([gap, members]) => `{${members.join(`,${gap}`)}${gap}}`),
  // No escapes: JSON.parse, which reads what stands further in, takes such a key for another at times.
  member: fc
    .tuple(key(text.filter((name) => !name.includes('\\'))), space, tie('value'))
    .map(([name, gap, content]) => `${name}${gap}:${gap}${content}`),
}));

function key(names: fc.Arbitrary<string> = text): fc.Arbitrary<string> {
  return fc.oneof(
    names,
    fc.constantFrom('"password"', '"username"', '"__proto__"', '"constructor"', '"\\u0070assword"'),
  );
}

interface Written {
  readonly source: string;
  readonly expected: string;
}

const same = (source: string): Written => ({ source, expected: source });
const other = fc
  .tuple(key(), value)
  .filter(([name, content]) => !(content.startsWith('"') && NEW.has(JSON.parse(name))))
  .map(([name, content]) => [same(name), same(content)] as const);
const replaced = fc
  .tuple(fc.constantFrom('"password"', '"username"', '"\\u0070assword"'), text)
  .map(
    ([name, content]) =>
      [same(name), { source: content, expected: JSON.stringify(NEW.get(JSON.parse(name))) }] as const,
  );

const objects = fc.array(fc.tuple(fc.oneof(other, replaced), space, space), { maxLength: 8 }).map((members) => {
  const write = (which: keyof Written) => {
    const written = members.map(
      ([[name, content], before, after]) => `${before}${name[which]}${after}:${before}${content[which]}${after}`,
    );
    return `{${written.join(',')}}`;
  };
  return { source: write('source'), expected: write('expected') };
});

it('changes nothing but those two strings in any JSON object, byte for byte', () => {
  fc.assert(
    fc.property(objects, ({ source, expected }) => {
      JSON.parse(source);
      expect(rewritten(source)).toBe(expected);
    }),
    { numRuns: 2_000 },
  );
});

it('reads, after any replacement, as what was put in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (password, username) => {
      const result = replaceMembers(
        '{"username":"u","password":"p","port":5432}',
        new Map([
          ['password', password],
          ['username', username],
        ]),
      );
      expect(JSON.parse(result)).toEqual({ username, password, port: 5432 });
    }),
  );
});

describe('setting members of any kind', () => {
  const set = (source: string, values: Readonly<Record<string, string | number | boolean>>) =>
    setMembers(source, new Map(Object.entries(values)));

  it.each<[string, string, Readonly<Record<string, string | number | boolean>>, string]>([
    [
      'a number for a string',
      '{"port": "5432",\n "id":12345678901234567890}',
      { port: 5433 },
      '{"port": 5433,\n "id":12345678901234567890}',
    ],
    ['a text for null', '{"a":1.0,"host":null}', { host: 'db' }, '{"a":1.0,"host":"db"}'],
    ['a text for an object', '{"host":{"a":["}"]} ,"b":{}}', { host: 'db' }, '{"host":"db" ,"b":{}}'],
    ['a key that stands twice', '{"ssl":true,"ssl":"no"}', { ssl: false }, '{"ssl":false,"ssl":false}'],
    [
      'keys that are not there, spaced as the last is',
      '{\n  "a": 1,\n  "b": [2]\n}\n',
      { ssl: true, port: 1 },
      '{\n  "a": 1,\n  "b": [2],\n  "ssl": true,\n  "port": 1\n}\n',
    ],
    ['a key besides the only one', '{ "a" : 1 }', { b: 'x' }, '{ "a" : 1,"b" : "x" }'],
    ['both', '{"a":1,"b":2}', { b: 'longer', c: 3 }, '{"a":1,"b":"longer","c":3}'],
    ['a key in an empty object', '{ }', { a: 1 }, '{"a":1 }'],
    ['nothing', ' {"a":1} ', {}, ' {"a":1} '],
  ])('sets %s', (_, source, values, expected) => {
    expect(set(source, values)).toBe(expected);
  });

  it('reads as what was set, and else as before, in any JSON object', () => {
    const values = { password: 'p"\\', port: 5433, ssl: true };
    fc.assert(
      fc.property(objects, ({ source }) => {
        const before = valuesOf(source);
        const after = valuesOf(set(source, values));
        expect(after).toEqual({ ...before, ...values });
      }),
    );
  });
});

describe('the values of a JSON object', () => {
  // Node 24.21's JSON.parse finds no "ssl" in the second, once it has read the first.
  it.each([
    ['ssl', '{"at":"","\\\\u0":1}', '{"at":"","\\u0073sl":false}', { at: '', ssl: false }],
    ['a key outside ASCII', '{"name":"","\\\\u":1}', '{"name":"","\\u00e9t":2}', { name: '', ét: 2 }],
    ['a quote', '{"\\\\":1}', '{"\\"":2}', { '"': 2 }],
  ])('are by the keys that stand there, whatever was read before: %s', (_, before, source, expected) => {
    JSON.parse(before);
    JSON.parse(source);
    expect(valuesOf(source)).toEqual(expected);
  });

  it("are the object's own, the last where a key stands twice", () => {
    const values = valuesOf('{"__proto__":{"ssl":false},"ssl":true,"ssl":null}');
    expect(Object.keys(values)).toEqual(['__proto__', 'ssl']);
    expect(values.ssl).toBeNull();
    expect(Object.getPrototypeOf(values)).toBe(Object.prototype);
  });
});
