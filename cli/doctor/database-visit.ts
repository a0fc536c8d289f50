/** All checks that need the database: a login with each labelled credential, and for alternating users the superuser's. */
import type { Environment } from '../../shared/lambda/config.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { type DatabaseSecret, isSameServer } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import type { RotationFunction } from '../functions.ts';
import { tryLogin } from '../login.ts';
import type { DescribedSecret } from '../secrets.ts';
import { checkName, judgeConnection, judgeLogins, type Label, type LoginFacts } from './database-checks.ts';
import { type Finding, unknown } from './finding.ts';
import { isInVpc } from './function-visit.ts';
import { readLogin } from './reading.ts';
import { checkTwin } from './twin-checks.ts';

export interface DatabaseVisit {
  readonly secret: DescribedSecret;
  /** What AWSCURRENT holds. */
  readonly current: DatabaseSecret;
  readonly strategy: StrategyName;
  /** Undefined where Lambda does not tell. */
  readonly described: RotationFunction | undefined;
  readonly caFile: string | undefined;
  /** Besides AWSCURRENT. */
  readonly others: readonly Exclude<Label, 'AWSCURRENT'>[];
}

const CREDENTIALS = { AWSCURRENT: 'current', AWSPENDING: 'pending', AWSPREVIOUS: 'previous' } as const;

/** @returns the logins that were tried, AWSCURRENT's first. */
export async function visitDatabase(
  context: Context,
  { secret, current, strategy, described, caFile, others }: DatabaseVisit,
  add: (...found: readonly Finding[]) => void,
): Promise<LoginFacts[]> {
  const environment = described?.configuration.Environment?.Variables ?? {};
  const alternating = strategy === 'alternating-users';
  const knock = async (label: Label, login: DatabaseSecret): Promise<LoginFacts> => {
    const examined = alternating || label === 'AWSCURRENT' ? { strategy } : {};
    const proof = await tryLogin(login, { source: CREDENTIALS[label], caFile, environment, ...examined });
    return { label, secret: login, proof };
  };

  add(await checkName(current, described === undefined || isInVpc(described)));
  const fallenBack = await hasFallenBack(current, caFile, environment);
  const first = await knock('AWSCURRENT', current);
  add(
    ...judgeConnection(first, { otherFile: environment.DB_CA_FILE !== undefined && caFile === undefined, fallenBack }),
  );
  const logins = [first];
  const elsewhere: Finding[] = [];
  for (const label of others) {
    if (!hasOwnVersion(secret, label)) continue;
    const { secret: other } = await readLogin(context, secret, label);
    if (other === undefined) continue;
    if (isSameServer(other, current)) logins.push(await knock(label, other));
    else {
      const what = `it is for another server, ${other.host}:${other.port}, to which nothing is sent`;
      elsewhere.push(unknown(`login ${label}`, what));
    }
  }
  add(...judgeLogins(logins, { name: secret.Name, alternating }), ...elsewhere);
  if (alternating) {
    const currentWorks = first.proof.outcome === 'accepted' && first.proof.unfit === undefined;
    const roleArn = described?.configuration.Role;
    add(...(await checkTwin(context, { current, secretArn: secret.ARN, environment, caFile, roleArn, currentWorks })));
  }
  return logins;
}

/** Whether the function would log in without TLS, though the secret does not ask for it. No password is sent for this. */
async function hasFallenBack(
  current: DatabaseSecret,
  caFile: string | undefined,
  environment: Environment,
): Promise<boolean> {
  if (environment.TLS_FALLBACK !== 'allow' || current.ssl !== undefined) return false;
  const strict = { ...environment, TLS_FALLBACK: 'deny' };
  const proof = await tryLogin(current, { source: 'current', caFile, environment: strict });
  return proof.outcome === 'failed' && proof.error.code === 'TLS_NOT_SUPPORTED';
}

/** A version without a value holds no login: the labels' finding tells of it. */
function hasOwnVersion({ stages }: DescribedSecret, label: Label): boolean {
  return Object.values(stages).some((labels) => labels.includes(label) && !labels.includes('AWSCURRENT'));
}
