/** The doctor's checks that come before a secret is attached: those that need no rotation to be configured. */
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import { visitDatabase } from './database-visit.ts';
import { type Finding, unknown } from './finding.ts';
import { type FunctionVisit, visitFunction } from './function-visit.ts';
import { labelsOf } from './reading.ts';
import { judgeLabels, judgeSecret } from './secret-checks.ts';
import { checkSuperuserSecret } from './twin-checks.ts';

export interface AttachmentFacts extends FunctionVisit {
  readonly login: DatabaseSecret;
  /** Whether to log in to the database from here. */
  readonly tryIt: boolean;
  readonly caFile: string | undefined;
}

/** @param value what reading the secret's value found. */
export async function checkAttachment(context: Context, facts: AttachmentFacts, value: Finding): Promise<Finding[]> {
  const { secret, login, strategy, tryIt, caFile } = facts;
  const findings = [judgeSecret(secret), value, judgeLabels(await labelsOf(context, secret), new Date())];
  const add = (...found: readonly Finding[]) => findings.push(...found);
  const described = await visitFunction(context, facts, add);
  if (tryIt) await visitDatabase(context, { secret, current: login, strategy, described, caFile, others: [] }, add);
  else {
    if (strategy === 'alternating-users') add((await checkSuperuserSecret(context, login, secret.ARN)).finding);
    add(unknown('login', 'it was not asked for (--no-login)'));
  }
  return findings;
}
