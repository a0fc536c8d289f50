/** `rotation doctor --all`: what the doctor says of each secret, told in a line where there is nothing to do. */
import { bold, green, plural, red, yellow } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { type Examination, type ExamineOptions, examine } from '../doctor/examine.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError } from '../failures.ts';
import { everySecret } from '../fleet/look.ts';
import { type PlaceOptions, placesOf } from '../fleet/places.ts';
import { mapLimited } from '../map-limited.ts';
import type { SecretFilter } from '../secrets.ts';

/** Each examination asks some twenty questions, several of them of services that answer a few a second (IAM, EC2). */
const AT_ONCE = 3;

export interface ManyOptions extends ExamineOptions, PlaceOptions {
  readonly filters: readonly SecretFilter[];
}

export async function doctorMany(context: Context, options: ManyOptions): Promise<ExitCode> {
  const { output, signal } = context;
  output.busy('looking for secrets …');
  const { found, errors } = await everySecret(placesOf(context, options), options.filters);
  const failed: CommandError[] = [...errors];
  let done = 0;
  const examined = await mapLimited(found, AT_ONCE, async ({ id, place }): Promise<Examination | undefined> => {
    if (signal.aborted) return undefined;
    try {
      return await examine(place.context, id, options);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      failed.push(error);
      return undefined;
    } finally {
      output.busy(`examined ${++done}/${found.length} …`);
    }
  });
  output.busy(undefined);
  const all = examined.filter((each) => each !== undefined).toSorted((a, b) => rank(a) - rank(b) || byName(a, b));
  const broken = all.filter((each) => brokenIn(each).length > 0);
  output.line(`${plural(all.length, 'secret')}: ${broken.length === 0 ? 'nothing' : broken.length} broken.`);
  for (const examination of all) for (const line of linesOf(examination)) output.line(line);
  for (const { message } of failed) output.note(`${red('error')}: ${message}`);
  output.result({
    broken: broken.length,
    secrets: all.map(asJson),
    errors: failed.map(({ code, message }) => ({ code, message })),
  });
  if (broken.length > 0) return EXIT.unwell;
  return failed.length > 0 ? EXIT.error : EXIT.done;
}

const brokenIn = ({ findings }: Examination) => findings.filter(({ state }) => state === 'broken');

/** Who is locked out comes first, then what is broken. */
function rank(examination: Examination): number {
  if (examination.verdict.answer === 'yes') return 0;
  return brokenIn(examination).length > 0 ? 1 : 2;
}

const byName = (a: Examination, b: Examination) => a.secret.Name.localeCompare(b.secret.Name);

function linesOf(examination: Examination): string[] {
  const { secret, findings, verdict } = examination;
  const broken = brokenIn(examination);
  const unknowns = findings.filter(({ state }) => state === 'unknown').length;
  const unchecked = unknowns === 0 ? '' : `, ${unknowns} not checked`;
  if (broken.length === 0) return [`${green('ok')}      ${secret.Name}${unchecked}`];
  const locked = { yes: red('locked out'), no: 'not locked out', unknown: yellow('locked out?') }[verdict.answer];
  return [
    `${red('broken')}  ${bold(secret.Name)}: ${locked}${unchecked}`,
    ...broken.map(({ check, message }) => `          ${check}: ${message}`),
    `          rotation doctor ${secret.Name}`,
  ];
}

function asJson({ secret, findings, verdict, fix }: Examination): object {
  const broken = findings.filter(({ state }) => state === 'broken').length;
  return { secret: secret.Name, arn: secret.ARN, lockedOut: verdict, findings, fix: fix?.name ?? null, broken };
}
