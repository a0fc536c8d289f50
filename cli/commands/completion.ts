import { ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { Argument, type Command } from 'commander';
import { Aws } from '../clients.ts';
import { candidates, type PlaceOnLine } from '../completion/candidates.ts';
import { SCRIPTS, type Shell } from '../completion/scripts.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Runner } from '../options.ts';

const EXAMPLES = `
Examples:
  $ eval "$(rotation completion bash)"                  in ~/.bashrc
  $ eval "$(rotation completion zsh)"                   in ~/.zshrc, after compinit
  $ rotation completion fish > ~/.config/fish/completions/rotation.fish

Commands, options and the names of secrets (secretsmanager:ListSecrets) are completed.`;

export function addCompletion(program: Command, run: Runner): void {
  program
    .command('completion')
    .summary('completion for bash, zsh and fish')
    .description('Prints what a shell is to be told so that it completes commands, options and names of secrets.')
    .addArgument(new Argument('<shell>', 'of yours').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', EXAMPLES)
    .action(
      run(async ({ output }, shell: Shell) => {
        output.verbatim(SCRIPTS[shell]);
        output.result({ shell, script: SCRIPTS[shell] });
        return EXIT.done;
      }),
    );
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      await run((context, _: undefined, given: readonly string[]) => complete(program, context, given))(
        undefined,
        words,
      );
    });
}

/** More would not help anybody to choose. */
const SHOWN = 100;

async function complete(program: Command, context: Context, words: readonly string[]): Promise<ExitCode> {
  const names = async (prefix: string, place: PlaceOnLine): Promise<readonly string[]> => {
    try {
      const { secretsManager } = Object.keys(place).length === 0 ? context.aws : new Aws(place);
      const Filters = prefix === '' ? [] : [{ Key: 'name' as const, Values: [prefix] }];
      const command = new ListSecretsCommand({ Filters, MaxResults: SHOWN });
      const { SecretList = [] } = await secretsManager.send(command, { abortSignal: AbortSignal.timeout(3_000) });
      return SecretList.flatMap(({ Name }) => Name ?? []).toSorted();
    } catch {
      // Whoever presses Tab wants no error in the middle of the line.
      return [];
    }
  };
  for (const each of await candidates(program, words, names)) context.output.verbatim(`${each}\n`);
  return EXIT.done;
}
