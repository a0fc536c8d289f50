/** All checks of one secret, in the order in which a rotation would meet what they look at. */
import { areTwinsByName, type DatabaseSecret, isSameServer } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import { strategyOf } from '../functions.ts';
import { type DescribedSecret, describeSecret, primaryOf } from '../secrets.ts';
import { ask, callerOf } from './aws-facts.ts';
import { judgeCopies } from './copy-checks.ts';
import type { Label, LoginFacts } from './database-checks.ts';
import { visitDatabase } from './database-visit.ts';
import { type Finding, ok, unknown, warning } from './finding.ts';
import { type Fix, planRepair } from './fixes.ts';
import { visitFunction } from './function-visit.ts';
import { labelsOf, readLogin } from './reading.ts';
import { judgeAttachment, judgeLabels, judgeSchedule, judgeSecret, type LabelFacts } from './secret-checks.ts';
import { judgeLockout, type Verdict } from './verdict.ts';

export interface ExamineOptions {
  readonly login: boolean;
  readonly caFile: string | undefined;
}

export interface Examination {
  readonly secret: DescribedSecret;
  readonly findings: readonly Finding[];
  readonly fix: Fix | undefined;
  /** From when on something may be repaired. */
  readonly waitsUntil: Date | undefined;
  /** Whether applications are locked out now. */
  readonly verdict: Verdict;
}

export async function examine(context: Context, id: string, { login, caFile }: ExamineOptions): Promise<Examination> {
  const findings: Finding[] = [];
  const add = (...found: readonly Finding[]) => {
    findings.push(...found);
  };
  const caller = await ask(callerOf(context));
  const secret = await describeSecret(context, id);
  add('value' in caller ? judgeCaller(caller.value, secret) : unknown('caller', caller.error.message));
  add(judgeSecret(secret));
  if (secret.DeletedDate !== undefined) {
    const verdict = { answer: 'yes', message: 'the secret is marked for deletion, so nobody can read it' } as const;
    return { secret, findings, fix: undefined, waitsUntil: undefined, verdict };
  }

  if (primaryOf(secret) !== undefined) {
    // Everything else is of the primary.
    const verdict = { answer: 'unknown', message: 'the logins are looked at where the primary is' } as const;
    return { secret, findings, fix: undefined, waitsUntil: undefined, verdict };
  }

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
  if (described === undefined && current !== undefined) add(...judgeCopies(current, undefined));

  let logins: LoginFacts[] = [];
  if (!login) add(unknown('login', 'it was not asked for (--no-login)'));
  else if (current !== undefined) {
    const others = ['AWSPENDING', 'AWSPREVIOUS'] as const;
    logins = await visitDatabase(context, { secret, current, strategy, described, caFile, others }, add);
  }
  add(judgeSchedule(secret, now));
  const why = login ? `AWSCURRENT can't be used: ${finding.message}` : 'no login was tried (--no-login)';
  const { fix, waitsUntil } = repairFor(labels, logins, now);
  return { secret, findings, fix, waitsUntil, verdict: judgeLockout(logins, why) };
}

function judgeCaller(caller: { readonly arn: string; readonly account: string }, { ARN }: DescribedSecret): Finding {
  const account = ARN.split(':')[4];
  if (caller.account === account) return ok('caller', `${caller.arn} asks`);
  const message = `${caller.arn} asks, from another account than the secret's (${account})`;
  return warning('caller', message, 'Where a check is denied, ask with a role of that account (--profile).');
}

function repairFor(labels: LabelFacts, logins: readonly LoginFacts[], now: Date) {
  const find = (label: Label) => logins.find((login) => login.label === label);
  const current = find('AWSCURRENT');
  const ofSameUse = (other: LoginFacts | undefined) =>
    current !== undefined && other !== undefined && isSameUse(current.secret, other.secret) ? other.proof : undefined;
  const [pending, previous] = [ofSameUse(find('AWSPENDING')), ofSameUse(find('AWSPREVIOUS'))];
  return planRepair({ labels, current: current?.proof, pending, previous }, now);
}

/** Whether an application could take the one for the other: the same user, or its twin, on the same server. */
function isSameUse(a: DatabaseSecret, b: DatabaseSecret): boolean {
  const areTwins = a.superuserSecretArn !== undefined && areTwinsByName(a, b);
  return isSameServer(a, b) && (a.username === b.username || areTwins);
}
