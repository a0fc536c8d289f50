/** What several checks start from: the labels, and the login that a labelled version holds. */
import { RotationError } from '../../shared/errors.ts';
import { type DatabaseSecret, parseDatabaseSecret } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import { type DescribedSecret, readVersion } from '../secrets.ts';
import { findPending, lastFailure } from '../status-facts.ts';
import { ask } from './aws-facts.ts';
import type { Label } from './database-checks.ts';
import { broken, type Finding, ok, unknown, warning } from './finding.ts';
import type { LabelFacts } from './secret-checks.ts';

export async function labelsOf(context: Context, secret: DescribedSecret): Promise<LabelFacts> {
  const pending = await findPending(context, secret);
  const failure = pending && (await lastFailure(context, secret, pending));
  return {
    name: secret.Name,
    stages: secret.stages,
    enabled: secret.RotationEnabled === true,
    pending,
    failure,
    nextRotation: secret.NextRotationDate,
  };
}

export interface ReadLogin {
  /** Undefined where there is none, or none that can be read: the finding tells which. */
  readonly secret: DatabaseSecret | undefined;
  readonly finding: Finding;
}

export async function readLogin(context: Context, { ARN }: DescribedSecret, label: Label): Promise<ReadLogin> {
  const version = await ask(readVersion(context, ARN, { VersionStage: label }));
  if ('error' in version) return { secret: undefined, finding: unknown('value', version.error.message) };
  if (version.value === undefined) {
    const remedy = 'Store the login that the database has: aws secretsmanager put-secret-value';
    return { secret: undefined, finding: broken('value', `${label} has no value`, remedy) };
  }
  try {
    const secret = parseDatabaseSecret(version.value.text);
    const { username, engine, host, port, misspelt } = secret;
    const what = `it is the login ${username} for ${engine} at ${host}:${port}`;
    if (misspelt.length === 0) return { secret, finding: ok('value', what) };
    const keys = misspelt.map((key) => `"${key}"`).join(', ');
    const remedy = 'Write keys in lower case: aws secretsmanager put-secret-value';
    return { secret, finding: warning('value', `${what}, but ${keys} has no effect, for its case`, remedy) };
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    return { secret: undefined, finding: broken('value', error.message, error.with({ secretArn: ARN }).remedy) };
  }
}
