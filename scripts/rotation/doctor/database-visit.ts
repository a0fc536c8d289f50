/** All checks that need the database: a login with each labelled credential, and for alternating users the superuser's. */
import { type DatabaseSecret, isSameServer } from '../../../shared/secrets/database-secret.ts';
import type { Context } from '../context.ts';
import type { RotationFunction } from '../functions.ts';
import { tryLogin } from '../login.ts';
import type { Secret } from '../secrets.ts';
import { checkName, judgeConnection, judgeLogin, type Label, type LoginFacts } from './database-checks.ts';
import { type Finding, unknown } from './finding.ts';
import { isInVpc } from './function-visit.ts';
import { readLogin } from './reading.ts';
import { checkTwin } from './twin-checks.ts';

export interface DatabaseVisit {
  readonly secret: Secret;
  /** What AWSCURRENT holds. */
  readonly current: DatabaseSecret;
  readonly alternating: boolean;
  /** Undefined where Lambda does not tell. */
  readonly described: RotationFunction | undefined;
  readonly caFile: string | undefined;
}

/** @returns the logins that were tried, AWSCURRENT's first. */
export async function visitDatabase(
  context: Context,
  { secret, current, alternating, described, caFile }: DatabaseVisit,
  add: (...found: readonly Finding[]) => void,
): Promise<LoginFacts[]> {
  const variables = described?.configuration.Environment?.Variables ?? {};
  add(await checkName(current, described === undefined || isInVpc(described)));
  const first: LoginFacts = {
    label: 'AWSCURRENT',
    secret: current,
    proof: await tryLogin(current, 'current', caFile, variables),
  };
  add(...judgeConnection(first, variables.DB_CA_FILE !== undefined && caFile === undefined));
  add(judgeLogin(first, alternating));
  const logins = [first];
  for (const label of ['AWSPENDING', 'AWSPREVIOUS'] as const) {
    if (!hasOwnVersion(secret, label)) continue;
    const { secret: other } = await readLogin(context, secret, label);
    if (other === undefined) continue;
    if (!isSameServer(other, current)) {
      add(unknown(`login ${label}`, `it is for another server, ${other.host}:${other.port}, to which nothing is sent`));
      continue;
    }
    const proof = await tryLogin(other, label === 'AWSPENDING' ? 'pending' : 'previous', caFile, variables);
    logins.push({ label, secret: other, proof });
    add(judgeLogin({ label, secret: other, proof }, alternating));
  }
  if (alternating) {
    const currentWorks = first.proof.outcome === 'accepted';
    add(
      ...(await checkTwin(context, { current, secretArn: secret.ARN, environment: variables, caFile, currentWorks })),
    );
  }
  return logins;
}

/** A version without a value holds no login: the labels' finding tells of it. */
function hasOwnVersion({ stages }: Secret, label: Label): boolean {
  return Object.values(stages).some((labels) => labels.includes(label) && !labels.includes('AWSCURRENT'));
}
