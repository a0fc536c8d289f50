/** What may stand where the cursor is: pure but for the names of secrets, which are asked for when they are wanted. */
import type { Command } from 'commander';

/** Where to look for names, of options that stand on the line already. */
export interface PlaceOnLine {
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
}

/**
 * @param words of the line behind `rotation`, the last of them unfinished, or empty.
 * @param secrets names that begin with a text.
 */
export async function candidates(
  program: Command,
  words: readonly string[],
  secrets: (prefix: string, place: PlaceOnLine) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  // Behind -- stands another program's line.
  if (before.includes('--')) return [];
  const command = program.commands.find((each) => before.includes(each.name()));
  const options = [...program.options, ...(command?.options ?? [])].filter(({ hidden }) => !hidden);
  const option = options.find(({ long }) => long === before.at(-1));
  const begins = (each: string) => each.startsWith(current);
  if (option !== undefined && (option.required || option.optional)) return (option.argChoices ?? []).filter(begins);
  if (current.startsWith('-')) return options.flatMap(({ long }) => long ?? []).filter(begins);
  if (command === undefined) {
    const names = program.commands.map((each) => each.name()).filter((name) => !name.startsWith('__'));
    return [...names, 'help'].filter(begins);
  }
  const [argument] = command.registeredArguments;
  if (argument === undefined) return [];
  if (argument.argChoices !== undefined) return argument.argChoices.filter(begins);
  return /^secrets?$/.test(argument.name()) ? (await secrets(current, placeOf(before))).filter(begins) : [];
}

function placeOf(words: readonly string[]): PlaceOnLine {
  const value = (option: string) => {
    const index = words.indexOf(option);
    return index < 0 ? undefined : words[index + 1];
  };
  const [region, profile, endpointUrl] = ['--region', '--profile', '--endpoint-url'].map(value);
  return { ...(region && { region }), ...(profile && { profile }), ...(endpointUrl && { endpointUrl }) };
}
