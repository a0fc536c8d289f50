import type { Command } from 'commander';
import { bold, dim, green, plural } from '../lab/command/text.ts';
import type { Context } from './context.ts';
import { type Examination, examine } from './doctor/examine.ts';
import type { Finding } from './doctor/finding.ts';
import { applyFix } from './doctor/fixes.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { usage } from './failures.ts';
import { caFile as parseCaFile, type Runner } from './options.ts';
import { mark, type Output } from './output.ts';

const EXAMPLES = `
Examples:
  $ rotation doctor prod/shop
  $ rotation doctor prod/shop --fix
  $ rotation doctor prod/shop --no-login --json

--fix asks before it changes anything, and changes nothing but labels: it takes a left-behind AWSPENDING off where
nothing depends on it, or moves AWSCURRENT to AWSPENDING where the server accepts only that one's password.
A check that got no answer is "unknown", never "ok". Exits with 3 where something is broken.`;

interface DoctorOptions {
  readonly fix?: true;
  readonly yes?: true;
  readonly login: boolean;
  readonly caFile?: string;
}

export function addDoctor(program: Command, run: Runner): void {
  program
    .command('doctor')
    .summary('check everything that makes rotations fail')
    .description('Checks, in the order in which a rotation meets it, everything that makes rotations fail.')
    .argument('<secret>', 'name or ARN')
    .option('--fix', 'repair what is safe to repair, after asking')
    .option('--yes', 'with --fix: do not ask')
    .option('--no-login', 'do not log in to the database from here')
    .option('--ca-file <file>', 'CA certificates (PEM) to trust for logins besides those of Node.js', parseCaFile)
    .addHelpText('after', EXAMPLES)
    .action(run((context, secret: string, options: DoctorOptions) => doctor(context, secret, options)));
}

async function doctor(context: Context, id: string, options: DoctorOptions): Promise<ExitCode> {
  const { output } = context;
  if (options.yes && !options.fix) throw usage('--yes goes with --fix.');
  output.busy('examining …');
  const { login, caFile } = options;
  const examination = await examine(context, id, { login, caFile }, (finding) => show(output, finding));
  output.busy(undefined);
  const fixed = options.fix === true ? await repair(context, examination, options.yes === true) : false;

  const { findings, fix, secret } = examination;
  const left = findings.filter(({ state, check }) => state === 'broken' && !(fixed && fix?.mends.includes(check)));
  report(output, examination, left.length, fixed, options.fix === true);
  output.result({
    secret: secret.Name,
    arn: secret.ARN,
    findings,
    fix: fix === undefined ? null : { name: fix.name, done: fixed },
    broken: left.length,
  });
  return left.length > 0 ? EXIT.unwell : EXIT.done;
}

const CHECK_WIDTH = 22;

export function show(output: Output, { check, state, message, remedy }: Finding): void {
  // Colours have no width.
  const sign = mark(state) + ' '.repeat('warning'.length - state.length);
  output.line(`${sign}  ${check.padEnd(CHECK_WIDTH)}  ${message}`);
  if (remedy !== undefined) output.line(`${' '.repeat(CHECK_WIDTH + 11)}${dim('what to do:')} ${remedy}`);
}

async function repair(context: Context, { secret, fix }: Examination, consent: boolean): Promise<boolean> {
  if (fix === undefined) return false;
  if (!(await context.prompts.agree(fix.question, consent))) return false;
  await applyFix(context, secret.ARN, fix);
  return true;
}

function report(
  output: Output,
  { findings, fix, secret }: Examination,
  left: number,
  fixed: boolean,
  asked: boolean,
): void {
  const unknowns = findings.filter(({ state }) => state === 'unknown').length;
  output.line();
  if (fixed && fix !== undefined) {
    const what = fix.stage === 'AWSPENDING' ? 'AWSPENDING is off' : 'AWSCURRENT is on the version that works';
    output.line(`${green('Fixed')}: ${what}. Next: rotation now ${secret.Name}`);
  } else if (asked && fix === undefined && left > 0) {
    output.line('Nothing of this is safe to repair from here.');
  }
  const verdict = left === 0 ? 'Nothing is broken' : `${plural(left, 'thing')} broken`;
  const unchecked = unknowns === 0 ? '' : `, ${plural(unknowns, 'thing')} could not be checked`;
  output.line(`${bold(verdict)}${unchecked}.`);
}
