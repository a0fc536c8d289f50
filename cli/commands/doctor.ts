import type { Command } from 'commander';
import { bold, dim, green, plural, red, yellow } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { type Examination, examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { applyFix } from '../doctor/fixes.ts';
import { nextStep, type Verdict } from '../doctor/verdict.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { usage } from '../failures.ts';
import { names, type PlaceOptions } from '../fleet/places.ts';
import { caFileOption, filterOption, type Runner } from '../options.ts';
import { mark, type Output } from '../output.ts';
import { parseFilter, placeOfArn } from '../secrets.ts';
import { doctorMany } from './doctor-many.ts';

const EXAMPLES = `
Examples:
  $ rotation doctor prod/shop
  $ rotation doctor prod/shop --fix
  $ rotation doctor prod/shop --no-login --json
  $ rotation doctor --all --filter tag:team=payments

--fix asks before it changes anything, and changes nothing but labels: it takes a left-behind AWSPENDING off where
nothing depends on it, or moves AWSCURRENT to AWSPENDING or AWSPREVIOUS where the server accepts only that password.
A check that got no answer is "unknown", never "ok". Exits with 3 where something is broken.`;

interface DoctorOptions extends PlaceOptions {
  readonly all?: true;
  readonly filter?: readonly string[];
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
    .argument('[secret]', 'name or ARN')
    .option('--all', 'every secret that has a rotation function')
    .addOption(filterOption('with --all: '))
    .option('--regions <regions>', 'with --all: several, with commas', names)
    .option('--profiles <profiles>', 'with --all: several, with commas', names)
    .option('--fix', 'repair what is safe to repair, after asking')
    .option('--yes', 'with --fix: do not ask')
    .option('--no-login', 'do not log in to the database from here')
    .addOption(caFileOption('logins'))
    .addHelpText('after', EXAMPLES)
    .action(run((context, secret: string | undefined, options: DoctorOptions) => doctor(context, secret, options)));
}

async function doctor(context: Context, id: string | undefined, options: DoctorOptions): Promise<ExitCode> {
  const { output } = context;
  if (options.yes && !options.fix) throw usage('--yes goes with --fix.');
  if (options.all || id === undefined) return await all(context, id, options);
  output.busy('examining …');
  const { login, caFile } = options;
  const examination = await examine(context, id, { login, caFile });
  output.busy(undefined);
  const { findings, fix, secret, waitsUntil, verdict } = examination;
  output.line(`${bold('Are applications locked out now?')} ${answerOf(verdict)}`);
  output.line();
  for (const finding of findings) show(output, finding);
  const fixed = options.fix === true ? await repair(context, examination, options.yes === true) : false;

  const broken = findings.filter(({ state, check }) => state === 'broken' && !(fixed && fix?.mends.includes(check)));
  const next = nextStep({ name: secret.Name, broken, fix, fixed, waitsUntil, verdict });
  report(output, examination, { left: broken.length, fixed, asked: options.fix === true, next });
  output.result({
    secret: secret.Name,
    arn: secret.ARN,
    lockedOut: verdict,
    findings,
    fix: fix === undefined ? null : { name: fix.name, done: fixed },
    broken: broken.length,
    next: next ?? null,
  });
  return broken.length > 0 ? EXIT.unwell : EXIT.done;
}

async function all(context: Context, id: string | undefined, options: DoctorOptions): Promise<ExitCode> {
  const { filter = [], login, caFile, regions, profiles } = options;
  if (!options.all) throw usage('One secret or --all was needed, found neither.');
  if (id !== undefined) throw usage('One secret or --all was needed, found both.');
  if (options.fix) throw usage('--fix goes with one secret.');
  const places = { ...(regions && { regions }), ...(profiles && { profiles }) };
  return await doctorMany(context, { login, caFile, ...places, filters: filter.map(parseFilter) });
}

function answerOf({ answer, message }: Verdict): string {
  switch (answer) {
    case 'no':
      return `${green('No')}: ${message}.`;
    case 'yes':
      return `${red('Yes')}: ${message}.`;
    case 'unknown':
      return `${yellow('Not known')}: ${message}.`;
    default: {
      const never: never = answer;
      return never;
    }
  }
}

const CHECK_WIDTH = 22;
/** Where a terminal is narrower, what was found stands below its name, or there would be a few words a line. */
const BESIDE_FROM = 76;

export function show(output: Output, { check, state, message, remedy }: Finding): void {
  // Colours have no width.
  const sign = mark(state) + ' '.repeat('warning'.length - state.length);
  const isNarrow = output.columns < BESIDE_FROM;
  const indent = 'warning'.length + 2 + (isNarrow ? 0 : CHECK_WIDTH + 2);
  const blank = ' '.repeat(indent);
  if (isNarrow) {
    output.line(`${sign}  ${bold(check)}`);
    output.line(blank + message, indent);
  } else {
    output.line(`${sign}  ${check.padEnd(CHECK_WIDTH)}  ${message}`, indent);
  }
  if (remedy !== undefined) output.line(`${blank}${dim('what to do:')} ${remedy}`, indent);
}

async function repair(context: Context, { secret, fix }: Examination, consent: boolean): Promise<boolean> {
  if (fix === undefined) return false;
  context.output.line();
  context.output.line(`${secret.Name} in ${placeOfArn(secret.ARN)}:`);
  if (!(await context.prompts.agree(fix.question, consent))) return false;
  await applyFix(context, secret.ARN, fix);
  return true;
}

interface Outcome {
  readonly left: number;
  readonly fixed: boolean;
  readonly asked: boolean;
  readonly next: string | undefined;
}

function report(
  output: Output,
  { findings, fix, waitsUntil }: Examination,
  { left, fixed, asked, next }: Outcome,
): void {
  const unknowns = findings.filter(({ state }) => state === 'unknown').length;
  output.line();
  if (fixed && fix !== undefined) {
    const what = fix.stage === 'AWSPENDING' ? 'AWSPENDING is off' : 'AWSCURRENT is on the version that works';
    output.line(`${green('Fixed')}: ${what}.`);
  } else if (asked && fix === undefined && left > 0) {
    output.line(`Nothing of this is safe to repair from here${waitsUntil === undefined ? '' : ' yet'}.`);
  }
  const verdict = left === 0 ? 'Nothing is broken' : `${plural(left, 'thing')} broken`;
  const unchecked = unknowns === 0 ? '' : `, ${plural(unknowns, 'thing')} could not be checked`;
  output.line(`${bold(verdict)}${unchecked}.`);
  if (next !== undefined) output.line(`Next: ${next}`);
}
