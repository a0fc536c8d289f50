/** Whether a rotation leaves a copy of the former password in the secret, or is refused for what a copy says: pure. */
import { RotationError } from '../../shared/errors.ts';
import { readConfig } from '../../shared/lambda/config.ts';
import { copiesIn, rewrittenCopies } from '../../shared/secret/copies.ts';
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

/** @param variables the function's environment; undefined where there is no function, or it gave no answer. */
export function judgeCopies(
  secret: DatabaseSecret,
  variables: Readonly<Record<string, string>> | undefined,
): Finding[] {
  if (variables === undefined) {
    const keys = copiesIn(secret);
    if (keys.length === 0) return [];
    const message = `${quoted(keys)} of the secret: it holds the password too, and a function rewrites only what it was told to`;
    return [
      warning('copies', message, `Attach a function whose environment has CONNECTION_STRING_KEYS=${keys.join(',')}.`),
    ];
  }
  const listed = listedIn(variables);
  try {
    rewrittenCopies(secret, secret.username, secret.password, listed);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    return [broken('copies', error.message, error.remedy)];
  }
  const left = copiesIn(secret, listed);
  if (left.length > 0) {
    const message = `${quoted(left)} of the secret: it holds the password too, and a rotation leaves the former one there`;
    const remedy = `Set CONNECTION_STRING_KEYS=${[...listed, ...left].join(',')} in the function's environment.`;
    return [warning('copies', message, remedy)];
  }
  const kept = copiesIn(secret);
  return kept.length === 0 ? [] : [ok('copies', `${quoted(kept)}: rewritten with each rotation`)];
}

/** An environment that can't be read is another check's matter. */
function listedIn(variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    return readConfig(variables).connectionStringKeys;
  } catch (error) {
    if (error instanceof RotationError) return [];
    throw error;
  }
}

function quoted(keys: readonly string[]): string {
  return keys.map((key) => `"${key}"`).join(', ');
}
