/** The doctor's checks that come before a secret is attached: those that need no rotation to be configured. */
import type { DatabaseSecret } from '../../../shared/secrets/database-secret.ts';
import type { Context } from '../context.ts';
import type { Finding } from './finding.ts';
import { type FunctionVisit, visitFunction } from './function-visit.ts';
import { labelsOf } from './reading.ts';
import { judgeLabels, judgeSecret } from './secret-checks.ts';
import { checkSuperuserSecret } from './twin-checks.ts';

export interface AttachmentFacts extends FunctionVisit {
  readonly login: DatabaseSecret;
}

/** @param value what reading the secret's value found. */
export async function checkAttachment(context: Context, facts: AttachmentFacts, value: Finding): Promise<Finding[]> {
  const { secret, login, strategy } = facts;
  const findings = [judgeSecret(secret), value, judgeLabels(await labelsOf(context, secret), new Date())];
  if (strategy === 'alternating-users') findings.push((await checkSuperuserSecret(context, login)).finding);
  await visitFunction(context, facts, (...found) => findings.push(...found));
  return findings;
}
