import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const markdown = (folder: string, recursive: boolean) =>
  readdirSync(new URL(folder, ROOT), { encoding: 'utf8', recursive })
    .filter((name) => name.endsWith('.md'))
    .map((name) => folder + name);
/** All that anybody reads, but for the lists that are made. */
const LINKING = [...markdown('', false), ...markdown('docs/', true)].filter((path) => linksOf(path).length > 0);

function urlOf(document: string): URL {
  return new URL(document, ROOT);
}

/** Targets of the links to places in this repository. */
function linksOf(document: string): string[] {
  const links = Array.from(readFileSync(urlOf(document), 'utf8').matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
  return links.filter((link) => !/^\w+:/.test(link));
}

/** What GitHub makes of a document's headings. */
function anchorsOf(url: URL): string[] {
  return Array.from(readFileSync(url, 'utf8').matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replace(/ /g, '-'),
  );
}

test.each(LINKING)('every file and heading that %s links to is there', (document) => {
  const links = linksOf(document);
  expect(links.length).toBeGreaterThan(0);
  const missing = links.filter((link) => {
    const [file = '', anchor] = link.split('#');
    const url = file === '' ? urlOf(document) : new URL(file, urlOf(document));
    return !existsSync(url) || (anchor !== undefined && !anchorsOf(url).includes(anchor));
  });
  expect(missing).toEqual([]);
});

test('every row of what can go wrong links to a test', () => {
  const [rows] = readFileSync(urlOf('docs/what-can-go-wrong.md'), 'utf8').split('## Changing a password by hand');
  const lines = (rows ?? '').split('\n').filter((line) => line.startsWith('| ') && !/^\| (failure|---)/.test(line));
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.filter((line) => !/^\| \[[^\]]+\]\(\.\.\/test\/[^)]+\.test\.ts\)/.test(line))).toEqual([]);
});

test('every promise of SECURITY.md links to a test', () => {
  const [, section = ''] = /^## What is promised\n(.*?)^## /ms.exec(readFileSync(urlOf('SECURITY.md'), 'utf8')) ?? [];
  const promises = section.split(/^- /m).slice(1);
  expect(promises.length).toBeGreaterThan(10);
  expect(promises.filter((promise) => !/\]\(test\/[^)]+\.test\.ts\)/.test(promise))).toEqual([]);
});
