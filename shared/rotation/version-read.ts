/** Versions of the secret as credentials, each read when it is asked for. */
import type { Deadline } from '../deadline.ts';
import { type CredentialSource, RotationError, type RotationErrorCode } from '../errors.ts';
import { parseDatabaseSecret } from '../secret/database-secret.ts';
import { askAgain, type Sleep } from './patience.ts';
import type { Credential, SecretDescription, SecretReader, StoredVersion, WhichVersion } from './ports.ts';
import { type EarlierCredentials, UNLABELLED_TO_READ } from './strategy.ts';
import { decide, versionWith } from './version-stage.ts';

const CURRENT: WhichVersion = { stage: 'AWSCURRENT' };

/** Of a rotation's own version. */
export function pendingOf(versionId: string): WhichVersion {
  return { versionId, stage: 'AWSPENDING' };
}

/** Pauses, in ms, before DescribeSecret and GetSecretValue are asked again because one of them is a moment behind. */
export const DISAGREEING = [50, 100, 200, 400];
/**
 * How long to wait before each new look at a version that is not there yet, in ms. Right after createSecret a read of
 * AWSPENDING has been seen to find nothing (aws/aws-sdk-js-v3 issue 7701).
 */
export const NOT_VISIBLE_YET = [50, 100, 200, 400, 800];

/** What it takes to read a rotation's versions, a moment later if need be. */
export interface Reading {
  readonly store: SecretReader;
  readonly event: { readonly versionId: string };
  readonly deadline: Deadline;
  readonly sleep: Sleep;
}

export async function readCurrent(store: SecretReader): Promise<Credential> {
  return credential('current', await store.read(CURRENT));
}

/** What a DescribeSecret says that is a moment behind; and for good, where the rotation is not wanted any more. */
const MAY_BE_BEHIND: readonly RotationErrorCode[] = ['ROTATION_NOT_ENABLED', 'VERSION_UNKNOWN', 'VERSION_NOT_PENDING'];

export function mayBeBehind(error: unknown): boolean {
  return error instanceof RotationError && MAY_BE_BEHIND.includes(error.code);
}

/**
 * The guard's verdict on what DescribeSecret has said, which is asked again a few times before it counts against the
 * rotation.
 */
export async function verdictOn(
  { store, event: { versionId }, sleep }: Reading,
  first: SecretDescription,
): Promise<SecretDescription | 'already-current'> {
  let next: SecretDescription | undefined = first;
  const ask = async () => {
    const state = next ?? (await store.describe());
    next = undefined;
    return decide(state, versionId) === 'proceed' ? state : 'already-current';
  };
  return await askAgain(DISAGREEING, ask, mayBeBehind, sleep);
}

/**
 * AWSCURRENT is what DescribeSecret says. Where a read has answered another version, as it may for a moment after a
 * change, both are asked again, a few times, and so is the guard: whoever moved AWSCURRENT may have given the rotation up.
 *
 * @param state what DescribeSecret has just said, on which the guard's verdict was to proceed.
 * @param first what a read has answered meanwhile.
 * @returns undefined where the two go on disagreeing.
 */
export async function readDescribed(
  input: Reading,
  state: SecretDescription,
  first: Credential,
): Promise<Credential | 'already-current' | undefined> {
  const { store, sleep } = input;
  let described = state;
  let current = first;
  const agree = () => current.versionId === versionWith(described.stages, 'AWSCURRENT');
  for (const pause of DISAGREEING) {
    if (agree()) return current;
    await sleep(pause);
    const verdict = await verdictOn(input, await store.describe());
    if (verdict === 'already-current') return verdict;
    described = verdict;
    current = await readCurrent(store);
  }
  return agree() ? current : undefined;
}

/**
 * The rotation's own version, waited for a moment where it is not visible yet.
 *
 * @param first the answer to a read that was sent before.
 * @throws RotationError VERSION_NOT_PENDING where it has lost its label; SECRET_HAS_NO_VALUE
 */
export async function readPending(
  { store, event: { versionId }, deadline, sleep }: Reading,
  first: Promise<StoredVersion | undefined> = store.read(pendingOf(versionId)),
): Promise<Credential> {
  let version = await first;
  for (const pause of NOT_VISIBLE_YET) {
    if (version !== undefined || deadline.remaining() < pause) break;
    await sleep(pause);
    version = await store.read(pendingOf(versionId));
  }
  return credential('pending', version);
}

/**
 * The same once the guard's verdict was to proceed: a read that has not heard of the label may be a moment behind, and both
 * are asked again, a few times.
 *
 * @param first the answer to a read that was sent before.
 * @throws RotationError VERSION_NOT_PENDING where it goes on without its label; SECRET_HAS_NO_VALUE
 */
export async function readGuarded(
  input: Reading,
  first?: Promise<StoredVersion | undefined>,
): Promise<Credential | 'already-current'> {
  let reading = readPending(input, first);
  for (const pause of DISAGREEING) {
    const pending = await reading.catch(unlessLabelLost);
    if (pending !== undefined) return pending;
    await input.sleep(pause);
    if ((await verdictOn(input, await input.store.describe())) === 'already-current') return 'already-current';
    reading = readPending(input);
  }
  return await reading;
}

function unlessLabelLost(error: unknown): undefined {
  if (error instanceof RotationError && error.code === 'VERSION_NOT_PENDING') return undefined;
  throw error;
}

/** @returns undefined where there is no such version, or none that holds a login. */
export async function tryRead(
  store: SecretReader,
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

/** What of one version keeps it from being read, and says nothing of another. */
const UNREADABLE: readonly RotationErrorCode[] = ['SECRET_ACCESS_DENIED', 'SECRET_KEY_UNUSABLE'];

/**
 * The same of a version that another may stand in for. One that hasn't got the label that it was asked for by is read by its
 * id alone.
 *
 * @param onDenied hears that it may not be read.
 */
export async function tryCandidate(
  store: SecretReader,
  source: CredentialSource,
  which: WhichVersion,
  onDenied: () => void = () => {},
): Promise<Credential | undefined> {
  try {
    return await tryRead(store, source, which);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    const { versionId } = which;
    if (error.code === 'VERSION_NOT_PENDING' && versionId !== undefined)
      return await tryCandidate(store, source, { versionId }, onDenied);
    if (!UNREADABLE.includes(error.code)) throw error;
    onDenied();
    return undefined;
  }
}

/**
 * @param versionId this rotation's own; undefined where there is none.
 * @param judgeOwn sees this rotation's own value before it is used.
 */
export function earlierCredentials(
  store: SecretReader,
  versionId: string | undefined,
  judgeOwn: (own: Credential) => Promise<void>,
): EarlierCredentials {
  let denied = false;
  const look = (source: CredentialSource, which: WhichVersion) =>
    tryCandidate(store, source, which, () => {
      denied = true;
    });
  return {
    async *own() {
      // By its label too: a policy may demand one (secretsmanager:VersionStage).
      const own = versionId === undefined ? undefined : await look('pending', pendingOf(versionId));
      if (own === undefined) return;
      await judgeOwn(own);
      yield own;
    },
    async *previous() {
      const previous = await look('previous', { stage: 'AWSPREVIOUS' });
      if (previous !== undefined && previous.versionId !== versionId) yield previous;
    },
    async *unlabelled() {
      const found = await store.unlabelledVersions();
      denied ||= found.denied;
      for (const id of found.versionIds.slice(0, UNLABELLED_TO_READ)) {
        const version = await look('unlabelled', { versionId: id });
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
    const { versionId, createdAt, text } = version;
    return { source, versionId, createdAt, secret: parseDatabaseSecret(text) };
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
