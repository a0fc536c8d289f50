/** What the documents tell an operator to type is what the command takes. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { commandsOn } from '../../../cli/commands.ts';

const program = new Command('rotation');
for (const add of await commandsOn([])) add(program, () => async () => {});

const read = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

/** Lines of code and words in back-quotes that begin with `rotation` and a subcommand of these. */
function commandsIn(text: string): string[] {
  const quoted = Array.from(text.matchAll(/`(rotation [^`]+)`/g), ([, command = '']) => command);
  const lines = Array.from(text.matchAll(/^ {4}(rotation [^|]+?)(?: {2,}.*)?$/gm), ([, command = '']) => command);
  return [...quoted, ...lines];
}

describe.each(['runbook.md', 'rotation-command.md'])('the commands of docs/%s', (document) => {
  const all = commandsIn(read(document)).map((text) => ({ text, words: text.split(/\s+/).slice(1) }));
  const ours = all.flatMap(({ text, words: [name, ...rest] }) => {
    const command = program.commands.find((each) => each.name() === name);
    if (command === undefined) return [];
    // What follows -- is another program's.
    const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
    return [{ text, command, options: own.filter((word) => word.startsWith('--')) }];
  });

  it('are some', () => {
    expect(ours.length).toBeGreaterThan(5);
  });

  it.each(ours)('$text: has options that there are', ({ command, options }) => {
    const known = ['--json', '--region', '--profile', ...command.options.flatMap(({ long }) => long ?? [])];
    expect(options.filter((option) => !known.includes(option))).toEqual([]);
  });
});

const SECTIONS = Array.from(
  read('rotation-command.md').matchAll(/^## (.+)\n((?:.|\n)*?)(?=^## |$(?!.|\n))/gm),
  ([, heading = '', text = '']) => ({ names: heading.split(', '), text }),
);

describe.each(
  program.commands.map((command) => command.name()).filter((name) => name !== '__complete'),
)('%s', (name) => {
  it('has a section of docs/rotation-command.md, with each of its options', () => {
    const section = SECTIONS.find(({ names }) => names.includes(name));
    expect(section).toBeDefined();
    const options = program.commands.find((each) => each.name() === name)?.options ?? [];
    const missing = options
      .flatMap(({ long }) => long ?? [])
      .filter((option) => !section?.text.includes(`\`${option}\``));
    expect(missing).toEqual([]);
  });
});
