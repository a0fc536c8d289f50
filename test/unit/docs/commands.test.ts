/** What the documents tell an operator to type is what the command takes. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addAttach } from '../../../cli/commands/attach.ts';
import { addCreate } from '../../../cli/commands/create.ts';
import { addDoctor } from '../../../cli/commands/doctor.ts';
import { addNow } from '../../../cli/commands/now.ts';
import { addRollback } from '../../../cli/commands/rollback.ts';
import { addStatus } from '../../../cli/commands/status.ts';

const program = new Command('rotation');
for (const add of [addAttach, addCreate, addDoctor, addNow, addRollback, addStatus]) add(program, () => async () => {});

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
    return command === undefined ? [] : [{ text, command, options: rest.filter((word) => word.startsWith('--')) }];
  });

  it('are some', () => {
    expect(ours.length).toBeGreaterThan(5);
  });

  it.each(ours)('$text: has options that there are', ({ command, options }) => {
    const known = ['--json', '--region', '--profile', ...command.options.flatMap(({ long }) => long ?? [])];
    expect(options.filter((option) => !known.includes(option))).toEqual([]);
  });
});

describe.each([
  ['attach', addAttach],
  ['now', addNow],
  ['rollback', addRollback],
  ['create', addCreate],
  ['doctor', addDoctor],
  ['status', addStatus],
])('%s', (name) => {
  it('has each of its options in docs/rotation-command.md', () => {
    const [, section = ''] =
      new RegExp(`^## ${name}\n((?:.|\n)*?)(?=^## |$(?!.|\n))`, 'm').exec(read('rotation-command.md')) ?? [];
    const options = program.commands.find((each) => each.name() === name)?.options ?? [];
    expect(options.length).toBeGreaterThan(1);
    expect(options.flatMap(({ long }) => long ?? []).filter((option) => !section.includes(`\`${option}\``))).toEqual(
      [],
    );
  });
});
