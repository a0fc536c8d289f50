/** What the bundled command loads before it knows what it is to do: that is what starting it takes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BuiltFile } from '../../../../scripts/build/built-files.ts';
import { buildCommand } from '../../../../scripts/build/command.ts';

let folder: string;
let files: ReadonlyMap<string, BuiltFile>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'command-'));
  files = new Map((await buildCommand(folder)).map((file) => [file.path, file]));
}, 60_000);
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** The files that Node loads with the first, before it runs it. */
async function loadedWith(first: string): Promise<ReadonlySet<string>> {
  const loaded = new Set([first]);
  for (const path of loaded) {
    const text = await readFile(join(folder, path), 'utf8');
    for (const [, next = ''] of text.matchAll(/(?:\bfrom|\bimport)"\.\/([\w.-]+)"/g)) loaded.add(next);
  }
  return loaded;
}

it('is the command line, and neither the driver, nor the SDK, nor what draws questions and plots', async () => {
  const loaded = [...(await loadedWith('rotation.mjs'))].flatMap((path) => files.get(path) ?? []);
  const packages = new Map<string, number>();
  for (const [name, bytes] of loaded.flatMap((file) => [...file.packages])) {
    if (bytes > 0) packages.set(name, (packages.get(name) ?? 0) + bytes);
  }
  expect([...packages.keys()].sort()).toEqual(['(own)', 'commander']);
  expect(loaded.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(100_000);
});

it('has the subcommands beside, and the driver beside those that only look', async () => {
  const withDriver: string[] = [];
  for (const path of files.keys()) {
    const has = [...(await loadedWith(path))].some((each) => (files.get(each)?.packages.get('pg') ?? 0) > 0);
    if (has) withDriver.push(await readFile(join(folder, path), 'utf8'));
  }
  const commands = withDriver.flatMap((text) => /\.command\("([\w-]+)"/.exec(text)?.[1] ?? []);
  expect(commands).toContain('doctor');
  const looking = ['status', 'now', 'history', 'coverage', 'report', 'run', 'code', 'completion'];
  expect(commands.filter((name) => looking.includes(name))).toEqual([]);
});
