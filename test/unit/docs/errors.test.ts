import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

it('docs/errors.md explains every error code once, and no other', async () => {
  const union = /export type RotationErrorCode =([^;]+);/.exec(await read('shared/errors.ts'))?.[1] ?? '';
  const codes = Array.from(union.matchAll(/'([A-Z_]+)'/g), ([, code]) => code);
  const explained = Array.from((await read('docs/errors.md')).matchAll(/^\| `([A-Z_]+)` \|/gm), ([, code]) => code);
  expect(codes.length).toBeGreaterThan(40);
  expect(explained.toSorted()).toEqual(codes.toSorted());
});
