import { Command } from 'commander';
import { expect, it } from 'vitest';
import { commandsOn } from '../../../cli/commands.ts';
import { mentionsCommand } from '../../../cli/invocation.ts';

/** They are asked for by name, and write none to be pasted. */
const BY_SHELLS = ['completion', '__complete'];

it('knows every subcommand in what is to be pasted', async () => {
  const program = new Command();
  for (const add of await commandsOn([])) add(program, () => () => Promise.resolve());
  const names = program.commands.map((command) => command.name()).filter((name) => !BY_SHELLS.includes(name));
  expect(names).toContain('resume');
  expect(names.filter((name) => !mentionsCommand(`When the reason is gone: rotation ${name} prod/shop`))).toEqual([]);
});

it.each([
  'The rotation of prod/shop is on already.',
  'A rotation was under way.',
  'rotation status',
])('takes no sentence for a command: %s', (text) => {
  expect(mentionsCommand(text)).toBe(false);
});
