import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

test.each([
  'docs/what-can-go-wrong.md',
  'docs/applications.md',
  'SECURITY.md',
])('every file that %s links to is there', async (document) => {
  const url = new URL(`../../../${document}`, import.meta.url);
  const links = Array.from((await readFile(url, 'utf8')).matchAll(/\]\(([^)#]+)/g), ([, link = '']) => link);
  const files = links.filter((link) => !/^\w+:/.test(link));
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((file) => !existsSync(new URL(file, url)))).toEqual([]);
});

test('every row of what can go wrong links to a test', async () => {
  const text = await readFile(new URL('../../../docs/what-can-go-wrong.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (failure|---)/.test(line));
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((row) => !/^\| \[[^\]]+\]\(\.\.\/test\/[^)]+\.test\.ts\)/.test(row))).toEqual([]);
});
