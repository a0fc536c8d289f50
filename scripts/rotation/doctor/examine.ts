/** All checks of one secret, in the order in which a rotation would meet what they look at. */
import { isSameServer } from '../../../shared/secrets/database-secret.ts';
import type { Context } from '../context.ts';
import { strategyOf } from '../functions.ts';
import { describeSecret, type Secret } from '../secrets.ts';
import { ask, callerOf } from './aws-facts.ts';
import type { Label, LoginFacts } from './database-checks.ts';
import { visitDatabase } from './database-visit.ts';
import { type Finding, ok, unknown, warning } from './finding.ts';
import { type Fix, planFix } from './fixes.ts';
import { visitFunction } from './function-visit.ts';
import { labelsOf, readLogin } from './reading.ts';
import { judgeAttachment, judgeLabels, judgeSchedule, judgeSecret, type LabelFacts } from './secret-checks.ts';

export interface ExamineOptions {
  readonly login: boolean;
  readonly caFile: string | undefined;
}

export interface Examination {
  readonly secret: Secret;
  readonly findings: readonly Finding[];
  readonly fix: Fix | undefined;
}

/** @param tell is given each finding as soon as it is there. */
export async function examine(
  context: Context,
  id: string,
  { login, caFile }: ExamineOptions,
  tell: (finding: Finding) => void,
): Promise<Examination> {
  const findings: Finding[] = [];
  const add = (...found: readonly Finding[]) => {
    findings.push(...found);
    for (const finding of found) tell(finding);
  };
  const caller = await ask(callerOf(context));
  const secret = await describeSecret(context, id);
  add('value' in caller ? judgeCaller(caller.value, secret) : unknown('caller', caller.error.message));
  add(judgeSecret(secret));
  if (secret.DeletedDate !== undefined) return { secret, findings, fix: undefined };

  const { secret: current, finding } = await readLogin(context, secret, 'AWSCURRENT');
  const labels = await labelsOf(context, secret);
  const now = new Date();
  add(finding, judgeLabels(labels, now), judgeAttachment(secret));

  const functionArn = secret.RotationLambdaARN;
  const needed = current?.superuserSecretArn === undefined ? 'single-user' : 'alternating-users';
  const strategy = strategyOf(functionArn) ?? needed;
  const visit = { secret, login: current, strategy };
  const described =
    functionArn === undefined ? undefined : await visitFunction(context, { ...visit, functionArn }, add);

  let logins: LoginFacts[] = [];
  if (!login) add(unknown('login', 'it was not asked for (--no-login)'));
  else if (current !== undefined) {
    const alternating = strategy === 'alternating-users';
    logins = await visitDatabase(context, { secret, current, alternating, described, caFile }, add);
  }
  add(judgeSchedule(secret, now));
  return { secret, findings, fix: fixFor(labels, logins, now) };
}

function judgeCaller(caller: { readonly arn: string; readonly account: string }, { ARN }: Secret): Finding {
  const account = ARN.split(':')[4];
  if (caller.account === account) return ok('caller', `${caller.arn} asks`);
  const message = `${caller.arn} asks, from another account than the secret's (${account})`;
  return warning('caller', message, 'Where a check is denied, ask with a role of that account (--profile).');
}

function fixFor(labels: LabelFacts, logins: readonly LoginFacts[], now: Date): Fix | undefined {
  const find = (label: Label) => logins.find((login) => login.label === label);
  const [current, pending] = [find('AWSCURRENT'), find('AWSPENDING')];
  const sameLogin =
    current !== undefined &&
    pending?.secret.username === current.secret.username &&
    isSameServer(pending.secret, current.secret);
  return planFix({ labels, current: current?.proof, pending: pending?.proof, sameLogin }, now);
}
