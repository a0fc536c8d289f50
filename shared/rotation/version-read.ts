/** Versions of the secret as credentials, each read when it is asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type CredentialSource, RotationError } from '../errors.ts';
import { parseDatabaseSecret } from '../secret/database-secret.ts';
import type { Credential, SecretDescription, SecretStore, StoredVersion, WhichVersion } from './ports.ts';
import { type EarlierCredentials, UNLABELLED_TO_READ } from './strategy.ts';
import { versionWith } from './version-stage.ts';

export const CURRENT: WhichVersion = { stage: 'AWSCURRENT' };

/** Of a rotation's own version. */
export function pendingOf(token: string): WhichVersion {
  return { versionId: token, stage: 'AWSPENDING' };
}

/** Pauses, in ms, before DescribeSecret and GetSecretValue are asked again because they disagree on AWSCURRENT. */
const DISAGREEING = [50, 100, 200, 400];

export async function readCurrent(store: SecretStore): Promise<Credential> {
  return credential('current', await store.read(CURRENT));
}

/**
 * AWSCURRENT is what DescribeSecret says. Where a read has answered another version, as it may for a moment after a
 * change, both are asked again, a few times.
 *
 * @param state what DescribeSecret has just said.
 * @returns undefined where the two go on disagreeing.
 */
export async function readDescribed(store: SecretStore, state: SecretDescription): Promise<Credential | undefined> {
  let described = versionWith(state.stages, 'AWSCURRENT');
  for (const pause of [...DISAGREEING, undefined]) {
    const current = await readCurrent(store);
    if (current.versionId === described) return current;
    if (pause === undefined) return undefined;
    await sleep(pause);
    described = versionWith((await store.describe()).stages, 'AWSCURRENT');
  }
  return undefined;
}

export async function readPending(store: SecretStore): Promise<Credential> {
  return credential('pending', await store.readPending());
}

/** @returns undefined where there is no such version, or none that holds a login. */
export async function tryRead(
  store: Pick<SecretStore, 'read'>,
  source: CredentialSource,
  which: WhichVersion,
): Promise<Credential | undefined> {
  try {
    const version = await store.read(which);
    return version === undefined ? undefined : credential(source, version);
  } catch (error) {
    if (error instanceof RotationError && error.code === 'SECRET_MALFORMED') return undefined;
    throw error;
  }
}

/**
 * @param token of this rotation.
 * @param judgeOwn sees this rotation's own value before it is used.
 */
export function earlierCredentials(
  store: Pick<SecretStore, 'read' | 'unlabelledVersions'>,
  token: string,
  judgeOwn: (own: Credential) => Promise<void>,
): EarlierCredentials {
  let denied = false;
  return {
    async *own() {
      const own = await tryRead(store, 'pending', { versionId: token });
      if (own === undefined) return;
      await judgeOwn(own);
      yield own;
    },
    async *previous() {
      const previous = await tryRead(store, 'previous', { stage: 'AWSPREVIOUS' });
      if (previous !== undefined && previous.versionId !== token) yield previous;
    },
    async *unlabelled() {
      const found = await store.unlabelledVersions();
      ({ denied } = found);
      for (const versionId of found.versionIds.slice(0, UNLABELLED_TO_READ)) {
        const version = await tryRead(store, 'unlabelled', { versionId });
        if (version !== undefined) yield version;
      }
    },
    get denied() {
      return denied;
    },
  };
}

function credential(source: CredentialSource, version: StoredVersion | undefined): Credential {
  if (version === undefined) throw noValue(source);
  try {
    return { source, versionId: version.versionId, secret: parseDatabaseSecret(version.text) };
  } catch (error) {
    throw error instanceof RotationError ? error.with({ credential: source }) : error;
  }
}

function noValue(source: CredentialSource): RotationError {
  return new RotationError('SECRET_HAS_NO_VALUE', `The ${source} version must have a value, and it has none.`, {
    remedy:
      source === 'current'
        ? 'Store the credential that the database has: aws secretsmanager put-secret-value --secret-id {secretArn} --secret-string file://…'
        : 'createSecret has not run: start again with `aws secretsmanager rotate-secret --secret-id {secretArn}`.',
    credential: source,
  });
}
