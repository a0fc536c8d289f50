import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MessageReader } from '../../../../scripts/relays/postgres-messages.ts';

function message(type: string, body: string): Buffer {
  const text = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(4 + text.length, 1);
  return Buffer.concat([head, text]);
}

it('meets every message once, however the bytes arrive', () => {
  const letter = fc.constantFrom('C', 'E', 'Q', 'Z', 'S');
  fc.assert(
    fc.property(fc.array(fc.tuple(letter, fc.string())), fc.array(fc.nat(20)), (messages, cuts) => {
      const met: string[] = [];
      const reader = new MessageReader();
      const read = (chunk: Buffer) => met.push(...reader.read(chunk).map(({ type }) => type));
      let rest = Buffer.concat(messages.map(([type, body]) => message(type, body)));
      for (const cut of cuts) {
        read(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      read(rest);
      expect(met).toEqual(messages.map(([type]) => type));
    }),
  );
});
