/** PostgreSQL logins in Secrets Manager that nothing rotates. */
import type { SecretListEntry } from '@aws-sdk/client-secrets-manager';
import { ENGINES } from '../../shared/secret/database-secret.ts';
import { asCommandError } from '../failures.ts';
import { mapLimited } from '../map-limited.ts';
import { readVersion } from '../secrets.ts';
import type { Place } from './places.ts';

const AT_ONCE = 5;

/** What ListSecrets tells of a secret's rotation, before any value is read; pure. */
export type Rotated = 'by-a-function' | 'by-its-service' | 'in-its-primary-region' | 'cancelled' | 'never-configured';

export function rotatedBy(entry: SecretListEntry): Rotated {
  const { ARN = '', PrimaryRegion, OwningService, RotationEnabled, RotationLambdaARN } = entry;
  if (PrimaryRegion !== undefined && PrimaryRegion !== ARN.split(':')[3]) return 'in-its-primary-region';
  if (RotationEnabled === true) return RotationLambdaARN === undefined ? 'by-its-service' : 'by-a-function';
  // A service that owns a secret rotates it as it sees fit.
  if (OwningService !== undefined) return 'by-its-service';
  return RotationLambdaARN === undefined ? 'never-configured' : 'cancelled';
}

export const isUnrotated = (entry: SecretListEntry) => ['cancelled', 'never-configured'].includes(rotatedBy(entry));

export interface Uncovered {
  readonly name: string;
  readonly arn: string;
  readonly place: string | undefined;
  readonly why: Rotated;
  readonly engine: string;
  readonly username: string | undefined;
  readonly host: string | undefined;
  /** When the value was last changed, by whomever. */
  readonly lastChanged: Date | undefined;
}

/** A secret that may be one: nobody has read its value yet. */
export interface Candidate {
  readonly entry: SecretListEntry;
  readonly place: Place;
}

export interface Coverage {
  readonly uncovered: readonly Uncovered[];
  /** How many values were read. */
  readonly read: number;
  /** Those that could not be. */
  readonly unread: readonly { readonly name: string; readonly why: string }[];
}

/** Reads every candidate's AWSCURRENT. @param looked told how many have been read. */
export async function coverageOf(candidates: readonly Candidate[], looked: (done: number) => void): Promise<Coverage> {
  let done = 0;
  const found = await mapLimited(candidates, AT_ONCE, async ({ entry, place }) => {
    const { ARN: arn = '', Name: name = '', LastChangedDate: lastChanged } = entry;
    try {
      const version = await readVersion(place.context, arn, { VersionStage: 'AWSCURRENT' });
      const login = loginIn(version?.text);
      return login && { name, arn, place: place.label, why: rotatedBy(entry), lastChanged, ...login };
    } catch (error) {
      return { name, why: asCommandError(error).message };
    } finally {
      looked(++done);
    }
  });
  const told = found.filter((each) => each !== undefined);
  const uncovered = told.filter((each) => 'arn' in each);
  const unread = told.filter((each) => !('arn' in each));
  return { uncovered, read: candidates.length - unread.length, unread };
}

/** Other engines and other values are nobody's business here. Pure. */
export function loginIn(text: string | undefined): Pick<Uncovered, 'engine' | 'username' | 'host'> | undefined {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const member = (key: string) => {
    const found: unknown = Reflect.get(value, key);
    return typeof found === 'string' ? found : undefined;
  };
  const engine = ENGINES.find((each) => each === member('engine')?.toLowerCase());
  // Without a password there is nothing to rotate.
  if (Reflect.get(value, 'iam') === true) return undefined;
  return engine && { engine, username: member('username'), host: member('host') };
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
}
