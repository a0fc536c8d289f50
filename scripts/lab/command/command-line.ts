/** Commander, as the commands that npm runs use it: help goes to stdout; misuse is a sentence, and exit code 2. */
import { type Command, CommanderError } from 'commander';

/** A command line that can't be understood. */
export class UsageError extends Error {}

/** Help was asked for: `text`. */
export class HelpWanted extends Error {
  readonly text: string;

  constructor(text: string) {
    super('Help was asked for.');
    this.text = text;
  }
}

/**
 * Reads the arguments into `program`, which then has them as its options and arguments.
 * @throws UsageError, HelpWanted
 */
export function readArguments(program: Command, args: readonly string[]): Command {
  let help = '';
  program.exitOverride().configureOutput({
    writeOut: (text) => {
      help += text;
    },
    writeErr: () => undefined,
  });
  try {
    return program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw error.exitCode === 0 ? new HelpWanted(help) : new UsageError(sentence(error));
  }
}

/** Says what `readArguments` threw. @param command such as "npm run lab". @returns the exit code. */
export function tell(error: unknown, command: string): number {
  if (error instanceof HelpWanted) {
    process.stdout.write(error.text);
    return 0;
  }
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\`${command} -- --help\` lists the options.\n`);
  return 2;
}

/** What `read` makes of a command line; the process ends where that can't be understood, or help was all that was asked for. */
export function understood<T>(command: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    process.exit(tell(error, command));
  }
}

/** Commander's own, without values: one may hold a password. */
function sentence({ code, message }: CommanderError): string {
  const [, expected, found] = /Expected (\d+) arguments? but got (\d+)/.exec(message) ?? [];
  if (code === 'commander.excessArguments') return `No more than ${expected} arguments were needed, found ${found}.`;
  const [first = '', suggestion = ''] = message.replace(/^error: /, '').split('\n');
  const named = first.replace(/'(--?[^'=]+)=[^']*'/, "'$1'");
  const words = named.charAt(0).toUpperCase() + named.slice(1);
  return [words.replace(/\.?$/, '.'), suggestion.replace(/^\((.*)\)$/, '$1')].join(' ').trim();
}
