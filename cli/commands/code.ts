import { type Command, Option } from 'commander';
import { type Language, SAMPLES } from '../code/samples.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Runner } from '../options.ts';
import { describeSecret } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation code prod/shop --lang node > login.mjs
  $ rotation code prod/shop --lang python

No value is read. docs/applications.md tells who sees a rotation when.`;

export function addCode(program: Command, run: Runner): void {
  program
    .command('code')
    .summary('code that logs in by a secret')
    .description('Prints code that logs in by a secret.')
    .argument('<secret>', 'name or ARN')
    .addOption(new Option('--lang <language>', 'of the code').choices(Object.keys(SAMPLES)).default('node'))
    .addHelpText('after', EXAMPLES)
    .action(run((context, id: string, options: { lang: Language }) => code(context, id, options.lang)));
}

async function code(context: Context, id: string, lang: Language): Promise<ExitCode> {
  context.output.busy('looking …');
  const { Name, ARN } = await describeSecret(context, id);
  context.output.busy(undefined);
  const text = SAMPLES[lang]({ name: Name, region: ARN.split(':')[3] ?? '' });
  context.output.verbatim(text);
  context.output.result({ secret: Name, arn: ARN, lang, code: text });
  return EXIT.done;
}
