/** CONTRIBUTING.md's "Where things go": every folder has its row, and every row its folder. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
/** Made by the tools that are run here; Git's; and notes of one's own editor. */
const NOT_OURS = /^(?:node_modules|dist.*|coverage|test-results|reports|release|\.(?!ci$).*)$/;
/** Folders that have rows for what is in them. */
const WITH_ROOMS = ['shared', 'scripts', 'test'];

const [, section = ''] = readFileSync(new URL('CONTRIBUTING.md', ROOT), 'utf8').split('## Where things go');
const [table = ''] = section.split('\n## ');
const named = Array.from(table.matchAll(/^\| (.+?) \|/gm), ([, first = '']) => first).flatMap((cell) =>
  Array.from(cell.matchAll(/`([^`]+)`/g), ([, path = '']) => path),
);

function foldersIn(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NOT_OURS.test(entry.name))
    .map(({ name }) => `${folder}${name}/`);
}

it('every row names a place that is there', () => {
  const missing = named.filter((path) => !existsSync(new URL(path.replace('*.ts', ''), ROOT)));
  expect(missing).toEqual([]);
});

it('every folder has a row, and so has each room of those that have rooms', () => {
  const folders = [...foldersIn(''), ...WITH_ROOMS.flatMap((folder) => foldersIn(`${folder}/`))];
  const known = (folder: string) => named.some((path) => path === folder || path.startsWith(folder));
  expect(folders.filter((folder) => !known(folder))).toEqual([]);
  expect(folders).toContain('shared/rotation/');
});

it('unit tests stand where their subjects stand', () => {
  const subjects = [
    ...foldersIn('').map((path) => path.slice(0, -1)),
    ...foldersIn('shared/').map((path) => path.slice(7, -1)),
  ];
  const others = ['support', 'template'];
  const tests = foldersIn('test/unit/').map((path) => path.slice('test/unit/'.length, -1));
  expect(tests.filter((name) => !subjects.includes(name) && !others.includes(name))).toEqual([]);
});
