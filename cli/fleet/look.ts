/** Looks at secrets, one or hundreds, in one place or several. */
import type { Context } from '../context.ts';
import { readLogin } from '../doctor/reading.ts';
import { asCommandError, CommandError } from '../failures.ts';
import { tryLogin } from '../login.ts';
import { mapLimited } from '../map-limited.ts';
import { conditionOf } from '../secret-status.ts';
import { describeSecret, rotatedSecrets, type SecretFilter } from '../secrets.ts';
import { gatherStatus } from '../status-facts.ts';
import type { Place } from './places.ts';
import type { LoginLook, Row } from './row.ts';

/** Secrets looked at in parallel. */
const AT_ONCE = 5;

export interface LookOptions {
  /** Whether AWSCURRENT may be read, which tells the user and counts as an access of the secret. */
  readonly values: boolean;
  /** Whether to log in with AWSCURRENT, for which it is read. */
  readonly login: boolean;
  readonly caFile: string | undefined;
}

export interface Looks {
  readonly rows: readonly Row[];
  /** Of secrets, or of whole places, that could not be looked at. */
  readonly errors: readonly CommandError[];
}

export interface SecretInPlace {
  readonly id: string;
  readonly place: Place;
}

/**
 * Every secret that has a rotation function, of all places; one that two profiles show is one secret.
 *
 * @throws CommandError where there is only one place, and nothing there.
 */
export async function everySecret(
  places: readonly Place[],
  filters: readonly SecretFilter[],
): Promise<{ readonly found: readonly SecretInPlace[]; readonly errors: readonly CommandError[] }> {
  // One after the other where each may ask for an MFA code.
  const atOnce = places.some(({ context }) => context.prompts.interactive) ? 1 : AT_ONCE;
  const perPlace = await mapLimited(places, atOnce, async (place) => {
    try {
      return (await rotatedSecrets(place.context, filters)).map(({ arn }) => ({ id: arn, place }));
    } catch (error) {
      if (!(error instanceof CommandError) || places.length === 1) throw error;
      const { code, exitCode, remedy } = error;
      return new CommandError(code, `${place.label}: ${error.message}`, { exitCode, remedy });
    }
  });
  const byArn = new Map<string, SecretInPlace>();
  for (const each of perPlace.flatMap((found) => (found instanceof CommandError ? [] : found))) {
    if (!byArn.has(each.id)) byArn.set(each.id, each);
  }
  return { found: [...byArn.values()], errors: perPlace.filter((each) => each instanceof CommandError) };
}

/** @param looked told how many have been looked at. */
export async function lookAt(
  secrets: readonly SecretInPlace[],
  options: LookOptions,
  now: Date,
  looked: (done: number) => void,
): Promise<Looks> {
  let done = 0;
  const looks = await mapLimited(secrets, AT_ONCE, async ({ id, place }): Promise<Row | CommandError> => {
    try {
      const facts = await gatherStatus(place.context, id, options);
      const login = options.login ? await lookByLogin(place.context, facts.arn, options.caFile) : undefined;
      return { facts, condition: conditionOf(facts, now), login, place: place.label };
    } catch (error) {
      // One secret that can't be looked at is no reason to hide the others.
      if (!(error instanceof CommandError) || secrets.length === 1) throw error;
      return error;
    } finally {
      looked(++done);
    }
  });
  return {
    rows: looks.flatMap((look) => (look instanceof CommandError ? [] : [look])),
    errors: looks.filter((look) => look instanceof CommandError),
  };
}

async function lookByLogin(context: Context, arn: string, caFile: string | undefined): Promise<LoginLook> {
  const { secret, finding } = await readLogin(context, await describeSecret(context, arn), 'AWSCURRENT');
  if (secret === undefined) return { outcome: 'unknown', why: finding.message };
  const proof = await tryLogin(secret, { source: 'current', caFile });
  switch (proof.outcome) {
    case 'accepted':
      return { outcome: 'accepted', why: undefined };
    case 'refused':
      return { outcome: 'refused', why: "the server refuses AWSCURRENT's password: applications are locked out" };
    case 'failed':
      return { outcome: 'unknown', why: asCommandError(proof.error).message };
    default: {
      const never: never = proof;
      return never;
    }
  }
}
